"""What a build must do for each of its models, from what moved and what changed since the one in force. Pure.

A model is kept where nothing it reads can have other rows than then, repaired where some may, and made whole where its own
making changed: its SQL, its parameters, its columns, the definitions it is given, or what it reads is made from nothing.

Whole does not spread further than it must: of a model that is made anew at once, the rows that differ are known when it is
done, so whoever reads it repairs just these. A model by day is filled from nothing, month after month, and who reads one is
made anew with it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

Step = Literal["keep", "repair", "whole"]

LAKE: Final = ("events", "id_links")  # what the models read and do not make


@dataclass(frozen=True)
class Known:
    """What the plan looks at of one model. ``made_of`` is a fingerprint of its making, its relations' included."""

    name: str
    kind: str  # of its query
    reads: frozenset[str]  # stored tables and tables of the lake; relations are replaced by what they read
    made_of: str


@dataclass(frozen=True)
class News:
    """Which tables of the lake moved since the build in force; ``told`` False where nobody can say which rows did."""

    moved: frozenset[str] = frozenset()
    told: bool = True


def plan(models: Sequence[Known], before: Mapping[str, str], stored: Collection[str], news: News) -> dict[str, Step]:
    """Per model what to do, in the order given. ``before``: the fingerprints in force, ``stored``: the tables there are."""
    steps: dict[str, Step] = {}
    from_nothing: set[str] = set()
    moved = set(news.moved)
    for model in models:
        anew = model.name not in stored or before.get(model.name) != model.made_of or not news.told
        if anew or model.reads & from_nothing:
            step: Step = "whole"
        else:
            step = "repair" if model.reads & moved else "keep"
        steps[model.name] = step
        if step != "keep":
            moved.add(model.name)
        if step == "whole" and (model.kind == "by_day" or model.name not in stored):
            from_nothing.add(model.name)
    return steps


def made_of(text: str, columns: Iterable[str], params: Mapping[str, object], given: str, relations: Iterable[str]) -> str:
    """A fingerprint: SQL, columns with their types, parameters, the version of what is ``given``, those of its relations."""
    told = {name: repr(params[name]) for name in sorted(params)}
    content = json.dumps([text, list(columns), told, given, sorted(relations)])
    return hashlib.sha256(content.encode()).hexdigest()[:16]

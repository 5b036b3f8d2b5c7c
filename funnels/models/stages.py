"""Stages as tables: which events fit the conditions, and the rounds in which the stages are found.

A stage may lean on another one (``after``, ``members``), so they are found in rounds: each round gets the rows of those
before it as ``settled``. Whose the matching events are (``stage_matches.sql``) and what ends spells (``stage_leavings.sql``)
is found once, before them. The SQL of a round is ``stage_counts.sql``, ``stage_crowds.sql``, ``stage_completions.sql`` and
``stages.sql``; that of the last round is run by the build, whose table ``stages`` then holds the rows of all. It stays in
the engine, which spills.

A repair (``stage_repair``) runs the same over the events around the stale subjects; what other people entered is read from
the rows in force. Of those others too little is known to make their rows: they are the ``bystanders``, who get none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Final

import pyarrow as pa

from funnels import traffic
from funnels.definitions.definition import SUBJECTS, Condition, Definitions, Members, Rule, Selection, Stage, Subject
from funnels.definitions.resolve_stages import leans_on
from funnels.filter_sql import Parameters
from funnels.models import invites, stage_repair
from funnels.models.selections import matches_sql
from sql.loader import load
from transforms.engine import Engine
from transforms.model import Model
from transforms.tables import STAGES

_LENGTH: Final = pa.int64()  # microseconds: a difference of times with a zone costs SQL ten times as much
_CONDITIONS: Final = pa.schema(
    [
        pa.field("condition", pa.int32(), nullable=False),
        pa.field("same_as", pa.int32(), nullable=False),  # the first condition that counts the same; itself if none does
        pa.field("subject", pa.string(), nullable=False),
        pa.field("stage", pa.string(), nullable=False),
        pa.field("needed", pa.int64(), nullable=False),  # how many conditions (members) bring the subject into the stage
        pa.field("after_stage", pa.string()),
        pa.field("within_length", _LENGTH),
        pa.field("pattern", pa.int32()),  # the matches it reads; none for members
        pa.field("times", pa.int64(), nullable=False),
        pa.field("people", pa.int64()),
        pa.field("window_length", _LENGTH),
        pa.field("by_account", pa.bool_(), nullable=False),  # counted over the account's events
        pa.field("by_membership", pa.bool_(), nullable=False),  # and handed to its members
        pa.field("by_members", pa.bool_(), nullable=False),  # met by members who entered the stage
    ]
)

_BYSTANDERS: Final = pa.schema([pa.field("subject_id", pa.string(), nullable=False)])
_OF_A_ROUND: Final = ("stage_counts", "stage_crowds", "stage_completions")

Key = tuple[Subject, str]
Patterns = Mapping[tuple[Selection, ...], int]


def models(definitions: Definitions) -> tuple[Model, ...]:
    """What a build runs after its own tables: who is internal, ``stages``, then ``invites``, which reads both."""
    return (*traffic.models(definitions), *_models(definitions), *invites.models(definitions))


def _models(definitions: Definitions) -> tuple[Model, ...]:
    patterns = _patterns(definitions.stages.values())
    matches, values = _stage_matches(definitions, patterns)
    chosen = [selection for pattern in patterns for selection in pattern]
    filtered = bool(definitions.internal.where) or any(selection.where for selection in chosen)
    leaving = partial(_leaving, definitions.stages, patterns)
    reads = ("events", "actors", "sole_memberships", traffic.TABLE)
    return (
        Model(replace(load("models", "stage_matches"), text=matches, reads=reads), params=values),
        Model(load("models", "stage_leavings"), inputs=leaving),
        Model(load("models", "stage_counts"), inputs=partial(_rounds, definitions, patterns)),
        Model(load("models", "stage_crowds")),
        Model(load("models", "stage_completions")),
        Model(
            load("models", "stages"),
            params={"definition_version": definitions.version},
            stale=stage_repair.stale(definitions.stages),
            narrow=stage_repair.narrow(matches, {selection.event for selection in chosen}, filtered=filtered),
            prepare=stage_repair.near_activity(definitions.stages),
        ),
    )


def _stage_matches(definitions: Definitions, patterns: Patterns) -> tuple[str, dict[str, object]]:
    """The text of ``stage_matches`` with ``matches`` within, so that events become somebody's in one go; and its values."""
    parameters = Parameters()
    left_out = traffic.condition_sql(definitions.internal, parameters) if patterns else "false"
    matches = f"matches as ({matches_sql(list(patterns), left_out, parameters)})"
    return f"with \n{matches}\n{load('models', 'stage_matches').text}", parameters.values


def rounds(stages: Mapping[str, Stage]) -> list[list[Key]]:
    """The stages of every subject such that each leans only on rounds before its own."""
    left = [(subject, name) for name in stages for subject in SUBJECTS if stages[name].rule(subject) is not None]
    done: list[list[Key]] = []
    while left:
        ready = [key for key in left if not set(leans_on(stages, *key)) & set(left)]
        done.append(ready)
        left = [key for key in left if key not in ready]
    return done


def _leaving(stages: Mapping[str, Stage], patterns: Patterns, engine: Engine) -> Mapping[str, pa.Table]:
    return {"leaving_conditions": _leaving_conditions(stages, patterns)}


def _rounds(definitions: Definitions, patterns: Patterns, engine: Engine) -> Mapping[str, pa.Table]:
    """The conditions of the last round; the rounds before it are run here.

    In a repair ``settled`` and ``bystanders`` are narrowed; a whole run begins with nothing and leaves out nobody.
    """
    *earlier, last = [_conditions(definitions.stages, keys, patterns) for keys in rounds(definitions.stages)]
    engine.drop("settled")
    engine.bind("settled", STAGES.empty_table())
    engine.bind("bystanders", _BYSTANDERS.empty_table())
    engine.make("settled_before", "from settled")
    for conditions in earlier:
        engine.bind("conditions", conditions)
        for relation in _OF_A_ROUND:
            engine.make(relation, load("models", relation).text)
        engine.make("found_stages", load("models", "stages").text, {"definition_version": definitions.version})
        engine.make("settled", "from found_stages union all from settled_before")
    for made in (*_OF_A_ROUND, "found_stages"):
        engine.drop(made)
    return {"conditions": last}


def _patterns(stages: Iterable[Stage]) -> dict[tuple[Selection, ...], int]:
    """Each choice of events that some condition reads, once, by number."""
    rules = [stage.rule(subject) for stage in stages for subject in SUBJECTS]
    chosen = [
        condition.selections for rule in rules if isinstance(rule, Rule) for condition in (*rule.conditions, *rule.left_by)
    ]
    return {selections: number for number, selections in enumerate(dict.fromkeys(chosen))}


def _conditions(stages: Mapping[str, Stage], keys: Iterable[Key], patterns: Patterns) -> pa.Table:
    rows = [row for subject, name in keys for row in _rows(subject, stages[name], patterns)]
    counted: dict[object, int] = {}
    same_as = [counted.setdefault(_counted(stages, row, number), number) for number, row in enumerate(rows)]
    numbered = [{"condition": number, "same_as": same_as[number], **row} for number, row in enumerate(rows)]
    return pa.Table.from_pylist(numbered, _CONDITIONS)


def _counted(stages: Mapping[str, Stage], row: Mapping[str, object], number: int) -> object:
    """What decides what a condition counts: equal for two that are completed by the same events."""
    rule = stages[str(row["stage"])].rule("account" if row["subject"] == "account" else "person")
    if isinstance(rule, Rule) and rule.after is None and not rule.left_by:
        return tuple(row.get(key) for key in ("pattern", "times", "people", "window_length", "by_account"))
    return number


def _leaving_conditions(stages: Mapping[str, Stage], patterns: Patterns) -> pa.Table:
    rows = [
        _row(subject, stage, rule, condition, patterns)
        for stage in stages.values()
        for subject in SUBJECTS
        if isinstance(rule := stage.rule(subject), Rule)
        for condition in rule.left_by
    ]
    return pa.Table.from_pylist(
        [{"condition": number, "same_as": number, **row} for number, row in enumerate(rows)], _CONDITIONS
    )


def _rows(subject: Subject, stage: Stage, patterns: Patterns) -> list[dict[str, object]]:
    rule = stage.rule(subject)
    if isinstance(rule, Members):
        none = {"times": 1, "by_account": False, "by_membership": False, "by_members": True}
        return [{"subject": subject, "stage": stage.name, "needed": rule.count, **none}]
    conditions = rule.conditions if rule else ()
    return [_row(subject, stage, rule, condition, patterns) for condition in conditions if rule]


def _row(subject: Subject, stage: Stage, rule: Rule, condition: Condition, patterns: Patterns) -> dict[str, object]:
    return {
        "subject": subject,
        "stage": stage.name,
        "needed": rule.needed,
        "after_stage": rule.after,
        "within_length": _microseconds(rule.within),
        "pattern": patterns[condition.selections],
        "times": condition.times,
        "people": condition.people,
        "window_length": _microseconds(condition.window),
        "by_account": subject == "account" or condition.people is not None,
        "by_membership": subject == "person" and condition.people is not None,
        "by_members": False,
    }


def _microseconds(length: timedelta | None) -> int | None:
    return None if length is None else length // timedelta(microseconds=1)

"""Internal and test traffic: whose events, and which, are left out of every number, by ``[internal]`` of the definitions.

People are internal by an e-mail domain or an id: the table ``internal_actors`` holds their ids as of the last build. Events
are internal by filters, at the moment a question is asked. Both stay in the lake, in ``people`` and in ``accounts``.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Final

import pyarrow as pa

from funnels.definitions.definition import Definitions, Internal
from funnels.definitions.resolve_stages import filters
from funnels.definitions.written import Entry
from funnels.filter_sql import Parameters, compile_filters
from sql.loader import load
from transforms.engine import Engine
from transforms.model import Model

TABLE: Final = "internal_actors"
_KINDS: Final = ("user:", "anonymous:")


def resolve(entry: Entry) -> Internal:
    """As written -> as resolved; faults are noted in the entry."""
    domains, ids = _texts(entry, "domains"), _texts(entry, "ids")
    for domain in domains:
        if "@" in domain or "." not in domain or "%" in domain or "_" in domain:
            entry.fault("domains", f"'{domain}' is no e-mail domain: write what follows the @, such as 'example.com'")
    for known in ids:
        if not known.startswith(_KINDS):
            entry.fault("ids", f"'{known}' is no typed id: write 'user:{known}' or 'anonymous:{known}'")
    resolved = Internal(tuple(sorted({one.lower() for one in domains})), tuple(sorted(set(ids))), filters(entry))
    entry.finish()
    return resolved


def models(definitions: Definitions) -> tuple[Model, ...]:
    """What a build runs after people and before whatever leaves internal traffic out."""
    return (Model(load("models", TABLE), inputs=partial(_inputs, definitions.internal)),)


def condition(engine: Engine, internal: Internal, parameters: Parameters, events: str = "events") -> str:
    """A SQL condition, never null, that holds for an internal event of the relation ``events``."""
    return condition_sql(internal, parameters, events, people=TABLE in engine.relations)


def condition_sql(internal: Internal, parameters: Parameters, events: str = "events", *, people: bool = True) -> str:
    """The condition's text; without ``people``, for who has no table of internal people, events go by the filters alone."""
    parts = [f"{events}.actor_id in (select actor_id from {TABLE})"] if people else []
    parts += [compile_filters(internal.where, parameters, events=events)] if internal.where else []
    return f"({' or '.join(parts)})" if parts else "false"


def people(engine: Engine) -> int:
    """How many people are internal, and so in none of the tables that leave internal traffic out."""
    return int(engine.table(f"select count(distinct person_id) as people from {TABLE}")["people"][0].as_py())


def _inputs(internal: Internal, engine: Engine) -> Mapping[str, pa.Table]:
    return {
        "internal_domains": pa.table({"domain": pa.array(internal.domains, pa.string())}),
        "internal_ids": pa.table({"id": pa.array(internal.ids, pa.string())}),
    }


def _texts(entry: Entry, key: str) -> list[str]:
    value = entry.value(key)
    if value is None:
        return []
    if isinstance(value, list) and all(isinstance(text, str) and text.strip() for text in value):
        return [str(text).strip() for text in value]
    entry.fault(key, f"'{key}' of {entry.title} is {value!r}: write a list of texts")
    return []

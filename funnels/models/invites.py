"""Invitations as a table: the events and properties that tell of them, named by the definition of virality.

Generations: whoever no invitation is credited for is of generation 0, a credited invitee of the inviter's generation plus 1,
by each person's one credited invitation. An inviter counts with a generation of their own only where they registered before
the invitee (of two at one instant, the smaller id did); an invitation from somebody who was not there yet begins a chain
anew, as from generation 0. So two people who invited each other before either came are 1 and 2, in the order in which they
came, and no chain is a circle. Chains are followed by doubling: log2 of the longest one rounds over arrays.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from funnels import traffic
from funnels.definitions.definition import Definitions
from funnels.filter_sql import Parameters
from funnels.models import invite_repair
from sql.loader import load
from transforms.engine import Engine
from transforms.model import Model

_BROUGHT: Final = """
select
    invitee,
    case
        when inviter_registered_at < invitee_registered_at then inviter
        when inviter_registered_at = invitee_registered_at and inviter < invitee then inviter
    end as inviter
from invite_links
where scope is not null and invitee not in (select person from elders)
"""
_ELDERS: Final = pa.schema([pa.field("person", pa.string(), nullable=False), pa.field("generation", pa.int32())])


def models(definitions: Definitions) -> tuple[Model, ...]:
    """What a build runs, after ``stages``, to make the table ``invites``."""
    virality = definitions.virality
    params = {
        "stage": virality.stage,
        "sent": virality.sent,
        "sent_id": _path(virality.sent_invite_id),
        "email": _path(virality.sent_email),
        "layer": _path(virality.sent_layer),
        "accepted": virality.accepted,
        "accepted_id": _path(virality.accepted_invite_id),
    }
    links = load("models", "invite_links")
    links = replace(links, reads=(*links.reads, traffic.TABLE))
    invites = load("models", "invites")
    return (
        Model(links, params=params, inputs=partial(_left_out, definitions)),
        Model(
            replace(invites, reads=(*invites.reads, "elders")),
            inputs=_generations,
            stale=invite_repair.STALE,
            narrow=invite_repair.narrow(definitions.internal),
            prepare=invite_repair.StaleInvites(tuple(params.items())),
        ),
    )


def _left_out(definitions: Definitions, engine: Engine) -> Mapping[str, pa.Table]:
    parameters = Parameters()
    told = ", ".join(parameters.add(name) for name in (definitions.virality.sent, definitions.virality.accepted))
    internal = traffic.condition(engine, definitions.internal, parameters)
    text = f"select event_id from events where event in ({told}) and {internal}"
    engine.make("internal_events", text, parameters.values)
    return {}


def _generations(engine: Engine) -> Mapping[str, pa.Table]:
    """In a repair ``elders`` is narrowed; of a whole run there are none."""
    engine.bind("elders", _ELDERS.empty_table())
    brought, elders = engine.table(_BROUGHT), engine.table("select person, generation from elders")
    return {"invite_generations": generations(brought["invitee"], brought["inviter"], elders)}


def generations(invitees: pa.ChunkedArray, inviters: pa.ChunkedArray, elders: pa.Table | None = None) -> pa.Table:
    """Columns ``person`` and ``generation``: ``invitees[i]``, each there once, came by ``inviters[i]``; null begins a chain.

    Nobody may come by themselves, however long the way round. ``elders``, of the same columns: inviters, none of them an
    invitee here, of whom the generation is known; all others are of generation 0.
    """
    count = len(invitees)
    earlier = pc.fill_null(pc.index_in(inviters, value_set=invitees.combine_chunks()), count)  # count: no invitee
    onward = np.append(np.asarray(earlier, dtype=np.int64), count)
    generation = np.append(1 + _of_elders(inviters, elders), np.int32(0))
    while (onward != count).any():
        generation += generation[onward]
        onward = onward[onward]
    return pa.table({"person": invitees, "generation": pa.array(generation[:count], pa.int32())})


def _of_elders(inviters: pa.ChunkedArray, elders: pa.Table | None) -> npt.NDArray[np.int32]:
    """The generation of each inviter who is one of them, 0 of all others."""
    if elders is None or not elders.num_rows:
        return np.zeros(len(inviters), np.int32)
    at = pc.index_in(inviters, value_set=elders["person"].combine_chunks())
    return np.asarray(pc.fill_null(pc.take(elders["generation"].combine_chunks(), at.combine_chunks()), 0), np.int32)


def _path(name: str) -> str:
    """The JSON path of a property: ``$.invite_id``; a dot or a space in the name is part of the name, ``$."invite id"``."""
    return f"$.{name}" if re.fullmatch(r"\w+", name, re.ASCII) else f"$.{json.dumps(name, ensure_ascii=False)}"

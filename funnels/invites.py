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
import pyarrow as pa
import pyarrow.compute as pc

from funnels import traffic
from funnels.definition import Definitions
from funnels.filter_sql import Parameters
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
where scope is not null
"""
# All or nothing: who is credited, and of which generation, depends on everyone's invitations.
_DUE: Final = """
with due as (
    select person_id from moved where event in ($sent, $accepted) and not bot
    union all
    select person_id from rejoined
    union all
    select person_id from changed_memberships
    union all
    select person_id from changed_internal_actors
    union all
    select null from changed_stages where subject = 'person' and stage = $stage
    union all
    select person_id from changed_people
    group by person_id
    having count(distinct coalesce(email, '')) > 1 or (count(*) = 1 and max(email) is not null)
)
select 1 as due from due limit 1
"""


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
    return (
        Model(links, params=params, inputs=partial(_left_out, definitions)),
        Model(load("models", "invites"), inputs=_generations, stale=_DUE),
    )


def _left_out(definitions: Definitions, engine: Engine) -> Mapping[str, pa.Table]:
    parameters = Parameters()
    told = ", ".join(parameters.add(name) for name in (definitions.virality.sent, definitions.virality.accepted))
    internal = traffic.condition(engine, definitions.internal, parameters)
    text = f"select event_id from events where event in ({told}) and {internal}"
    engine.make("internal_events", text, parameters.values)
    return {}


def _generations(engine: Engine) -> Mapping[str, pa.Table]:
    brought = engine.table(_BROUGHT)
    return {"invite_generations": generations(brought["invitee"], brought["inviter"])}


def generations(invitees: pa.ChunkedArray, inviters: pa.ChunkedArray) -> pa.Table:
    """Columns ``person`` and ``generation``: ``invitees[i]``, each there once, came by ``inviters[i]``; null begins a chain.

    Nobody may come by themselves, however long the way round.
    """
    count = len(invitees)
    earlier = pc.fill_null(pc.index_in(inviters, value_set=invitees.combine_chunks()), count)  # count: of generation 0
    onward = np.append(np.asarray(earlier, dtype=np.int64), count)
    generation = np.append(np.ones(count, np.int32), np.int32(0))
    while (onward != count).any():
        generation += generation[onward]
        onward = onward[onward]
    return pa.table({"person": invitees, "generation": pa.array(generation[:count], pa.int32())})


def _path(name: str) -> str:
    """The JSON path of a property: ``$.invite_id``; a dot or a space in the name is part of the name, ``$."invite id"``."""
    return f"$.{name}" if re.fullmatch(r"\w+", name, re.ASCII) else f"$.{json.dumps(name, ensure_ascii=False)}"

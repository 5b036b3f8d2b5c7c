"""Invitations as a table: the events and properties that tell of them, named by the definition of virality."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial

import pyarrow as pa

from funnels import traffic
from funnels.definition import Definitions
from funnels.filter_sql import Parameters
from sql.loader import load
from transforms.engine import Engine
from transforms.model import Model


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
    return (Model(load("models", "invites"), params=params, inputs=partial(_inputs, definitions)),)


def _inputs(definitions: Definitions, engine: Engine) -> Mapping[str, pa.Table]:
    parameters = Parameters()
    told = ", ".join(parameters.add(name) for name in (definitions.virality.sent, definitions.virality.accepted))
    internal = traffic.condition(engine, definitions.internal, parameters)
    text = f"select event_id from events where event in ({told}) and {internal}"
    return {"internal_events": engine.table(text, parameters.values)}


def _path(name: str) -> str:
    """The JSON path of a property: ``$.invite_id``; a dot or a space in the name is part of the name, ``$."invite id"``."""
    return f"$.{name}" if re.fullmatch(r"\w+", name, re.ASCII) else f"$.{json.dumps(name, ensure_ascii=False)}"

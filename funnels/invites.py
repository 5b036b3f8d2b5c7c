"""Invitations as a table: the events and properties that tell of them, named by the definition of virality."""

from __future__ import annotations

import json
import re

from funnels.definition import Definitions
from sql.loader import load
from transforms.build import Model


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
    return (Model(load("models", "invites"), params=params),)


def _path(name: str) -> str:
    """The JSON path of a property: ``$.invite_id``; a dot or a space in the name is part of the name, ``$."invite id"``."""
    return f"$.{name}" if re.fullmatch(r"\w+", name, re.ASCII) else f"$.{json.dumps(name, ensure_ascii=False)}"

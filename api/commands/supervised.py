"""Running roles for a command: what keeps them from starting ends the command with its message and status 2."""

from __future__ import annotations

from collections.abc import Sequence

from api.commands import Refused
from api.locks import InUse
from api.ports import CannotStart
from api.settings import Settings
from api.up import supervise


def run(settings: Settings, roles: Sequence[str], *, port: bool = True) -> None:
    try:
        supervise(settings, roles, port=port)
    except (CannotStart, InUse) as error:
        raise Refused(f"jcurve does not start: {error}", []) from None

"""Query parameters as data: one list reads them, names every fault at once, and documents them in OpenAPI."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from funnels.question import Parameters

_TIME_FORMS: Final = ("2026-01-31", "2026-01-31T10:00:00Z")


@dataclass(frozen=True)
class Parameter:
    """``kind`` time: a date at midnight in the project's zone, or a time with its offset; read as a UTC ``datetime``."""

    name: str
    help: str
    kind: Literal["text", "time", "choice", "number"] = "text"
    allowed: tuple[str, ...] = ()
    default: Any = None
    most: int = 1000

    def openapi(self) -> dict[str, Any]:
        schema: dict[str, Any] = {"type": "string"}
        if self.kind == "number":
            schema = {"type": "integer", "minimum": 1, "maximum": self.most}
        schema |= {"enum": list(self.allowed)} if self.allowed else {}
        schema |= {"examples": list(_TIME_FORMS)} if self.kind == "time" else {}
        schema |= {"default": self.default} if self.default is not None else {}
        return {"name": self.name, "in": "query", "required": False, "description": self.help, "schema": schema}


FORMAT: Final = Parameter("format", "Instead of an Accept header.", "choice", ("json", "csv", "arrow"))
FROM: Final = Parameter("from", "First moment: a date in the project's time zone, or a time with its offset.", "time")
TO: Final = Parameter("to", "End, not included: a date in the project's time zone, or a time with its offset.", "time")
LIMIT: Final = Parameter("limit", "How many items at most.", "number", default=50)
KNOWN_AT: Final = Parameter(
    "known_at", "Who is who as it was known then: links received later and undos made later do not count.", "time"
)
CURSOR: Final = Parameter("cursor", "The 'next' of the page before.")


def read(given: Mapping[str, str], described: Sequence[Parameter], zone: ZoneInfo) -> dict[str, Any]:
    """Values by name, defaults filled in; raises ``funnels.errors.BadRequest`` with all faults."""
    parameters = Parameters(given, zone)
    values = {one.name: _value(one, parameters) for one in (*described, FORMAT)}
    if values.get("from") and values.get("to") and values["from"] >= values["to"]:
        parameters.faults.add("to", given["to"], ["a moment after 'from'"], "the range is empty")
    parameters.finish()
    return values


def _value(one: Parameter, parameters: Parameters) -> Any:
    if one.kind == "time":
        return parameters.moment(one.name)
    if one.kind == "choice":
        return parameters.choice(one.name, one.allowed) or one.default
    text = parameters.text(one.name)
    if one.kind == "number" and text is not None:
        if text.isdecimal() and len(text) <= len(str(one.most)) and 1 <= int(text) <= one.most:
            return int(text)
        parameters.faults.add(one.name, text, [f"1 to {one.most}"], "not a whole number in this range")
    return one.default if text is None else text

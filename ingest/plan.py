"""The tracking plan: a JSON Schema per event for its properties, and per source what becomes of an event that breaks it.

In the deployment's definitions, below ``plan/``: ``*.json``, each a schema of the properties of the event that its ``title``
names (else its file), and ``sources.json``, such as ``{"*": "warn", "ios": "reject"}``; a source that it does not name is
dealt with as ``*`` says, or else allowed.
    allow    not checked
    warn     stored, and counted by event and rule, the newest being an example (``Index``, ``violations``)
    reject   kept in ``rejected`` with the reason ``plan`` and the rule, and replayed when the plan is another one
An event that the plan does not name is taken; pages and screens, whose names are their own, are not checked, nor is history
that is imported.

A rule is the place in the schema that the event broke first, so there are no more of them than the plan has lines, and its
keyword's value: ``properties/plan/enum ["free", "pro"]``.

Decision. Context: a reject keeps the event's own bytes, which only the reading of a request has at hand, in six families of
SDKs. Choice: ``assemble`` asks a context variable (CHECK) that ``checked`` sets around the decoder of the flush. Price: one
look-up per event; whoever decodes without it, as an import does, checks nothing.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, cast

import msgspec
from jsonschema import Draft202012Validator
from jsonschema.exceptions import SchemaError
from jsonschema.validators import validator_for
from referencing import Registry

from ingest.batch import Decoder
from ingest.protocols.assemble import CHECK
from ingest.protocols.call import Call
from ingest.protocols.family import Decoded
from ingest.record import Record

Mode = Literal["allow", "warn", "reject"]
MODES: Final[tuple[Mode, ...]] = ("allow", "warn", "reject")
SOURCES: Final = "sources.json"
_UNCHECKED: Final = ("page", "screen")
_LONGEST: Final = 300  # characters of a rule, and of an example

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Broken:
    """A rule that an event broke, and what was found."""

    rule: str
    found: str


@dataclass(frozen=True)
class Plan:
    """``faults``: what could not be read; the rest is in force."""

    schemas: Mapping[str, Draft202012Validator] = field(default_factory=dict)
    modes: Mapping[str, Mode] = field(default_factory=dict)
    faults: tuple[str, ...] = ()

    def mode(self, source: str) -> Mode:
        return self.modes.get(source) or self.modes.get("*") or "allow"

    def broken(self, call: Call) -> Broken | None:
        """The first rule that a call breaks, whatever its source; None of one that the plan does not name."""
        return None if call.kind in _UNCHECKED else self.broken_by(call.event, call.properties)

    def broken_by(self, event: str, properties: bytes | str) -> Broken | None:
        """The same of the properties (JSON) of an event that is checked."""
        validator = self.schemas.get(event)
        if validator is None:
            return None
        try:
            error = next(validator.iter_errors(msgspec.json.decode(properties)), None)
        except Exception:  # a reference that leads nowhere, or without an end: the plan's fault, not the event's
            logger.exception("the plan of '%s' cannot be checked", event)
            return None
        if error is None:
            return None
        rule = f"{'/'.join(map(str, error.absolute_schema_path))} {json.dumps(error.validator_value)}"
        return Broken(rule[:_LONGEST], error.message[:_LONGEST])

    def refuses(self, call: Call) -> str | None:
        """What is told of a call that is not stored."""
        if self.mode(call.source) != "reject" or (broken := self.broken(call)) is None:
            return None
        return f"{call.event}: {broken.rule}"


class CurrentPlan:
    """``plan()`` looks whether a file changed, and reads the folder anew where one did.

    Who decodes calls it before each group of requests: a look at each request would cost as much as a small one's decoding.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: object = None
        self._plan = Plan()

    def __call__(self) -> Plan:
        stamp = [(path.name, (s := path.stat()).st_mtime_ns, s.st_size) for path in sorted(self._folder.glob("*.json"))]
        if stamp != self._stamp:
            self._plan, self._stamp = load(self._folder), stamp
            for fault in self._plan.faults:
                logger.error("the plan: %s", fault)
        return self._plan

    def checked(self, decode: Decoder) -> Decoder:
        """``decode`` that rejects what the plan refuses, as of the last look."""
        self()

        def decoder(record: Record, mint: Any) -> Decoded:
            token = CHECK.set(self._plan.refuses)
            try:
                return decode(record, mint)
            finally:
                CHECK.reset(token)

        return decoder

    def warned(self, calls: Iterable[Call]) -> list[tuple[Call, Broken]]:
        """Those of stored calls that break the plan of a source that is warned, as of the last look."""
        plan = self._plan
        found = ((call, plan.broken(call)) for call in calls if plan.mode(call.source) == "warn")
        return [(call, broken) for call, broken in found if broken is not None]


def load(folder: Path) -> Plan:
    """The plan below a folder, which need not be there."""
    schemas: dict[str, Draft202012Validator] = {}
    modes: dict[str, Mode] = {}
    faults: list[str] = []
    for path in sorted(folder.glob("*.json")):
        try:
            written = json.loads(path.read_text("utf-8"))
            if not isinstance(written, dict):
                raise ValueError("write an object")
            if path.name == SOURCES:
                modes = _modes(written)
            else:
                schemas[str(written.get("title", path.stem))] = _validator(written)
        except (OSError, ValueError, SchemaError) as fault:
            faults.append(f"{path.name}: {getattr(fault, 'message', fault)}")
    return Plan(schemas, modes, tuple(faults))


def _modes(written: dict[str, object]) -> dict[str, Mode]:
    if wrong := [source for source, mode in written.items() if mode not in MODES]:
        raise ValueError(f"of {', '.join(wrong)}: one of {', '.join(MODES)}")
    return cast(dict[str, Mode], written)


def _validator(schema: dict[str, object]) -> Draft202012Validator:
    """Compiled; nothing is fetched from elsewhere."""
    kind = validator_for(schema, default=Draft202012Validator)
    kind.check_schema(schema)
    return cast(Draft202012Validator, kind(schema, registry=Registry()))

"""Filters compiled to SQL that DuckDB runs over ``events``: text of fixed parts, every value from outside a ``$parameter``.

A property becomes an ``Operand``: one SQL expression per type, each null where the value is not of that type. So no
comparison ever mixes types, and a missing value is null everywhere. JSON numbers are compared as whole numbers where both
sides are, else as doubles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

import pyarrow as pa

from funnels.filters import (
    COHORT,
    ISO_DATE,
    LISTED,
    NEGATIVE,
    ORDER,
    PRESENCE,
    AllOf,
    AnyOf,
    Condition,
    Filter,
    Scalar,
    read_moment,
)
from ingest.event import EVENTS
from transforms.tables import ACCOUNTS, PEOPLE

PERSON_NOW: Final = "person_now"  # the relations that hold people and accounts as the last build left them
ACCOUNT_NOW: Final = "account_now"
PERSON_THEN: Final = "person"  # a relation per trait of these, see traits_then
ACCOUNT_THEN: Final = "account"

_SIGNS: Final = {"eq": "=", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
_ISO: Final = f"'{ISO_DATE}'"
_WITH_OFFSET: Final = "'.*(Z|[+-][0-9]{2}:?[0-9]{2})'"
_NULL: Final = "null"
_ISO_TEXT: Final = "replace(strftime(timezone('UTC', {}), '%Y-%m-%dT%H:%M:%S.%fZ'), '.000000Z', 'Z')"


class Parameters:
    """The values of a query, each under the name it has in the text: ``add("Paid") == "$p0"``."""

    def __init__(self, values: dict[str, object] | None = None) -> None:
        self.values: dict[str, object] = {} if values is None else values

    def add(self, value: object) -> str:
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"


def pointer(path: str) -> str:
    """``tags.0`` as a JSON pointer: ``/tags/0``."""
    return "".join(f"/{part.replace('~', '~0').replace('/', '~1')}" for part in path.split("."))


def then_relation(root: str, key: str) -> str:
    """The relation whose ``traits`` hold one trait as it was at the event's time; any key makes a plain name."""
    return f"{root}_then_{key.encode().hex()}"


@dataclass(frozen=True)
class Operand:
    """A value in SQL, once per type; null where it is of another type or missing."""

    present: str
    text: str = _NULL
    number: str = _NULL  # as a double
    whole: str = _NULL  # exactly, where it is an integer of 64 bits
    flag: str = _NULL
    moment: str = _NULL  # of a time column; a text's is read where it is asked for
    items: str = _NULL  # the elements of a JSON list
    json: str = _NULL  # as JSON text


def compile_filters(
    filters: Sequence[Filter], parameters: Parameters, zone: ZoneInfo | None = None, events: str = "events"
) -> str:
    """A SQL condition, never null, over the relation ``events`` (and what ``streams`` joins to it where filters use it).

    ISO dates without an offset are local to ``zone`` (default UTC).
    """
    return Compiler(parameters, zone or ZoneInfo("UTC"), events).all_of(filters)


@dataclass(frozen=True)
class Compiler:
    """``cohorts``: by name, the SQL condition (never null) that whoever did the event is in it."""

    parameters: Parameters
    zone: ZoneInfo
    events: str = "events"
    cohorts: Mapping[str, str] = field(default_factory=dict)

    def value(self, name: str) -> str:
        """A property's value as a JSON text, null where it is missing; ``5`` and ``5.0`` are still two texts."""
        operand = self._operand(name)
        return f"case when {operand.present} then {operand.json} end"

    def all_of(self, filters: Sequence[Filter]) -> str:
        return " and ".join(self._filter(item) for item in filters) or "true"

    def _filter(self, item: Filter) -> str:
        if isinstance(item, Condition):
            return self._condition(item)
        if isinstance(item, AllOf):
            return f"({self.all_of(item.items)})"
        assert isinstance(item, AnyOf)
        return f"({' or '.join(self._filter(inner) for inner in item.items) or 'false'})"

    def _condition(self, condition: Condition) -> str:
        operand = self._operand(condition.property)
        if condition.op in NEGATIVE:
            return f"not {self._positive(operand, NEGATIVE[condition.op], condition.value)}"
        return self._positive(operand, condition.op, condition.value)

    def _positive(self, operand: Operand, op: str, value: Scalar | tuple[Scalar, ...] | None) -> str:
        if op in PRESENCE:
            return f"({operand.present})"
        if isinstance(value, tuple):
            assert op in LISTED
            choices = [self._compare(operand, "eq", item) for item in value]
            return f"({operand.present} and ({' or '.join(choices) or 'false'}))"
        assert value is not None
        if op == "eq" or op in ORDER:
            return self._compare(operand, op, value)
        if op == "matches":
            return f"coalesce(regexp_matches({operand.text}, {self.parameters.add(value)}), false)"
        return self._contains(operand, value, ignore_case=op == "icontains")

    def _compare(self, operand: Operand, op: str, value: Scalar) -> str:
        """``eq`` and the order: each side of its own type."""
        sign = _SIGNS[op]
        if isinstance(value, bool):
            return f"coalesce({operand.flag} {sign} {self.parameters.add(value)}, false)"
        if isinstance(value, str):
            moment = read_moment(value, self.zone)
            if moment is not None and (op in ORDER or operand.text == _NULL):
                given = f"cast({self.parameters.add(moment)} as timestamptz)"
                return f"coalesce({self._moment(operand)} {sign} {given}, false)"
            return f"coalesce({operand.text} {sign} {self.parameters.add(value)}, false)"
        given = self.parameters.add(value)
        double = f"{operand.number} {sign} cast({given} as double)"
        if isinstance(value, int):
            return f"coalesce({operand.whole} {sign} cast({given} as hugeint), {double}, false)"
        return f"coalesce({double}, false)"

    def _contains(self, operand: Operand, value: Scalar, *, ignore_case: bool) -> str:
        """Part of a text, or an element of a list."""
        if isinstance(value, str) and ignore_case:
            value = value.lower()
        element = self._compare(_json_item("item", lower=ignore_case), "eq", value)
        found = f"coalesce(len(list_filter({operand.items}, lambda item: {element})) > 0, false)"
        if not isinstance(value, str):
            return found
        text = f"lower({operand.text})" if ignore_case else operand.text
        return f"(coalesce(contains({text}, {self.parameters.add(value)}), false) or {found})"

    def _operand(self, name: str) -> Operand:
        """The property ``name`` as it stands in an event's own columns, its JSON, its person or its account."""
        if name.startswith(COHORT):
            member = self.cohorts[name.removeprefix(COHORT)]
            return Operand("true", flag=member, json=f"cast(to_json({member}) as varchar)")
        root, _, rest = name.partition(".")
        if root == PERSON_NOW:
            return self._of_table(PERSON_NOW, PEOPLE, rest)
        if root == ACCOUNT_NOW:
            return self._of_table(ACCOUNT_NOW, ACCOUNTS, rest)
        if root in (PERSON_THEN, ACCOUNT_THEN):
            return self._json(f"{then_relation(root, rest.split('.')[0])}.traits", rest)
        if rest:
            return self._json(f"{self.events}.{root}", rest)
        return self._column(f"{self.events}.{name}", EVENTS.field(name).type)

    def _of_table(self, relation: str, schema: pa.Schema, name: str) -> Operand:
        """A column of the table by that name, else a trait."""
        if name in schema.names and name not in ("traits", "person_id"):
            return self._column(f"{relation}.{name}", schema.field(name).type)
        return self._json(f"{relation}.traits", name)

    def _column(self, sql: str, kind: pa.DataType) -> Operand:
        present = f"{sql} is not null"
        json = f"cast(to_json({sql}) as varchar)"
        if pa.types.is_timestamp(kind):
            return Operand(present, moment=sql, json=f"cast(to_json({_ISO_TEXT.format(sql)}) as varchar)")
        if pa.types.is_boolean(kind):
            return Operand(present, flag=sql, json=json)
        if pa.types.is_integer(kind) and not sql.endswith("_id"):
            return Operand(present, number=f"cast({sql} as double)", whole=sql, json=json)
        text = sql if pa.types.is_string(kind) else f"cast({sql} as varchar)"  # 64-bit ids are texts outside
        return Operand(present, text=text, json=f"cast(to_json({text}) as varchar)")

    def _json(self, column: str, path: str) -> Operand:
        given = self.parameters.add(pointer(path))
        kind, value = f"json_type({column}, {given})", f"json_extract({column}, {given})"
        return _json_operand(kind, value)

    def _moment(self, operand: Operand) -> str:
        """A time column itself, else the moment of a text that is an ISO date."""
        text = operand.text
        if text == _NULL:
            return operand.moment
        local = f"timezone({self.parameters.add(self.zone.key)}, try_cast({text} as timestamp))"
        read = f"case when regexp_full_match({text}, {_WITH_OFFSET}) then try_cast({text} as timestamptz) else {local} end"
        return f"case when regexp_full_match({text}, {_ISO}) then {read} end"


def _json_operand(kind: str, value: str) -> Operand:
    """A JSON value, and its type, in SQL."""
    return Operand(
        present=f"coalesce({kind} <> 'NULL', false)",
        text=f"case when {kind} = 'VARCHAR' then {value} ->> '$' end",
        number=f"case when {kind} in ('BIGINT', 'UBIGINT', 'DOUBLE') then try_cast({value} as double) end",
        whole=f"case when {kind} in ('BIGINT', 'UBIGINT') then try_cast({value} as hugeint) end",
        flag=f"case when {kind} = 'BOOLEAN' then try_cast({value} as boolean) end",
        items=f"case when {kind} = 'ARRAY' then {value} -> '$[*]' end",
        json=f"cast({value} as varchar)",
    )


def _json_item(name: str, *, lower: bool) -> Operand:
    """An element of a JSON list."""
    operand = _json_operand(f"json_type({name})", name)
    text = f"lower({operand.text})" if lower else operand.text
    return Operand(operand.present, text, operand.number, operand.whole, operand.flag)

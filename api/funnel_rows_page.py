"""A list of units, an explanation or drivers as a page for the terminal: a row each, with what a reader looks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from rich.console import Console
from rich.text import Text

from api.funnel_page import columns, duration, percent, wide

_NONE: Final = "–"
Row = tuple[str, ...]


def rows_page(answer: Mapping[str, Any], console: Console | None = None) -> None:
    console = wide(console or Console(highlight=False))
    heads, rows, told = (
        _of_unit(answer) if "unit" in answer else _of_drivers(answer) if "candidates" in answer else _of_list(answer)
    )
    names, figures = heads
    shown = columns(names, figures)
    for row in rows:
        shown.add_row(*map(Text, row))
    console.print(shown)
    for line in told:
        console.print(f"\n  {line}", markup=False)
    for warning in answer.get("warnings", ()):
        console.print(f"warning: {warning}", style="yellow", markup=False)


Heads = tuple[Sequence[str], Sequence[str]]


def _of_list(answer: Mapping[str, Any]) -> tuple[Heads, Iterator[Row], list[str]]:
    steps = max((len(item["times"]) for item in answer["items"]), default=0)
    heads = (("unit", "state"), tuple(f"step {number}" for number in range(1, steps + 1)))
    rows = ((item["unit"], item["state"], *map(_time, item["times"])) for item in answer["items"])
    return heads, rows, [f"{len(answer['items']):,} of {answer['total']:,}"]


def _of_unit(answer: Mapping[str, Any]) -> tuple[Heads, Iterator[Row], list[str]]:
    rows = ((_time(one["time"]), one["name"], one["code"], str(one["step"] or "")) for one in answer["items"])
    cases = [f"{one['state']}, reached {one['reached']}, entered {_time(one['entered'])}" for one in answer["cases"]]
    return (("time", "event", "code"), ("step",)), rows, [f"{answer['unit']}: {one}" for one in cases or ["did not enter"]]


def _of_drivers(answer: Mapping[str, Any]) -> tuple[Heads, Iterator[Row], list[str]]:
    told = f"{answer['candidates']:,} candidates among {answer['entrants']:,} units whose window is over"
    period = f"an event counts in the first {duration(answer['period_seconds'])}"
    heads = (("driver", ""), ("with it", "without", "lift", "p, corrected"))
    return heads, (_driver(one) for one in answer["items"]), [f"{told}; {period}"]


def _driver(one: Mapping[str, Any]) -> Row:
    found, p = one["found"], one["p_corrected"]
    value = "is set" if one["op"] == "is_set" else f"= {one['value']}"
    own = one["event"] or f"{one['property']} {value}"
    sure = "confirmed" if one["confirmed"] else "not confirmed" if one["significant"] else ""
    shares = (percent(found[side]["conversion"]) for side in ("with", "without"))
    lift = _NONE if found["lift"] is None else f"{found['lift']:.2f}"
    return own, sure, *shares, lift, _NONE if p is None else f"{p:.2g}"


def _time(text: str | None) -> str:
    """To the second, as a person reads it."""
    return _NONE if text is None else text[:19].replace("T", " ")

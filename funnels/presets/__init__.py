"""presets: other products' funnels by their own rules, so that who comes from there finds the old number and sees why ours
differs.

One file per product; its docstring says exactly what it changes against the definition (``funnels.match``). Each has
``match(streams, rules) -> Outcome`` over the same streams, in one compiled loop (``by_unit``) where our matcher's rules do
not reach. What a product has no rule for is refused, not guessed.

What a preset cannot tell apart: the unit is the question's (OpenPanel and Umami count sessions), so are filters and names.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from funnels.match import Outcome, Rules, Streams
from funnels.presets import amplitude, clickhouse, mixpanel, openpanel, posthog, umami

Match = Callable[[Streams, Rules], Outcome]


@dataclass(frozen=True, slots=True)
class Preset:
    """``allows``: the options that may differ from their default, as ``asked`` names them; every other one is refused."""

    name: str
    line: str
    allows: frozenset[str]
    match: Match


def _table(*presets: Preset) -> dict[str, Preset]:
    return {preset.name: preset for preset in presets}


PRESETS: Final = _table(
    Preset(
        "posthog",
        "every step within the range; the window runs from the latest step 1; an exclusion removes the unit from all steps",
        frozenset({"order: strict", "order: any", "optional", "exclude"}),
        posthog.match,
    ),
    Preset(
        "mixpanel",
        "the first entry of the range only, the first instance of each later step, two seconds of grace",
        frozenset({"exclude", "hold", "count: attempts"}),
        mixpanel.match,
    ),
    Preset(
        "amplitude",
        "whole seconds, in which either order counts; any order keeps step 1 first",
        frozenset({"order: strict", "order: any", "exclude"}),
        amplitude.match,
    ),
    Preset(
        "clickhouse",
        "windowFunnel: one event may serve several steps; strict order never starts again, strict ties as strict_increase",
        frozenset({"order: strict", "ties: strict"}),
        clickhouse.match,
    ),
    Preset(
        "clickhouse:strict_deduplication",
        "windowFunnel that stops at the first repeated step",
        frozenset(),
        partial(clickhouse.match, mode="strict_deduplication"),
    ),
    Preset(
        "clickhouse:strict_once",
        "windowFunnel in which one event serves one step",
        frozenset(),
        partial(clickhouse.match, mode="strict_once"),
    ),
    Preset(
        "umami",
        "the window is the longest time between neighbouring steps; one event may serve several steps",
        frozenset(),
        umami.match,
    ),
    Preset(
        "openpanel",
        "windowFunnel in strict_increase: each step at least a millisecond after the one before; by session",
        frozenset(),
        openpanel.match,
    ),
)


def explained() -> str:
    """What each preset changes against the definition, as its file says it."""
    files = (posthog, mixpanel, amplitude, clickhouse, umami, openpanel)
    return "\n\n".join((file.__doc__ or "").strip() for file in files)


def match(name: str, streams: Streams, rules: Rules) -> Outcome:
    """The funnel by a product's rules. ValueError names the options that it refuses, KeyError an unknown name."""
    if faults := refused(name, streams, rules):
        raise ValueError(f"the preset {name} has no {', '.join(faults)}")
    return PRESETS[name].match(streams, rules)


def refused(name: str, streams: Streams, rules: Rules) -> list[str]:
    """The options asked for that the product has no rule for."""
    wanted = asked(streams, rules) - PRESETS[name].allows
    if {"order: any", "exclude"} <= asked(streams, rules) and name == "amplitude":
        wanted |= {"exclude under order: any"}
    if {"order: any", "optional"} <= asked(streams, rules):
        wanted |= {"optional under order: any"}
    if {"order: strict", "ties: strict"} <= asked(streams, rules) and name == "clickhouse":
        wanted |= {"ties: strict under order: strict"}
    return sorted(wanted)


def asked(streams: Streams, rules: Rules) -> set[str]:
    """The options that are not at their default, by name and where it matters value."""
    options = {
        f"order: {rules.order}": rules.order != "sequential",
        f"ties: {rules.ties}": rules.ties != "in_order",
        "within": any(within is not None for within in rules.withins[1:]),
        "optional": bool(rules.optional),
        "exclude": bool(rules.exclusions),
        "hold": bool(streams.held.size),
        f"reentry: {rules.reentry}": rules.reentry != "any",
        f"witness: {rules.witness}": rules.witness != "earliest",
        f"count: {rules.count}": rules.count != "units",
    }
    return {name for name, given in options.items() if given}

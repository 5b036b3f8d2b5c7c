"""A funnel over stages: entering a stage is an event of its subject, so the one matcher answers (``funnels.match``).

Each step tells how many of the entrants got there by the path through all stages before (``by_path``; the rates,
``dropped`` and everything below the steps belong to it) and how many any way (``reached``: at or after their entry,
within the window), so that a payer who never was a PQL stays visible.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import cast
from zoneinfo import ZoneInfo

from funnels import traffic
from funnels.definitions.definition import SUBJECTS, Definitions, StageFunnel, Subject
from funnels.definitions.written import LONGEST
from funnels.durations import EXAMPLES, format_duration, parse_duration
from funnels.groups import of_units
from funnels.match import Rules, match_streams
from funnels.periods import GRAINS, Grain, period_of, periods
from funnels.question import Parameters, Range, check_periods, earliest, read_internal, read_range
from funnels.result import Json, answer
from funnels.stage_streams import READS, Subjects, read_subjects
from funnels.times import iso
from funnels.unknown import UnknownName
from ingest.lake import Lake
from transforms.engine import DEFAULT_LIMITS, Engine, Limits
from transforms.manifest import Manifest


@dataclass(frozen=True)
class FunnelQuestion:
    """One stage funnel as asked, every default filled in."""

    funnel: StageFunnel
    unit: Subject
    window: timedelta
    range: Range
    by_channel: bool
    trend: Grain | None
    zone: ZoneInfo


def find(definitions: Definitions, name: str) -> StageFunnel:
    """Raises ``UnknownName``."""
    if name not in definitions.funnels:
        raise UnknownName("funnel", name, definitions.funnels)
    return definitions.funnels[name]


def stage_funnel(
    lake: Lake,
    project: str,
    definitions: Definitions,
    name: str,
    params: Mapping[str, str],
    manifest: Manifest,
    zone: str,
    limits: Limits = DEFAULT_LIMITS,
) -> Json:
    """The answer to ``?from&to&unit&by&trend&window`` at one manifest; ``zone`` is the project's, an IANA name.

    Raises ``UnknownName`` for the funnel, ``BadRequest`` for the parameters.
    """
    question = read(find(definitions, name), definitions, params, ZoneInfo(zone), manifest.complete_until)
    versions = {table: manifest.tables.get(table) for table in READS}
    with Engine(lake, project, versions, limits) as engine:
        subjects = read_subjects(engine, question.unit, question.funnel.steps)
        internal = traffic.people(engine)
    return {
        **_answer(question, definitions, subjects, manifest.complete_until),
        "definition": _definition(question),
        "definition_version": manifest.definition_version,
        "warnings": _warnings(definitions, manifest),
        "data": {
            "manifest": manifest.number,
            "complete_until": iso(manifest.complete_until),
            "internal_left_out": internal,  # people
        },
    }


def read(
    funnel: StageFunnel, definitions: Definitions, params: Mapping[str, str], zone: ZoneInfo, as_of: datetime
) -> FunnelQuestion:
    """The question with every default filled in. Raises ``BadRequest`` with everything that is wrong."""
    parameters = Parameters(params, zone)
    stages = [definitions.stages[step] for step in funnel.steps]
    units = [subject for subject in SUBJECTS if all(stage.rule(subject) for stage in stages)]
    unit = parameters.choice("unit", units) or funnel.unit
    question = FunnelQuestion(
        funnel,
        "account" if unit == "account" else "person",
        _window(parameters) or funnel.window,
        read_range(parameters, as_of),
        parameters.choice("by", ["channel"]) is not None,
        parameters.grain("trend", GRAINS),
        zone,
    )
    check_periods(parameters, "trend", question.range, question.trend)
    read_internal(parameters, built_without=True)
    parameters.finish()
    return question


def _window(parameters: Parameters) -> timedelta | None:
    text = parameters.text("window")
    if text is None:
        return None
    try:
        window = parse_duration(text)
    except (ValueError, OverflowError):
        window = LONGEST * 2
    if window > LONGEST:
        parameters.faults.add("window", text, EXAMPLES, "write a duration of at most 366d, such as 14d")
    return window


def _rules(question: FunnelQuestion, subjects: Subjects, as_of: datetime) -> Rules:
    """The path funnel's; a range without a start begins with the period of the first entry."""
    end, grain, zone = question.range.end, question.trend, question.zone
    start = question.range.start
    if start is None:
        first = min(subjects.first_entry(since=earliest(end, grain) if grain else None) or end, end)
        start = first if grain is None else min(period_of(first, grain, zone).start, end)
    buckets = periods(start, end, grain, zone) if grain is not None else []
    edges = (*(bucket.start for bucket in buckets), buckets[-1].end) if buckets else ()
    return Rules((None,) * len(question.funnel.steps), question.window, start, end, as_of, edges)


def _answer(question: FunnelQuestion, definitions: Definitions, subjects: Subjects, as_of: datetime) -> Json:
    """The path funnel's answer; each step, and each step of a group, also with who reached it any way."""
    stages = [definitions.stages[step] for step in question.funnel.steps]
    rules = _rules(question, subjects, as_of)

    def match(steps: Sequence[int], rules: Rules) -> Json:
        outcome = match_streams(subjects.streams(steps), rules)
        groups = of_units(outcome, subjects.channel, subjects.channels) if question.by_channel else None
        return answer(outcome, [stages[step].title for step in steps], rules, question.zone, groups)

    path = match(range(len(stages)), rules)
    pair = replace(rules, withins=(None, None), edges=())
    any_way = [path, *(match((0, step), pair) for step in range(1, len(stages)))]
    names = [stage.name for stage in stages]
    path["steps"] = _with_any_way(names, path, any_way)
    for place, group in enumerate(_tables(path, "groups")):
        group["steps"] = _with_any_way(names, group, [_tables(other, "groups")[place] for other in any_way])
    return path


def _with_any_way(names: Sequence[str], path: Json, any_way: Sequence[Json]) -> list[Json]:
    """``any_way`` holds each step's funnel of two; the first step's is the path itself. The entrants are the same in all."""
    rows = zip(names, _tables(path, "steps"), any_way, strict=True)
    return [
        {
            "stage": name,
            "label": step["label"],
            "reached": _tables(other, "steps")[min(place, 1)]["reached"],
            "by_path": step["reached"],
            **{key: value for key, value in step.items() if key not in ("label", "reached")},
        }
        for place, (name, step, other) in enumerate(rows)
    ]


def _tables(found: Json, key: str) -> list[Json]:
    return cast(list[Json], found.get(key, []))


def _definition(question: FunnelQuestion) -> Json:
    start = question.range.start
    return {
        "funnel": question.funnel.name,
        "title": question.funnel.title,
        "steps": list(question.funnel.steps),
        "window": format_duration(question.window),
        "unit": question.unit,
        "from": None if start is None else iso(start),
        "to": iso(question.range.end),
        "timezone": question.zone.key,
        "by": ["channel"] if question.by_channel else [],
        "trend": question.trend,
    }


def _warnings(definitions: Definitions, manifest: Manifest) -> list[str]:
    if definitions.version == manifest.definition_version:
        return []
    built, now = manifest.definition_version, definitions.version
    return [f"the stages were built under definition {built}, the one in force is {now}: they change with the next build"]

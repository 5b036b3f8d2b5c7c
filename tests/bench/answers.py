"""The whole build, the PLG funnel and an ad-hoc funnel, over the lake that ``flush`` has filled.

``python -m tests.bench.answers FOLDER`` prints the seconds of each, in a process of its own, so that memory and caches are
not those of the benchmark. The first answer of a kind compiles the matcher; the median of later ones is told.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Final

from tests.bench.figure import Figure
from tests.bench.world import END, NOW, PROJECT

ADHOC: Final = {
    "steps": [
        {"event": "Signed Up", "label": "Registered"},
        {"event": "Project Created", "within": "7d"},
        {"event": "Task Completed", "where": [{"property": "properties.minutes", "op": "gt", "value": 60}]},
    ],
    "from": "2025-11-22",
    "to": "2026-02-20",
    "window": "30d",
    "trend": "week",
}


def figures(folder: Path, events: int) -> list[Figure]:
    command = [sys.executable, "-m", "tests.bench.answers", str(folder)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    size = f"{events:,} events"
    return [
        Figure(f"whole build, {size}", f"{found['build']:.1f} s, {found['megabytes']:,.0f} MB"),
        Figure(f"PLG funnel by channel, {size}", _milliseconds(found["plg"])),
        Figure(f"ad-hoc funnel, 3 steps and a filter, by week, {size}", _milliseconds(found["adhoc"])),
        Figure(f"viral coefficient, {size}", _milliseconds(found["viral"])),
    ]


def _milliseconds(seconds: float) -> str:
    return f"{1000 * seconds:,.0f} ms"


def main(folder: Path) -> None:
    from funnels import adhoc, metrics, plg
    from funnels.definitions.load import DEFAULTS, load
    from funnels.models import stages
    from funnels.request import parse
    from ingest.lake import Lake
    from transforms.build import build
    from transforms.core import CORE

    lake, definitions = Lake(str(folder / "lake")), load(DEFAULTS)
    models = (*CORE, *stages.models(definitions))
    now = datetime.fromtimestamp(NOW / 1000, UTC)
    built = build(lake, PROJECT, models, until=now, definition_version=definitions.version, now=now)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    span = {"from": "2025-11-22", "to": END.date().isoformat()}
    manifest, request = built.manifest, parse(ADHOC)
    told = {
        "build": built.seconds,
        "megabytes": peak,
        "plg": _timed(
            lambda: plg.stage_funnel(lake, PROJECT, definitions, "plg", {**span, "by": "channel"}, manifest, "UTC")
        ),
        "adhoc": _timed(lambda: adhoc.funnel(lake, PROJECT, request, complete_until=now, manifest=manifest)),
        "viral": _timed(lambda: metrics.answer(lake, PROJECT, definitions, "viral-coefficient", span, manifest, "UTC")),
    }
    print(json.dumps(told))


def _timed(answer: Callable[[], object]) -> float:
    answer()
    seconds = []
    for _ in range(5):
        began = time.perf_counter()
        answer()
        seconds.append(time.perf_counter() - began)
    return median(seconds)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

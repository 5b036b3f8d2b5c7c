"""Funnels over raw events beside ClickHouse: ``python -m tests.bench.funnel --events 20000000`` (``make bench-funnel``).

Per size: a lake of ``year`` with one day of hot files, its people built, and ClickHouse (``clickhouse``) over the same
events. Each question is asked of all of them in turn, warm, round after round, so that what else happens on the machine
meets all; the medians' ratios are told. Ours is the whole answer (``funnels.adhoc.funnel``: versions, who is who, reading,
matching, the statistics), ClickHouse's is its query alone. Both must count the same people.

Warm means, of theirs: the pages of its files and its mark cache, as it keeps them by default. Of ours: the pages of the
files, who is who, and of ``scan`` footers and decoded columns, 64 MB of each, and as much of whose the rows are
(``owners``); what it takes without the columns and owners is told besides. Answers are kept where it says so only.

The greatest resident memory is that of a process of its own that asks one question once; and of one that asks many,
one after the other and then ten at once.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from ingest.lake import Lake

from tests.bench.figure import Figure, markdown, put_into

README: Final = Path(__file__).parents[2] / "README.md"
PROJECT: Final = "default"
NOW: Final = datetime(2026, 3, 17, 6, tzinfo=UTC)
_RARE: Final = ("Signed Up", "Invite Sent", "Trial Started")
_FREQUENT: Final = ("Home", "Dashboard", "Project", "Task Created", "File Uploaded", "Report")  # a third of all events
_YEAR: Final = (datetime(2025, 3, 16, tzinfo=UTC), datetime(2026, 3, 17, tzinfo=UTC))
_WEEK: Final = (datetime(2025, 11, 10, tzinfo=UTC), datetime(2025, 11, 17, tzinfo=UTC))
_WINDOW: Final = timedelta(days=14)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
MEGABYTES: Final = 1_536  # that a question over 100 M events may take
TEN: Final = 10  # people who ask at once
SIZES: Final = "1000000,10000000:10000,10000000,10000000:1000000,100000000,70000000:10000000"  # events, people if not 1 %


@dataclass(frozen=True)
class Question:
    """``most``: aims, as shares of ClickHouse's time with ids as text and of its time on the same files."""

    title: str
    steps: tuple[str, ...]
    span: tuple[datetime, datetime]
    most: Mapping[str, float] = field(default_factory=dict)

    def asked(self, **more: object) -> dict[str, object]:
        """As ours is asked."""
        start, end = (moment.isoformat() for moment in self.span)
        return {"steps": [{"event": name} for name in self.steps], "from": start, "to": end, "window": "14d", **more}

    def of_clickhouse(self, table: str) -> list[object]:
        micro = timedelta(microseconds=1)
        start, end = ((moment - _EPOCH) // micro for moment in self.span)
        return [table, self.steps, start, end, _WINDOW // micro]


QUESTIONS: Final = (
    Question("3 rare steps, whole range", _RARE, _YEAR, {"texts": 0.6, "parquet": 0.35}),
    Question("3 rare steps, one week", _RARE, _WEEK, {"texts": 0.6, "parquet": 0.35}),
    Question("6 frequent steps, whole range", _FREQUENT, _YEAR, {"texts": 1.0, "parquet": 0.35}),
    Question("6 frequent steps, one week", _FREQUENT, _WEEK, {"texts": 1.0, "parquet": 0.35}),
)
_THEIRS: Final = {"texts": "its MergeTree, ids as text", "ids": "its MergeTree, 64-bit ids", "parquet": "the same Parquet"}


_MORE: Final[dict[str, dict[str, object]]] = {
    "a trend by week": {"trend": "week"},
    "a breakdown by browser": {"breakdown": {"by": ["browser"]}},
    "a breakdown by a property": {"breakdown": {"by": ["properties.plan"]}},
}
_SEEN_OFTEN: Final = {"unit": "person", "did": {"event": "Signed In", "at_least": 3}}
_OTHER: Final[dict[str, dict[str, object]]] = {
    "only Chrome": {"where": [{"property": "browser", "op": "eq", "value": "Chrome"}]},
    "a breakdown by a trait": {"breakdown": {"by": ["person_now.channel"]}},
    "a breakdown by the account's trait": {"breakdown": {"by": ["account_now.channel"]}},
    "a breakdown by a trait as it was then": {"breakdown": {"by": ["person.name"]}},
    "a breakdown by a cohort": {"cohorts": {"often": _SEEN_OFTEN}, "breakdown": {"by": ["cohort:often"]}},
    "accounts": {"unit": "account"},
    "first entries ever": {"first_ever": True},
    "a preset": {"preset": "mixpanel"},
    "strict order": {"order": "strict"},
    "sessions": {"unit": "session"},
}
OTHERS_MOST: Final = 2.0  # times the plain question
_MIXED: Final[tuple[dict[str, object], ...]] = (
    {"breakdown": {"by": ["browser", "country"], "attribution": "last"}},
    {"order": "any"},
    {"count": "attempts"},
    {"exclude": [{"event": "Account Deleted"}], "trend": "month"},
)


class Took(NamedTuple):
    """Seconds by the clock, and of processor time, which a busy machine does not stretch."""

    clock: float
    processor: float

    def __str__(self) -> str:
        return f"{1000 * self.clock:,.0f} ms ({1000 * self.processor:,.0f} of processor time)"


class Worker:
    """A process that answers a line of JSON with a line of JSON."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None and process.stdout is not None
        self._in: IO[str] = process.stdin
        self._out: IO[str] = process.stdout
        self._out.readline()  # it says when it is ready

    def ask(self, question: object) -> list[Any]:
        print(json.dumps(question), file=self._in, flush=True)
        return list(json.loads(self._out.readline()))


@contextmanager
def worker(*command: str) -> Iterator[Worker]:
    with subprocess.Popen([sys.executable, "-m", *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as one:
        yield Worker(one)
        assert one.stdin is not None
        one.stdin.close()


def prepare(data: Path, events: int, people: int | None = None, *, traits: bool = False) -> None:
    """A data folder with a year of events, one more day in hot files, and who is who as a build leaves it; ``traits``: what
    it knows of people and accounts, too."""
    from ingest.lake import Lake
    from tests.bench import lake as days
    from tests.bench import year
    from transforms.build import build
    from transforms.core import core, who_is_who
    from transforms.engine import Limits

    year.write(data, events, count=people)
    days.prepare("day", data)
    lake = Lake(str(data / "lake"))
    models = core() if traits else who_is_who()
    build(lake, PROJECT, models, until=NOW, definition_version="bench", now=NOW, limits=Limits("3GB"))


def figures(data: Path, events: int, rounds: int) -> Iterator[Figure]:
    size = f"{events / 1e6:,.0f} M events"
    with ExitStack() as stack:
        ours = stack.enter_context(worker("tests.bench.funnel", "--serve", str(data)))
        theirs = stack.enter_context(worker("tests.bench.clickhouse", str(data / "lake"), PROJECT, str(data / "clickhouse")))
        for question in QUESTIONS:
            yield from _beside(question, size, ours, theirs, rounds)
        yield from _more(size, ours, rounds)
    yield from peaks(data, size)


def _beside(question: Question, size: str, ours: Worker, theirs: Worker, rounds: int) -> Iterator[Figure]:
    """Ours, and each of theirs by its ratio."""
    seconds: dict[str, list[Took]] = {name: [] for name in ("ours", "forgetful", *_THEIRS)}
    counts: dict[str, list[int]] = {}
    for _ in range(rounds + 1):  # the first one warms
        for name, found in seconds.items():
            *took, counts[name] = (
                theirs.ask(question.of_clickhouse(name))
                if name in _THEIRS
                else ours.ask({"forgetful": name == "forgetful", **question.asked()})
            )
            found.append(Took(*took))
    middle = {name: _middle(found[1:]) for name, found in seconds.items()}
    same = counts["ours"] == counts["texts"] == counts["ids"]
    yield Figure(f"{size}, {question.title}", str(middle["ours"]))
    yield Figure("… with no columns kept decoded", str(middle["forgetful"]))
    yield Figure(f"… counts {counts['ours']} as windowFunnel's", "yes" if same else f"no: {counts}", "yes", same)
    for name, title in _THEIRS.items():
        ratio, most = middle["ours"].clock / middle[name].clock, question.most.get(name)
        of_processor = middle["ours"].processor / middle[name].processor
        aim, met = ("", None) if most is None else (f"{most} ×", ratio <= most)
        found_it = f"{ratio:.2f} × ({of_processor:.2f} × of processor time)"
        yield Figure(f"… against ClickHouse on {title}, {middle[name]}", found_it, aim, met)


def _middle(found: Sequence[Took]) -> Took:
    return Took(median(one.clock for one in found), median(one.processor for one in found))


def _more(size: str, ours: Worker, rounds: int) -> Iterator[Figure]:
    """What more is asked adds, what many at once wait for, and what an answer costs that is kept."""
    question = QUESTIONS[2]
    plain = question.asked()
    for title, more in _MORE.items():
        pairs = [(Took(*ours.ask(plain)[:2]), Took(*ours.ask(question.asked(**more))[:2])) for _ in range(rounds + 1)][1:]
        ratio = median(rich.clock / one.clock for one, rich in pairs) - 1
        of_processor = median(rich.processor / one.processor for one, rich in pairs) - 1
        found = f"{ratio:+.0%} ({of_processor:+.0%} of processor time)"
        yield Figure(f"{size}, {question.title}: {title}", found, "< +30 %", ratio < 0.3)
    for title, more in _OTHER.items():
        asked = question.asked(**more)
        if asked.pop("first_ever", False):
            asked["steps"] = [{"event": name, "first_ever": not number} for number, name in enumerate(question.steps)]
        pairs = [(Took(*ours.ask(plain)[:2]), Took(*ours.ask(asked)[:2])) for _ in range(rounds + 1)][1:]
        times = median(rich.clock / one.clock for one, rich in pairs)
        of_processor = median(rich.processor / one.processor for one, rich in pairs)
        found = f"{times:.1f} × ({of_processor:.1f} × of processor time)"
        yield Figure(f"{size}, {question.title}: {title}", found, f"{OTHERS_MOST:.0f} ×", times <= OTHERS_MOST)
    one, together = (median(ours.ask({"at_once": count, **plain})[0] for _ in range(rounds)) for count in (1, TEN))
    found = f"{together / one:.1f} ×"
    yield Figure(f"{size}, {question.title}: ten at once, until all have theirs", found, "10 ×", together <= TEN * one)
    ours.ask({"kept": True, **plain})
    kept = 1000 * median(ours.ask({"kept": True, **plain})[0] for _ in range(20))
    yield Figure(f"{size}, {question.title}: kept", f"{kept:.1f} ms", "< 5 ms", kept < 5)


def peaks(data: Path, size: str) -> Iterator[Figure]:
    for question in QUESTIONS[::2]:
        with worker("tests.bench.funnel", "--serve", str(data)) as ours:
            idle = ours.ask({"peak": True})[0]
            ours.ask(question.asked())
            megabytes = ours.ask({"peak": True})[0]
        found = f"{megabytes:,.0f} MB, of an idle process {idle:,.0f}"
        yield Figure(f"{size}, {question.title}: peak memory", found, f"< {MEGABYTES:,} MB", megabytes < MEGABYTES)
    with worker("tests.bench.funnel", "--serve", str(data)) as ours:
        for _ in range(2):
            for question in QUESTIONS:
                for more in ({}, *_MORE.values(), *_MIXED):
                    ours.ask(question.asked(**more))
        one_by_one = ours.ask({"peak": True})[0]
        ours.ask({"at_once": TEN, **QUESTIONS[2].asked()})
        together = ours.ask({"peak": True})[0]
    found = f"{one_by_one:,.0f} MB; then ten at once: {together:,.0f}"
    title = f"{size}, {2 * len(QUESTIONS) * (1 + len(_MORE) + len(_MIXED))} mixed questions one after the other: peak memory"
    yield Figure(title, found, f"< {MEGABYTES:,} MB", one_by_one < MEGABYTES)


def curve(folder: Path, sizes: Sequence[tuple[int, int | None]]) -> Iterator[Figure]:
    """Seconds and memory by events and people, each size made anew and gone afterwards; each question in its own process."""
    for number, (events, people) in enumerate(sizes):
        data = folder / str(number)
        prepare(data, events, people)
        there = _rows_of(data)
        size = f"{there / 1e6:,.1f} M events, {people or events // 100:,} people"
        for question in QUESTIONS[::2]:
            with worker("tests.bench.funnel", "--serve", str(data)) as ours:
                took = _middle([Took(*ours.ask(question.asked())[:2]) for _ in range(4)][1:])
                yield Figure(f"{size}: {question.title}", f"{took}, {ours.ask({'peak': True})[0]:,.0f} MB")
        shutil.rmtree(data)


def _rows_of(data: Path) -> int:
    """How many events there are: of many people, each of whom comes once at least, more than were asked for."""
    from ingest.lake import Lake

    found = Lake(str(data / "lake")).dataset(PROJECT, "events")
    return 0 if found is None else int(found.count_rows())


def serve(data: Path) -> None:
    """Answers questions with ``[seconds, of the processor, reached]``."""
    from funnels.memory import give_back
    from funnels.warm import warm
    from ingest.lake import Lake

    give_back()
    warm()
    asking = Asking(Lake(str(data / "lake")))
    print("ready", flush=True)
    for line in sys.stdin:
        print(json.dumps(asking.told(json.loads(line))), flush=True)


class Asking:
    """How a question is asked here: as it comes, several times at once, or of answers that are kept."""

    def __init__(self, lake: Lake) -> None:
        from funnels.answers import Answers

        self._lake, self._answers = lake, Answers()

    def told(self, asked: dict[str, object]) -> list[object]:
        from funnels.reading import owners, scan

        if asked.pop("peak", False):
            return [peak()]
        if asked.pop("forgetful", False):
            scan.forget()
            owners.forget()
        kept, at_once = bool(asked.pop("kept", False)), int(str(asked.pop("at_once", 1)))
        began, processor = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(at_once) as people:
            [found, *_] = people.map(lambda _: self._answer(asked, kept), range(at_once))
        seconds = [time.perf_counter() - began, time.process_time() - processor]
        return [*seconds, [step["reached"] for step in found["steps"]]]

    def _answer(self, asked: object, kept: bool) -> dict[str, Any]:
        from funnels import adhoc
        from funnels.request import parse
        from transforms.ledger import LEDGER
        from transforms.manifest import current

        version, ledger = (self._lake.version(PROJECT, table) for table in ("events", LEDGER))
        source = adhoc.Source(self._lake, PROJECT, version, NOW, current(self._lake, PROJECT), ledger=ledger)
        request = parse(asked)
        return self._answers.of(source, request) if kept else adhoc.answer_of(source, request)


def peak() -> float:
    """Megabytes that were resident at most."""
    status = Path("/proc/self/status").read_text()
    return int(status.split("VmHWM:", 1)[1].split()[0]) / 1024


def measure(options: argparse.Namespace) -> Iterator[Figure]:
    if options.curve:
        with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
            yield from curve(Path(folder), [_size(one) for one in options.curve.split(",")])
        return
    if options.made:
        yield from figures(options.made, options.events, options.rounds)
        return
    with tempfile.TemporaryDirectory(prefix="jcurve-bench-") as folder:
        prepare(Path(folder), options.events, options.people, traits=True)
        yield from figures(Path(folder), options.events, options.rounds)


def _size(text: str) -> tuple[int, int | None]:
    """``10000000:1000000``: events and people."""
    events, _, people = text.partition(":")
    return int(events), int(people) if people else None


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="make bench-funnel", description=__doc__)
    parser.add_argument("--events", type=int, default=20_000_000)
    parser.add_argument("--people", type=int, help="default: one per hundred events")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--made", type=Path, help="a data folder that --prepare made")
    parser.add_argument("--prepare", type=Path, help="only make a data folder there")
    parser.add_argument("--curve", nargs="?", const=SIZES, help=f"only seconds and memory, by events and people: {SIZES}")
    parser.add_argument("--write", action="store_true", help="put the table into README.md")
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.serve:
        serve(options.serve)
    elif options.prepare:
        prepare(options.prepare, options.events, options.people, traits=True)
    else:
        _report(options)


def _report(options: argparse.Namespace) -> None:
    found = []
    for figure in measure(options):
        found.append(figure)
        print(f"{figure.what}: {figure.found}", file=sys.stderr, flush=True)
    table = markdown(found, datetime.now(UTC).date())
    print(table)
    if options.write:
        put_into(README, table, "bench-funnel-curve" if options.curve else "bench-funnel")


if __name__ == "__main__":
    main()

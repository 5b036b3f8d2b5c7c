"""Answers that were given, for whoever asks the same of the same data: kept by what they were made of, up to so many bytes.

The key is the question in full, the versions of the events and of the ledger, the manifest, and how identity and internal
traffic are seen: files never change, so neither does what they say. Only time goes on. Where the last window closed before
the data ended, later moments change nothing, and the answer is told with today's ``as_of``; where it did not, an answer
holds for a minute, and says the moment that it was worked out for.

Who asks while somebody else works on the same answer waits for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import msgspec

from funnels.adhoc import Source, answer_of
from funnels.ask import Funnel
from funnels.steps import Json
from funnels.times import iso

FRESH: Final = timedelta(minutes=1)
_MOST_BYTES: Final = 64 << 20
_LARGEST: Final = 8  # part of it, that one answer may be

Key = tuple[object, ...]


class Answers:
    """At most ``most`` bytes, as JSON has them; what was not asked for the longest goes first. For any number of threads."""

    def __init__(self, most: int = _MOST_BYTES) -> None:
        self._most, self._bytes = most, 0
        self._kept: OrderedDict[Key, tuple[Json, int]] = OrderedDict()
        self._working: dict[Key, threading.Lock] = {}
        self._lock = threading.Lock()

    def of(self, source: Source, request: Funnel, work: Callable[[Source, Funnel], Json] = answer_of) -> Json:
        """The answer of ``work``, which is called where there is none yet; raises what it raises."""
        key, settled = _key(source, request)
        found = self._look_up(key)
        if found is None:
            with self._turn(key):
                found = self._look_up(key)
                if found is None:
                    found = self._worked_out(key, lambda: work(source, request))
        return _as_of_now(found, source, request) if settled else found

    def _look_up(self, key: Key) -> Json | None:
        with self._lock:
            if key not in self._kept:
                return None
            self._kept.move_to_end(key)
            return self._kept[key][0]

    def _turn(self, key: Key) -> threading.Lock:
        with self._lock:
            return self._working.setdefault(key, threading.Lock())

    def _worked_out(self, key: Key, work: Callable[[], Json]) -> Json:
        try:
            answer = work()
            self._keep(key, answer)
            return answer
        finally:
            with self._lock:
                self._working.pop(key, None)

    def _keep(self, key: Key, answer: Json) -> None:
        size = len(msgspec.json.encode(answer))
        with self._lock:
            if size * _LARGEST > self._most:
                return
            self._kept[key] = (answer, size)
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._kept.popitem(last=False)[1][1]


def _key(source: Source, request: Funnel) -> tuple[Key, bool]:
    """What an answer is made of, as text where equal numbers differ (1, 1.0, true); and whether time changes it no more."""
    manifest = None if source.manifest is None else (source.manifest.number, source.manifest.built_at)
    seen = repr((source.view, source.domains, source.internal))
    where = (source.lake.root, source.project, source.version, source.ledger, manifest, seen)
    asked, until = request.as_of, source.complete_until
    brought_back = asked is not None and asked > until
    if not brought_back and not request.cohorts and request.end + request.window < source.as_of(request):
        return (*where, repr(replace(request, as_of=None))), True
    moment = asked if asked is not None and not brought_back else _floor(until)
    return (*where, repr(request), moment), False


def _floor(moment: datetime) -> datetime:
    return moment - timedelta(seconds=moment.timestamp() % FRESH.total_seconds())


def _as_of_now(answer: Json, source: Source, request: Funnel) -> Json:
    as_of = iso(source.as_of(request))
    return {
        **answer,
        "as_of": as_of,
        "definition": _with(answer["definition"], "as_of", as_of),
        "data": _with(answer["data"], "complete_until", iso(source.complete_until)),
    }


def _with(part: object, name: str, value: str) -> Json:
    assert isinstance(part, dict)
    return {**part, name: value}

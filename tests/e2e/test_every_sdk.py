"""Every SDK through every trouble, beside a running collector: what was acknowledged is in the lake, once; nothing comes
again after a final answer, and nothing is given up but where the SDK itself has no second try.

Each sends small numbered events (``sdks/pace.py``) through a proxy of its own, which makes the trouble and counts. All run
at the same time: nearly all of it is their waiting to try again. ``JCURVE_TEST_SDK_KILLS=10`` kills the collector so often.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from functools import partial
from time import monotonic, sleep
from typing import Any, Final

import httpx
import pytest

from tests.api.processes import jcurve
from tests.e2e import driver
from tests.e2e.collector import Collecting, collecting
from tests.e2e.driver import Chromium, Page, Script, needs_browser, needs_node
from tests.e2e.proxy import Exchange, Fault, Proxy
from tests.patience import PATIENCE

SEGMENT, RUDDER, POSTHOG = 520_000, 8_600_000, 21_000_000  # bytes of an event that no body may have
AMPLITUDE, MIXPANEL, SNOWPLOW = 1_100_000, 10_500_000, 2_050_000
QUIET: Final = 1.0  # seconds, in which what must not come might
KILLS: Final = int(os.environ.get("JCURVE_TEST_SDK_KILLS", "1"))
NOBODYS: Final = "jw_nobodys"  # no write key
FOREVER: Final = f"{PATIENCE:.0f}"
FAILURES: Final = {0, 502, 503}  # the answer was lost, the collector gone, or full


@dataclass(frozen=True)
class Sdk:
    """One way in which an SDK sends, and what it is known to do."""

    name: str
    script: str
    body: int  # bytes of an event that is too large for a body
    options: tuple[str, ...] = ()
    query: Mapping[str, str] = field(default_factory=dict)
    path: str = ""
    wrong_key: int | None = 401  # None: it asks first, and sends nothing
    off: int | None = 401  # of a source that is off
    large_event: int | None = 200  # to one of 40 KB; None: it never sends such a one
    large_body: int | None = 413
    too_large: bool = False  # an event of 40 KB is more than its family may send
    bad: str = "illegal_id"  # why the bad event is rejected
    after_503: bool = True  # it tries again
    after_cut: bool = True

    def oversize(self) -> dict[int, int]:
        """How each event is answered that it sends of those that it makes for ``large``."""
        answers = {0: 200, 1: self.large_event, 2: 200, 3: self.large_body, 4: 200}
        return {number: status for number, status in answers.items() if status is not None}


SDKS: Final = (
    Sdk("segment python", "segment_send.py", SEGMENT, too_large=True, large_event=None, large_body=None),
    Sdk("segment node", "segment_send.mjs", SEGMENT, too_large=True, large_body=400),
    Sdk("segment browser", "segment.html", SEGMENT, too_large=True, wrong_key=None, large_event=400, large_body=400),
    Sdk("segment browser batching", "segment.html", SEGMENT, too_large=True, query={"batching": "1"},
        wrong_key=None, large_body=400),
    Sdk("rudder python", "rudder_send.py", RUDDER, too_large=True, off=404, large_body=None),
    Sdk("rudder node", "rudder_send.mjs", RUDDER, too_large=True, off=404, large_body=400),
    Sdk("rudder browser", "rudder.html", RUDDER, too_large=True, wrong_key=None, off=None, large_event=413, large_body=400),
    Sdk("rudder beacon", "rudder.html", RUDDER, too_large=True, query={"beacon": "1"},
        wrong_key=None, off=None, large_body=None,
        after_503=False, after_cut=False),  # whoever sends a beacon is not told what became of it
    Sdk("posthog python v0", "posthog_send.py", 1_000_000, ("v0",), large_body=None),
    Sdk("posthog python v1", "posthog_send.py", 1_000_000, ("v1",), large_body=None),
    Sdk("posthog node v0", "posthog_send.mjs", POSTHOG, ("v0",)),
    Sdk("posthog node v1", "posthog_send.mjs", POSTHOG, ("v1",)),
    Sdk("posthog browser", "posthog.html", 1_000_000, large_body=200),  # it cuts texts after 65,535 characters
    Sdk("amplitude python", "amplitude_send.py", AMPLITUDE, ("patience",), path="/2/httpapi", wrong_key=400, off=400,
        after_cut=False),
    Sdk("amplitude node", "amplitude_send.mjs", AMPLITUDE, path="/2/httpapi", wrong_key=400, off=400, after_cut=False),
    Sdk("amplitude browser", "amplitude.html", AMPLITUDE, path="/2/httpapi", wrong_key=400, off=400),
    Sdk("mixpanel python", "mixpanel_send.py", MIXPANEL, ("user-1",)),
    Sdk("mixpanel node", "mixpanel_send.mjs", MIXPANEL, ("user-1",), large_body=None, after_503=False, after_cut=False),
    Sdk("mixpanel browser", "mixpanel.html", 1_000_000, large_body=200, after_cut=False),
    Sdk("snowplow python", "snowplow_send.py", SNOWPLOW, ("patience",), large_body=200),
    Sdk("snowplow node", "snowplow_send.mjs", SNOWPLOW, ("patience",), large_body=200),
    Sdk("snowplow browser", "snowplow.html", SNOWPLOW, bad="missing_event", large_body=200),
)  # fmt: skip
MARKS: Final = {"py": (), "mjs": (needs_node,), "html": (needs_browser,)}
TROUBLES: Final[Mapping[str, tuple[str, tuple[Fault, ...]]]] = {  # what is sent, and what happens to the first requests
    "bad event": ("few", ()),
    "wrong key": ("few", ()),
    "source off": ("few", ()),
    "overload": ("few", ("full", "full")),
    "lost answer": ("few", ("lost",)),
    "oversize": ("large", ()),
}

each_sdk = pytest.mark.parametrize(
    "sdk", [pytest.param(sdk, id=sdk.name, marks=MARKS[sdk.script.rpartition(".")[2]]) for sdk in SDKS]
)


@dataclass(frozen=True)
class Run:
    made: int
    told: dict[str, Any]
    proxy: Proxy

    @property
    def answers(self) -> dict[int, list[int]]:
        return self.proxy.ticks()


Runs = Mapping[tuple[str, str], Future[Run]]


@pytest.fixture(scope="module")
def collector(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Collecting]:
    with collecting(tmp_path_factory.mktemp("data")) as running:
        yield running


@pytest.fixture(scope="module")
def browser(request: pytest.FixtureRequest) -> Chromium | None:
    return request.getfixturevalue("chromium") if driver.HAS_BROWSER else None


@pytest.fixture(scope="module")
def keys(collector: Collecting) -> Mapping[str, str]:
    """The key that is used where it is itself the trouble."""
    off = jcurve("sources", "create", "off", data=collector.data).stdout.strip()
    jcurve("sources", "set", "off", "--off", data=collector.data)
    event = {"api_key": off, "events": [{"event_type": "Before", "user_id": "user-1"}]}
    assert until(lambda: "disabled" in httpx.post(f"{collector.url}/2/httpapi", json=event, timeout=PATIENCE).text)
    return {"wrong key": NOBODYS, "source off": off}


@pytest.fixture(scope="module")
def runs(
    collector: Collecting, browser: Chromium | None, keys: Mapping[str, str], request: pytest.FixtureRequest
) -> Iterator[Runs]:
    """Of what this session has chosen, the slowest first."""
    chosen = {item.name for item in request.session.items}
    wanted = [
        (sdk, trouble)
        for trouble in ("overload", "lost answer", "oversize", "wrong key", "source off", "bad event")
        for sdk in SDKS
        if can_run(sdk) and any(f"[{sdk.name}]" in name for name in chosen)
    ]
    with ThreadPoolExecutor(6) as pool:
        yield {(sdk.name, trouble): pool.submit(run, sdk, trouble, keys, collector, browser) for sdk, trouble in wanted}


def can_run(sdk: Sdk) -> bool:
    return {"py": True, "mjs": driver.HAS_NODE, "html": driver.HAS_BROWSER}[sdk.script.rpartition(".")[2]]


def run(sdk: Sdk, trouble: str, keys: Mapping[str, str], collector: Collecting, browser: Chromium | None) -> Run:
    pace, faults = TROUBLES[trouble]
    key = keys.get(trouble, collector.key)
    gives_up = (trouble == "overload" and not sdk.after_503) or (trouble == "lost answer" and not sdk.after_cut)
    patience = "2" if trouble in keys or gives_up else FOREVER  # of what failed for good, not all tell
    driven = pace == "large" and sdk.script.endswith(".html")
    pace = "idle" if driven else f"large={sdk.body}" if pace == "large" else pace
    with Proxy(collector.url, list(faults)) as proxy, closing(start(sdk, proxy, key, pace, browser, patience)) as sender:
        return drive(sender, proxy, sdk) if driven else finish(sender, proxy, sent_in(sdk, trouble), gives_up)


def sent_in(sdk: Sdk, trouble: str) -> Collection[int]:
    """The numbers of the events that it sends, or tries to."""
    if trouble == "oversize":
        return sdk.oversize()
    asks_first = {"wrong key": sdk.wrong_key is None, "source off": sdk.off is None}
    return () if asks_first.get(trouble) else range(6)


def start(sdk: Sdk, proxy: Proxy, key: str, pace: str, browser: Chromium | None, patience: str = FOREVER) -> Script | Page:
    """``patience``: seconds, of those who wait until they are told."""
    if sdk.script.endswith(".html"):
        assert browser is not None
        return browser.open(sdk.script, url=proxy.url + sdk.path, key=key, pace=pace, **sdk.query)
    options = [patience if option == "patience" else option for option in sdk.options]
    return driver.started(sdk.script, proxy.url + sdk.path, key, pace, *options)


def finish(sender: Script | Page, proxy: Proxy, sent: Collection[int] | None = None, gives_up: bool = False) -> Run:
    """Waits until it has nothing left to send (scripts end then, pages do not): of ``sent``, else of all that it made."""
    told = sender.told()
    made = told["made"] if isinstance(told["made"], int) else len(told["made"])
    if isinstance(sender, Page):
        until(lambda: settled(proxy.ticks(), range(made) if sent is None else sent, gives_up))
        sleep(QUIET)
    return Run(made, told, proxy)


def drive(page: Script | Page, proxy: Proxy, sdk: Sdk) -> Run:
    """What scripts make for ``large``, each part once that before it was answered."""
    assert isinstance(page, Page)
    told, sent = page.told(), sdk.oversize()
    for part in ({0: 1, 1: 40_000, 2: 1}, {3: sdk.body}, {4: 1}):
        page.run(f"{json.dumps([*part.items()])}.forEach(([n, length]) => window.tick(n, 'user-1', 'x'.repeat(length)))")
        wanted = part.keys() & sent.keys()
        until(partial(lambda numbers: settled(proxy.ticks(), numbers, gives_up=True), wanted))
        if not wanted or 4 in part:
            sleep(QUIET)
    return Run(5, told, proxy)


def settled(answers: dict[int, list[int]], sent: Collection[int], gives_up: bool) -> bool:
    return all(number in answers and (gives_up or answers[number][-1] not in FAILURES) for number in sent)


def until(condition: Callable[[], bool], patience: float = PATIENCE) -> bool:
    deadline = monotonic() + patience
    while not condition():
        if monotonic() > deadline:
            return False
        sleep(0.05)
    return True


def final(answers: dict[int, list[int]]) -> set[int]:
    """The last answer to each event; fails where one came again though the answer before was final."""
    assert all(set(answer[:-1]) <= FAILURES for answer in answers.values()), answers
    return {answer[-1] for answer in answers.values()}


def numbers(collector: Collecting, ids: dict[int, str]) -> list[int]:
    """Of the events of these ids, each of which must be in the lake once, the numbers that they hold."""
    stored = collector.stored(list(ids.values()))
    return [row["properties"]["n"] for row in stored]


@each_sdk
def test_a_bad_event_is_kept_apart_and_none_of_those_beside_it_comes_again(
    collector: Collecting, runs: Runs, sdk: Sdk
) -> None:
    ended = runs[sdk.name, "bad event"].result()
    assert ended.answers == {number: [200] for number in range(6)}
    ids = ended.proxy.ids()
    assert collector.rejected([ids[2]]) == {ids.pop(2): sdk.bad}
    assert numbers(collector, ids) == list(ids)


@each_sdk
def test_a_wrong_key_is_refused_once(runs: Runs, sdk: Sdk) -> None:
    ended = runs[sdk.name, "wrong key"].result()
    assert ended.answers == ({} if sdk.wrong_key is None else {number: [sdk.wrong_key] for number in range(6)})
    assert ended.told.get("errors") != []  # where it has a word for its user, it says so


@each_sdk
def test_events_of_a_source_that_is_off_are_refused_once(runs: Runs, sdk: Sdk) -> None:
    ended = runs[sdk.name, "source off"].result()
    assert ended.answers == ({} if sdk.off is None else {number: [sdk.off] for number in range(6)})


@each_sdk
def test_what_the_collector_had_no_room_for_comes_again_and_is_there_once(
    collector: Collecting, runs: Runs, sdk: Sdk
) -> None:
    ended = runs[sdk.name, "overload"].result()
    told = final(ended.answers)
    ids = ended.proxy.ids()
    ids.pop(2)
    statuses = [exchange.status for exchange in ended.proxy.seen if exchange.ticks]
    if sdk.after_503:
        assert told == {200}
        assert statuses.count(503) == 2
        assert numbers(collector, ids) == list(ids)
    else:
        assert 503 in told  # it has no second try, but then it tells its caller, if it knows
        assert all(len(answer) == 1 for answer in ended.answers.values())
        assert sdk.query or ended.told["errors"]


@each_sdk
def test_what_was_stored_though_its_answer_was_lost_is_there_once(collector: Collecting, runs: Runs, sdk: Sdk) -> None:
    ended = runs[sdk.name, "lost answer"].result()
    assert final(ended.answers) - {200} == (set() if sdk.after_cut else {0})
    assert sum(exchange.status == 0 for exchange in ended.proxy.seen) == 1
    ids = ended.proxy.ids()
    ids.pop(2)
    assert numbers(collector, ids) == list(ids)  # whether it was sent again or not


@each_sdk
def test_what_is_too_large_is_refused_once_and_takes_nothing_else_with_it(
    collector: Collecting, runs: Runs, sdk: Sdk
) -> None:
    ended = runs[sdk.name, "oversize"].result()
    assert ended.answers == {number: [status] for number, status in sdk.oversize().items()}
    ids = ended.proxy.ids()
    if sdk.large_event == 200 and sdk.too_large:
        assert collector.rejected([ids[1]]) == {ids[1]: "too_large"}
    fitting = [0, 1, 2, 4] if sdk.large_event == 200 and not sdk.too_large else [0, 2, 4]
    assert numbers(collector, {number: ids[number] for number in fitting}) == fitting


@pytest.fixture(scope="module")
def restarted(
    browser: Chromium | None, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Collecting, Mapping[str, Run]]]:
    """A collector that was killed while all SDKs were sending, and started again when each had met with that."""
    chosen = {item.name for item in request.session.items}
    sdks = [sdk for sdk in SDKS if can_run(sdk) and any(f"[{sdk.name}]" in name for name in chosen)]
    data = tmp_path_factory.mktemp("restarted")
    senders: dict[str, Script | Page] = {}
    with ExitStack() as stack:
        proxies = {sdk.name: stack.enter_context(Proxy(None)) for sdk in sdks}
        for kill in range(KILLS):
            with collecting(data) as running:
                lead(proxies, running)
                for sdk in sdks if not senders else ():
                    sender = start(sdk, proxies[sdk.name], running.key, "slow", browser)
                    senders[sdk.name] = stack.enter_context(closing(sender))
                assert missing(proxies, 200) == []
                seen = so_far(proxies)
                running.kill()
                lead(proxies, None)
            unmet = missing(proxies, 502, seen, 10.0 if kill else PATIENCE)
            assert unmet == [] or kill  # each meets the first; a long one costs minutes
        with collecting(data) as last:
            lead(proxies, last)
            assert missing(proxies, 200) == []
            for sender in senders.values():
                sender.enough()
            yield last, {sdk.name: finish(senders[sdk.name], proxies[sdk.name], gives_up=not sdk.after_503) for sdk in sdks}


def lead(proxies: Mapping[str, Proxy], collector: Collecting | None) -> None:
    for proxy in proxies.values():
        proxy.upstream = None if collector is None else collector.url


def so_far(proxies: Mapping[str, Proxy]) -> Mapping[str, int]:
    """How many requests each has made."""
    return {name: len(proxy.seen) for name, proxy in proxies.items()}


def missing(
    proxies: Mapping[str, Proxy], status: int, seen: Mapping[str, int] | None = None, patience: float = PATIENCE
) -> list[str]:
    """Who does not come to be answered so, since it had ``seen`` so many answers, or from now on: nobody."""
    since = so_far(proxies) if seen is None else seen

    def waiting() -> list[str]:
        return [name for name, proxy in proxies.items() if not any(met(each, status) for each in proxy.seen[since[name] :])]

    until(lambda: not waiting(), patience)
    return waiting()


def met(exchange: Exchange, status: int) -> bool:
    """A browser may ask first whether it may send: whom the collector does not tell so has met with its end."""
    return exchange.status == status and (status == 502 or bool(exchange.ticks))


@each_sdk
def test_events_sent_while_the_collector_is_killed_and_started_again_are_there_once(
    restarted: tuple[Collecting, Mapping[str, Run]], sdk: Sdk
) -> None:
    collector, ended = restarted[0], restarted[1][sdk.name]
    answers, ids = ended.answers, ended.proxy.ids()
    told = final(answers)
    assert sorted(answers) == list(range(ended.made))
    assert told == ({200} if sdk.after_503 else {200, 502})
    acknowledged = {number: ids[number] for number, answer in answers.items() if answer[-1] == 200}
    assert numbers(collector, acknowledged) == list(acknowledged)

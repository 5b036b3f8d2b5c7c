"""After an undo every table and ad-hoc answer is that of never having merged; after its undo, that of having merged."""

import os
import random
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from funnels.adhoc import funnel
from funnels.definitions.load import DEFAULTS, load
from funnels.request import parse
from ingest.lake import Lake
from tests.funnels.world import LATER, built, stored
from tests.transforms.test_undo import Pair, claim
from tests.transforms.world import Row, at, call
from transforms.manifest import Manifest
from transforms.undo import Hand, redo, undo

HISTORIES = int(os.environ.get("JCURVE_TEST_UNDO_HISTORIES", "6"))
DEFINITIONS = load(DEFAULTS)
TABLES = (
    "actors",
    "memberships",
    "sole_memberships",
    "sessions",
    "people",
    "account_people",
    "accounts",
    "stages",
    "invites",
    "person_days",
    "runaway_ids",
)
QUESTION = parse(
    {
        "steps": [{"event": "Signed Up"}, {"event": "Project Created"}, {"event": "Task Completed"}],
        "from": "2026-01-01",
        "to": "2026-11-01",
        "window": "30d",
    }
)
EVENTS = ("Signed Up", "Project Created", "Task Completed", "Subscription Started")


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Few ids, much happening to them, in a lake where half of it came later."""
    users, devices = st.sampled_from(["1", "2", "3", "4"]), st.sampled_from(["a", "b", "c"])
    rows: list[Row] = []
    for number in range(draw(st.integers(12, 40))):
        kind = draw(st.sampled_from(["identify", "alias", "group", "track", "track"]))
        user = draw(users if kind in ("alias", "identify") else st.one_of(users, st.none()))
        device = draw(devices) if user is None or kind == "identify" else None
        column = {"alias": "previous_id", "group": "account_id"}.get(kind)
        more: Row = {column: draw(users)} if column else {}
        name = draw(st.sampled_from(EVENTS)) if kind == "track" else None
        time = at(minutes=draw(st.integers(0, 30)))
        traits = {"email": f"{number}@x.example"} if kind == "identify" else {}
        rows.append(call(f"e{number:02d}", time, kind=kind, event=name, user=user, anonymous=device, traits=traits, **more))
    return rows


def never(rows: list[Row], pair: Pair) -> list[Row]:
    """The same events, none of which makes this link."""
    return [row | {"previous_id": None} | cut(row) if claim(row) == pair else row for row in rows]


def cut(row: Row) -> Row:
    return {"anonymous_id": None} if row["kind"] == "identify" else {}


def answers(lake: Lake, manifest: Manifest) -> dict[str, object]:
    """What every table holds and an ad-hoc funnel tells."""
    tables = {name: sorted(map(str, stored(lake, manifest, name).to_pylist())) for name in TABLES}
    return {**tables, "funnel": asked(lake, manifest)}


def asked(lake: Lake, manifest: Manifest) -> object:
    answer = funnel(lake, "default", QUESTION, complete_until=LATER, manifest=manifest)
    return answer["steps"]


@settings(max_examples=HISTORIES, deadline=None, phases=(Phase.generate,))
@given(histories(), st.randoms(use_true_random=False))
def test_undo_is_never_having_merged_and_its_undo_is_having_merged(rows: list[Row], chance: random.Random) -> None:
    pairs = sorted({pair for row in rows if (pair := claim(row))})
    if not pairs:
        return
    pair = chance.choice(pairs)
    link = min((row["time"], row["event_id"]) for row in rows if claim(row) == pair)[1]
    with TemporaryDirectory() as folder:
        other, manifest = built(Path(folder) / "never", never(rows, pair), DEFINITIONS)
        expected = answers(other, manifest)
        chance.shuffle(rows)
        half = len(rows) // 2
        built(Path(folder), rows[:half], DEFINITIONS)
        lake, manifest = built(Path(folder), rows[half:], DEFINITIONS, batch=2)
        merged = answers(lake, manifest)

        undo(lake, "default", str(link), Hand("ada", "test", at(40)))
        assert asked(lake, manifest) == expected["funnel"]
        assert answers(*built(Path(folder), [], DEFINITIONS)) == expected

        redo(lake, "default", str(link), Hand("ada", "test", at(41)))
        assert asked(lake, manifest) == merged["funnel"]
        assert answers(*built(Path(folder), [], DEFINITIONS)) == merged

"""A write key is public: numbers that nobody can hold may stand in any event, and must not stop an answer for all."""

from pathlib import Path
from typing import Any

from tests.api.world import World

ODD = ("1e999", "-1e999", "9" * 400, "9" * 5_000, "1" * 30, "0.5e-400")
EVENT = (
    '{"type":"%s","event":"Signed Up","userId":"u%d","messageId":"%s%d","timestamp":"2026-02-01T00:00:0%dZ","%s":{"n":%s}}'
)


def batch() -> bytes:
    calls = [("track", "properties"), ("identify", "traits")]
    events = [EVENT % (kind, at, kind, at, at, where, odd) for kind, where in calls for at, odd in enumerate((*ODD, "7"))]
    return f'{{"batch":[{",".join(events)}]}}'.encode()


def test_endless_numbers_stop_no_answer(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.put(batch())
    world.build()
    question: dict[str, Any] = {
        "steps": [{"event": "Signed Up"}, {"event": "Signed Up"}],
        "from": "2026-02-01",
        "to": "2026-03-01",
        "window": "1d",
    }
    by = {"breakdown": {"by": ["properties.n"]}}
    more = [{"event": "Signed Up", "where": [{"property": "properties.n", "op": "gt", "value": 5}]}]
    with world.client() as client:
        for at in range(len(ODD)):
            answer = client.get(f"/api/people/user:u{at}")
            assert answer.status_code == 200, answer.text
            assert [item["event"] for item in answer.json()["events"]["items"]] == ["$identify", "Signed Up"]
        assert client.get("/api/people/user:u0").json()["traits"] == {"n": None}
        assert client.get("/api/catalogue").status_code == 200
        for asked in (question, question | by, question | {"steps": more}, question | by | {"steps": more}):
            answer = client.post("/api/funnel", json=asked)
            assert answer.status_code == 200, answer.text
        drivers = client.post("/api/funnel/drivers", json=question)
        assert drivers.status_code == 200, drivers.text

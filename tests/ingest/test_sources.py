"""What the door does with the keys of a source that is off, and with keys of which nobody can say whose they are."""

import json
import os
from pathlib import Path

import pytest

from ingest.keys import KeyFile, hash_of
from tests.ingest.asgi import Door, basic
from tests.ingest.test_keys import Clock, publish

EVENT = {"event": "Signed Up", "userId": "u1"}


@pytest.mark.parametrize(
    ("path", "body", "status", "said"),
    [
        ("/v1/track", EVENT, 401, b"The source of this write key is disabled"),
        ("/v1/batch", {"batch": [EVENT | {"type": "track", "channel": "web"}]}, 404, b"source is disabled\n"),
        ("/2/httpapi", {"api_key": "jw_off", "events": [{}]}, 400, b'"Invalid API key: the source is disabled"'),
        ("/batch", {"api_key": "jw_off", "batch": [{"event": "a"}]}, 401, b"The source of this write key is disabled"),
        ("/i/v1/analytics/events", {"batch": []}, 401, b'"source_disabled"'),
        ("/track", [{"event": "a", "properties": {"token": "jw_off"}}], 401, b"The source of this write key is disabled"),
        ("/com.acme/tp2", {"data": [{"e": "pv", "aid": "jw_off"}]}, 401, b"The source of this write key is disabled"),
    ],
)
def test_a_source_that_is_off_is_answered_so_that_its_sdk_does_not_send_again(
    path: str, body: object, status: int, said: bytes
) -> None:
    door = Door()
    reply = door.post(path, body, "jw_off")
    assert (reply.status, door.log.records) == (status, [])
    assert said in reply.body


def test_an_unreadable_body_of_a_source_that_is_off_is_not_kept() -> None:
    door = Door()
    assert door.post("/v1/batch", b"{", "jw_off").status == 401
    assert door.log.records == []


def test_rudderstacks_configuration_says_that_the_source_is_off() -> None:
    for key, enabled in (("jw_web", True), ("jw_off", False)):
        reply = Door().send("GET", "/sourceConfig/", headers={"authorization": basic(f"{key}:")})
        assert reply.json["source"]["enabled"] is enabled


def test_a_key_in_doubt_is_answered_503_and_nothing_is_stored() -> None:
    door = Door()
    door.keys.doubted = "keys.json cannot be read"
    for body in (EVENT, b"{"):
        reply = door.post("/v1/track", body, "jw_new")
        assert (reply.status, reply.headers["retry-after"]) == (503, "5")
    assert door.send("POST", "/v1/track", json.dumps(EVENT | {"writeKey": "jw_new"}).encode()).status == 503
    assert door.send("POST", "/v1/track", b'{"writeKey": "jw_new", ').status == 503
    assert door.log.records == []


def test_a_known_key_is_taken_whatever_is_in_doubt() -> None:
    door = Door()
    door.keys.doubted = "keys.json cannot be read"
    assert door.post("/v1/track", EVENT).status == 200
    assert door.post("/v1/track", EVENT | {"writeKey": "jw_web"}, "jw_new").status == 200
    assert len(door.log.records) == 2


def test_a_request_without_a_key_is_in_no_doubt() -> None:
    door = Door()
    door.keys.doubted = "keys.json cannot be read"
    assert door.post("/v1/track", EVENT, None).status == 401


def test_a_browser_gets_its_settings_while_its_key_is_in_doubt() -> None:
    door = Door()
    assert door.send("GET", "/v1/projects/jw_new/settings").status == 401
    door.keys.doubted = "keys.json cannot be read"
    assert door.send("GET", "/v1/projects/jw_new/settings").status == 200


def test_an_unknown_key_is_refused_where_the_file_can_be_read(tmp_path: Path) -> None:
    publish(tmp_path / "keys.json", jw_one="default")
    keys = KeyFile(tmp_path / "keys.json")
    assert keys("jw_two") is None and keys.doubt("jw_two") is None


def test_an_unknown_key_is_in_doubt_while_the_file_is_missing_or_broken(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    keys = KeyFile(path)
    assert keys("jw_one") is None and "cannot be read" in (keys.doubt("jw_one") or "")
    publish(path, jw_one="default")
    assert keys("jw_one") is not None and keys("jw_two") is None and keys.doubt("jw_two") is None
    path.write_text("{")
    assert keys("jw_one") is not None
    assert keys("jw_two") is None and "is broken" in (keys.doubt("jw_two") or "")


def test_where_hosts_share_a_store_an_unknown_key_is_in_doubt_until_the_store_was_asked_after_it_came(
    tmp_path: Path,
) -> None:
    path, wall = tmp_path / "keys.json", Clock()
    publish(path, jw_one="default")
    os.utime(path, (99, 99))
    keys = KeyFile(path, Clock(), wall_clock=wall, shared=True)
    assert keys("jw_two") is None and keys.doubt("jw_two") is not None
    wall.now = 120
    assert keys("jw_two") is None and keys.doubt("jw_two") is not None  # the store did not answer meanwhile
    os.utime(path, (101, 101))
    assert keys("jw_two") is None and keys.doubt("jw_two") is None
    assert keys.doubt("jw_three") is not None
    publish(path, jw_one="default", jw_three="default")
    assert keys("jw_three") is not None


def test_a_key_ends_at_its_moment_and_is_in_no_doubt_then(tmp_path: Path) -> None:
    entry = {"hash": hash_of("jw_one"), "project": "default", "source": "web", "kind": "write", "until": 110}
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry]}))
    wall = Clock()
    keys = KeyFile(tmp_path / "keys.json", wall_clock=wall, shared=True)
    assert keys("jw_one") is not None
    wall.now = 110
    assert keys("jw_one") is None and keys.doubt("jw_one") is None

"""The published file of key hashes."""

import json
import os
from pathlib import Path

from ingest.keys import Key, KeyFile, hash_of


def publish(path: Path, **projects: str) -> None:
    keys = [
        {"hash": hash_of(key), "project": project, "source": "web", "kind": "write"} for key, project in projects.items()
    ]
    fresh = path.with_suffix(".new")
    fresh.write_text(json.dumps({"keys": keys}))
    fresh.replace(path)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_key_is_known_by_its_hash(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    publish(path, jw_one="default")
    assert "jw_one" not in path.read_text()
    keys = KeyFile(path)
    assert keys("jw_one") == keys("jw_one") == Key("default", "web", "write")
    assert keys("jw_two") is None and keys("") is None and keys("\ud800") is None
    assert keys.healthy() is None


def test_a_new_key_is_known_at_once(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    publish(path, jw_one="default")
    keys = KeyFile(path, Clock())
    publish(path, jw_two="default")
    os.utime(path, ns=(1, 1))
    assert keys("jw_two") == Key("default", "web", "write")


def test_a_revoked_key_is_gone_within_a_second(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", Clock()
    publish(path, jw_one="default")
    keys = KeyFile(path, clock)
    assert keys("jw_one") is not None
    publish(path)
    os.utime(path, ns=(1, 1))
    clock.now += 0.9
    assert keys("jw_one") is not None
    clock.now += 0.2
    assert keys("jw_one") is None


def test_a_missing_file_is_a_reason_not_to_be_ready_until_it_comes(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", Clock()
    keys = KeyFile(path, clock)
    assert keys("jw_one") is None
    assert "keys.json cannot be read" in (keys.healthy() or "")
    publish(path, jw_one="default")
    clock.now += 1
    assert keys.healthy() is None and keys("jw_one") is not None


def test_a_file_that_breaks_or_vanishes_leaves_the_keys_in_force(tmp_path: Path) -> None:
    path, clock = tmp_path / "keys.json", Clock()
    publish(path, jw_one="default")
    keys = KeyFile(path, clock)
    path.write_text("{")
    clock.now += 1
    assert keys("jw_one") is not None and keys.healthy() is None
    path.unlink()
    clock.now += 1
    assert keys("jw_one") is not None and keys.healthy() is None


def test_a_broken_file_at_the_start_is_named(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text('{"keys": [{"hash": 1}]}')
    assert "is broken" in (KeyFile(path).healthy() or "")

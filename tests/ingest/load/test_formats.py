"""Exports of other tools, in their documented formats: ids, times and who is who are kept."""

from __future__ import annotations

import gzip
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ingest.load import CannotImport
from ingest.load.detect import detect
from tests.ingest.load.world import bring, events, flush, rejected, seen, written
from tests.ingest.world import batch, write_log

WHEN = datetime(2025, 3, 1, 10, 0, 0, 123000, UTC)


def test_segment_calls_give_what_the_same_calls_over_http_give(tmp_path: Path) -> None:
    context = {"page": {"url": "https://x.io/?utm_source=news"}, "library": {"name": "py", "version": "1"}, "ip": "::1"}
    calls: list[dict[str, object]] = [
        {
            "type": "track",
            "event": "A",
            "userId": 42,
            "messageId": "1",
            "properties": {"é": "\U0001f600"},
            "context": context,
        },
        {"type": "identify", "userId": "u", "anonymousId": "a", "messageId": "2", "traits": {"email": "x@y.z"}},
        {"type": "group", "userId": "u", "groupId": "acme", "messageId": "3", "traits": {"name": "Acme"}},
        {"type": "page", "anonymousId": "a", "name": "Home", "messageId": "4", "properties": {"url": "https://x.io/a"}},
        {"type": "alias", "userId": "u", "previousId": "v", "messageId": "5"},
        {"type": "screen", "anonymousId": "a", "messageId": "6", "context": {"groupId": "acme"}},
        {"type": "track", "userId": "u", "messageId": "7"},
        {"type": "track", "event": "B", "messageId": "8"},
        {"type": "dance", "userId": "u", "messageId": "9"},
    ]
    timed = [call | {"timestamp": f"2025-03-0{n}T10:00:00.5Z"} for n, call in enumerate(calls, 1)]
    write_log(tmp_path / "http" / "log", [batch(*timed, source="import")]).release()
    flush(tmp_path / "http")
    report = bring(tmp_path / "file", written(tmp_path / "a.jsonl", *timed))
    assert (report.taken, sum(report.refused.values())) == (6, 3)

    def bare(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        where = {"received_at", "log", "log_offset"}
        return [{name: value for name, value in row.items() if name not in where} for row in rows]

    found, expected = bare(events(tmp_path / "file")), bare(events(tmp_path / "http"))
    assert found == expected
    reasons = [(row["reason"], row["event_id"]) for row in rejected(tmp_path / "http")]
    assert [(row["reason"], row["event_id"]) for row in rejected(tmp_path / "file")] == reasons


def test_an_archived_segment_call_keeps_its_corrected_time(tmp_path: Path) -> None:
    call = {"type": "track", "event": "A", "userId": "u", "timestamp": "2025-03-01T10:00:00.123Z",
            "originalTimestamp": "2025-03-01T08:00:00Z", "sentAt": "2025-03-01T08:00:01Z"}  # fmt: skip
    path = tmp_path / "archive.gz"
    path.write_bytes(gzip.compress(json.dumps(call).encode() + b"\n"))
    bring(tmp_path, path)
    assert seen(tmp_path, "time") == [(WHEN,)]


def posthog(uuid: str, event: str, sender: str, time: str = "10:00:00.123", **properties: object) -> dict[str, object]:
    return {"uuid": uuid, "event": event, "distinct_id": sender, "properties": properties, "team_id": 1,
            "timestamp": f"2025-03-01T{time}+00:00", "created_at": "2025-03-01T11:00:00+00:00"}  # fmt: skip


POSTHOG = (
    posthog("1", "$pageview", "d1", **{"$device_id": "d1", "$current_url": "https://x.io/a", "$os": "Linux"}),
    posthog("2", "$identify", "u1", "10:00:01", **{"$device_id": "d1", "$anon_distinct_id": "d1", "$set": {"plan": "pro"}}),
    posthog("3", "Paid", "u1", "10:00:02", **{"$device_id": "d1", "$groups": {"company": "acme"}, "amount": 3}),
    posthog("4", "$create_alias", "u1", "10:00:03", alias="u0"),
    posthog("5", "$groupidentify", "$company_acme", "10:00:04",
            **{"$group_type": "company", "$group_key": "acme", "$group_set": {"name": "Acme"}}),
    posthog("6", "", "u1", "10:00:05"),
)  # fmt: skip
FROM_POSTHOG = [
    ("1", "page", "$page", None, "d1", None, None),
    ("2", "identify", "$identify", "u1", "d1", None, None),
    ("3", "track", "Paid", "u1", "d1", None, "acme"),
    ("4", "alias", "$alias", "u1", None, "u0", None),
    ("5", "group", "$group", None, "$company_acme", None, "acme"),
]
WHO = ("event_id", "kind", "event", "user_id", "anonymous_id", "previous_id", "account_id")


def test_posthog_s_json_lines(tmp_path: Path) -> None:
    report = bring(tmp_path, written(tmp_path / "events.jsonl", *POSTHOG))
    assert seen(tmp_path, *WHO) == FROM_POSTHOG
    assert (report.files[0].format, report.refused) == ("posthog", {"missing_event": 1})
    first, second = events(tmp_path)[:2]
    assert (first["time"], first["page_url"], first["os"]) == (WHEN, "https://x.io/a", "Linux")
    assert second["properties"] == '{"plan":"pro"}'


def test_posthog_s_parquet_with_properties_as_text(tmp_path: Path) -> None:
    rows = [row | {"properties": json.dumps(row["properties"]), "timestamp": datetime.fromisoformat(str(row["timestamp"]))}
            for row in POSTHOG]  # fmt: skip
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "events.parquet")
    report = bring(tmp_path, tmp_path / "events.parquet")
    assert seen(tmp_path, *WHO) == FROM_POSTHOG
    assert (report.files[0].format, events(tmp_path)[0]["time"]) == ("posthog", WHEN)


def mixpanel(name: str, time: float, **properties: object) -> dict[str, object]:
    return {
        "event": name,
        "properties": {"time": time, **{key.replace("S_", "$"): value for key, value in properties.items()}},
    }


AT = 1_740_823_200  # 2025-03-01 10:00 UTC


def test_mixpanel_s_raw_export(tmp_path: Path) -> None:
    path = written(
        tmp_path / "export.jsonl",
        mixpanel("Viewed", AT, distinct_id="$device:d1", S_device_id="d1", S_insert_id="1", mp_country_code="DE"),
        mixpanel("Paid", AT + 1, distinct_id="u1", S_device_id="d1", S_user_id="u1", S_insert_id="2"),
        mixpanel("Paid", AT + 9, distinct_id="u1", S_device_id="d1", S_user_id="u1", S_insert_id="3"),
        mixpanel("Server", AT + 10, distinct_id="u2", S_insert_id="4"),
        mixpanel("$identify", AT + 11, distinct_id="u3", S_identified_id="u3", S_anon_id="d3", S_insert_id="5"),
        mixpanel("$create_alias", AT + 12, distinct_id="u3", alias="u3-old", S_insert_id="6"),
        mixpanel("$merge", AT + 13, S_distinct_ids=["$device:d4", "u4"], S_insert_id="7"),
        mixpanel("Nobody", AT + 14, S_insert_id="8"),
    )
    report = bring(tmp_path, path)
    found = seen(tmp_path, *WHO[:-1])
    [pair] = [row for row in found if str(row[0]).startswith("pair-")]
    assert pair[1:] == ("identify", "$identify", "u1", "d1", None)
    assert [row for row in found if row != pair] == [
        ("1", "track", "Viewed", None, "d1", None),
        ("2", "track", "Paid", "u1", "d1", None),
        ("3", "track", "Paid", "u1", "d1", None),
        ("4", "track", "Server", "u2", None, None),
        ("5", "identify", "$identify", "u3", "d3", None),
        ("6", "alias", "$alias", "u3", None, "u3-old"),
        ("7", "identify", "$identify", "u4", "d4", None),
    ]
    assert events(tmp_path)[0]["time"] == datetime(2025, 3, 1, 10, tzinfo=UTC) and events(tmp_path)[0]["country"] == "DE"
    assert (report.rows, report.made, report.taken, report.refused) == (8, 1, 8, {"missing_identity": 1})
    again = bring(tmp_path, path)
    assert (again.taken, again.duplicates, again.reconciled) == (0, 8, True)


def test_mixpanel_s_times_in_the_project_s_zone(tmp_path: Path) -> None:
    path = written(tmp_path / "export.jsonl", mixpanel("A", AT, distinct_id="u", S_insert_id="1"))
    bring(tmp_path, path, zone="US/Pacific")
    assert seen(tmp_path, "time") == [(datetime(2025, 3, 1, 18, tzinfo=UTC),)]


def test_amplitude_s_zipped_export(tmp_path: Path) -> None:
    def row(name: str, second: int, **more: object) -> dict[str, object]:
        time = f"2025-03-01 10:00:{second:02d}.123000"
        return {"event_type": name, "event_time": time, "device_id": "d1", "user_id": None, "uuid": f"uuid-{second}", **more}

    first = [row("Viewed", 0, **{"$insert_id": "i0"}), row("Paid", 1, user_id="u1", groups={"company": ["acme"]})]
    second = [
        row("$identify", 2, user_id="u1", user_properties={"plan": "pro"}),
        row("$groupidentify", 3, user_id="u1", groups={"company": ["acme"]}, group_properties={"name": "Acme"}),
    ]
    path = tmp_path / "export.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number, rows in enumerate((first, second)):
            packed = gzip.compress("".join(f"{json.dumps(each)}\n" for each in rows).encode())
            archive.writestr(f"123/123_2025-03-01_{number}#0.json.gz", packed)
    report = bring(tmp_path, path)
    found = seen(tmp_path, *WHO)
    assert [row for row in found if not str(row[0]).startswith("pair-")] == [
        ("i0", "track", "Viewed", None, "d1", None, None),
        ("uuid-1", "track", "Paid", "u1", "d1", None, "acme"),
        ("uuid-2", "identify", "$identify", "u1", "d1", None, None),
        ("uuid-3", "group", "$group", "u1", "d1", None, "acme"),
    ]
    assert events(tmp_path)[0]["time"] == WHEN
    assert (report.files[0].format, report.rows, report.made, report.taken) == ("amplitude", 4, 1, 5)


def test_amplitude_s_merged_ids_are_read_with_the_events_that_say_who_they_are(tmp_path: Path) -> None:
    def row(number: int, amplitude_id: int, device: str, user: str | None = None) -> dict[str, object]:
        return {"event_type": "A", "event_time": f"2025-03-01 10:00:{number:02d}", "device_id": device, "user_id": user,
                "amplitude_id": amplitude_id, "uuid": f"e{number}"}  # fmt: skip

    def merge(gone: int, heir: int, time: object = 1_740_830_400_000) -> dict[str, object]:
        return {"scope": 1, "merge_time": time, "merge_server_time": 1, "amplitude_id": gone, "merged_amplitude_id": heir}

    rows = [row(0, 1, "d1"), row(1, 2, "d2", "u2"), row(2, 3, "d3"), row(3, 4, "d4", "u4"), row(4, 5, "d5"),
            row(5, 5, "d5b"), row(6, 7, "d7"), row(7, 8, "d8")]  # fmt: skip
    merges = [
        merge(1, 2),
        merge(3, 1),
        merge(4, 2),
        merge(5, 2),
        merge(7, 8),
        merge(9, 2),
        merge(1, 2),
        merge(1, 2, "never"),
    ]
    files = [written(tmp_path / "events.json", *rows), written(tmp_path / "merged.json", *merges)]
    report = bring(tmp_path, *files)
    found = [(kind, *who) for kind, *who in seen(tmp_path, "kind", "user_id", "anonymous_id", "previous_id", "time")
             if kind != "track"]  # fmt: skip
    noon = datetime(2025, 3, 1, 12, tzinfo=UTC)
    assert sorted(found, key=str) == [
        ("alias", "u2", None, "u4", noon),
        ("identify", "u2", "d1", None, noon),
        ("identify", "u2", "d2", None, datetime(2025, 3, 1, 10, 0, 1, tzinfo=UTC)),  # came on one event
        ("identify", "u2", "d3", None, noon),  # merged into one that was merged
        ("identify", "u2", "d5", None, noon),
        ("identify", "u2", "d5b", None, noon),
        ("identify", "u4", "d4", None, datetime(2025, 3, 1, 10, 0, 3, tzinfo=UTC)),
    ]
    assert (report.rows, report.made, report.links, report.taken, report.duplicates) == (16, 3, 5, 15, 1)
    assert report.refused == {"missing_identity": 2, "missing_time": 1} and report.reconciled
    assert sorted(str(row["detail"]) for row in rejected(tmp_path))[0].startswith("line 5: the Amplitude ids of a merge")
    again = bring(tmp_path, *files)
    assert (again.taken, again.duplicates, again.refused_before, again.reconciled) == (0, 16, 3, True)


def test_posthog_s_person_ids_join_what_no_event_of_the_export_does(tmp_path: Path) -> None:
    def row(number: int, sender: str, person: str, event: str = "A", **properties: object) -> dict[str, object]:
        return posthog(str(number), event, sender, f"10:00:{number:02d}", **properties) | {"person_id": person}

    rows = [
        row(0, "d1", "p1", **{"$device_id": "d1"}),
        row(1, "u1", "p1", **{"$device_id": "d9"}),  # whose device this is, PostHog does not say
        row(2, "u1-old", "p1"),
        row(3, "d2", "p2", **{"$device_id": "d2"}),
        row(4, "u2", "p2", "$identify", **{"$anon_distinct_id": "d2"}),
        row(5, "d3", "p3", **{"$device_id": "d3"}),
    ]
    report = bring(tmp_path, written(tmp_path / "events.jsonl", *rows))
    found = [who for kind, *who in seen(tmp_path, "kind", "user_id", "anonymous_id", "previous_id") if kind != "track"]
    assert found == [["u1", "d1", None], ["u1", None, "u1-old"], ["u2", "d2", None]]
    assert (report.made, report.links, report.taken, report.reconciled) == (2, 1, 8, True)


def test_mixpanel_s_ids_are_those_that_were_sent(tmp_path: Path) -> None:
    """The export writes today's id of the person as distinct_id."""
    path = written(
        tmp_path / "export.jsonl",
        mixpanel("A", AT, distinct_id="u1", S_distinct_id_before_identity="$device:d1", S_device_id="d1", S_insert_id="1"),
        mixpanel("B", AT + 1, distinct_id="u1", S_device_id="d1", S_user_id="u1", S_insert_id="2"),
        mixpanel("C", AT + 2, distinct_id="d2", S_distinct_id_before_identity="u2", S_device_id="d2", S_user_id="u2",
                 S_insert_id="3"),
        mixpanel("$create_alias", AT + 3, distinct_id="x", S_distinct_id_before_identity="u2", alias="u2b", S_insert_id="4"),
    )  # fmt: skip
    report = bring(tmp_path, path)
    found = [row for row in seen(tmp_path, "event", "user_id", "anonymous_id", "previous_id", "time") if row[0] != "$alias"]
    first, *others = [row for row in found if row[0] != "$identify"]
    assert first[1:4] == (None, "d1", None)
    assert [row[1:3] for row in others] == [("u1", "d1"), ("u2", "d2")]
    assert [row[1:3] for row in found if row[0] == "$identify"] == [("u1", "d1"), ("u2", "d2")]
    assert (report.links, report.made) == (1, 2)


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ('[{"type": "track"}]', "one object a line"),
        ('{"name": "x"}\n', "JSON lines with the fields name"),
        ("name,age\nx,1\n", "CSV with the columns age, name"),
        ("", "nothing"),
    ],
)
def test_what_is_no_known_format_is_said_with_what_was_found(tmp_path: Path, content: str, found: str) -> None:
    path = tmp_path / "x"
    path.write_text(content)
    with pytest.raises(CannotImport, match=found):
        detect(path, None)
    with pytest.raises(CannotImport):
        bring(tmp_path, path)
    assert list((tmp_path / "import").iterdir()) == []


def test_posthog_s_persons_are_read_with_the_events_that_show_what_kind_of_id_each_is(tmp_path: Path) -> None:
    def person(sender: str, person: str, version: int = 0, **properties: object) -> dict[str, object]:
        row = {"team_id": 1, "distinct_id": sender, "person_id": person, "properties": properties, "is_deleted": False}
        versions = {"person_version": version, "person_distinct_id_version": 0}
        return row | versions | {"created_at": "2025-02-01T00:00:00+00:00"}

    events_ = [
        posthog("1", "A", "d1", "10:00:01", **{"$device_id": "d1"}),
        posthog("2", "A", "u1", "10:00:02"),
        posthog("3", "A", "u2", "10:00:03"),
        posthog("4", "A", "d2", "10:00:04", **{"$device_id": "d2"}),
        posthog("5", "A", "d3", "10:00:05", **{"$device_id": "d3"}),
        posthog("6", "A", "u1", "10:00:06"),
    ]
    persons = [
        person("u1", "p1", 2, plan="pro"),
        person("u1", "p1", 1, plan="free"),
        person("u2", "p1", 2, plan="pro"),
        person("d1", "p1", 2, plan="pro"),
        person("d2", "p2", 1, seen="once"),
        person("d3", "p2", 1, seen="once"),
        person("nowhere", "p1", 1),
        person("u9", "p9", 1) | {"is_deleted": True},
        person("", "p1"),
    ]
    as_text = [row | {"properties": json.dumps(row["properties"])} for row in persons]
    pq.write_table(pa.Table.from_pylist(as_text), tmp_path / "persons.parquet")
    files = [written(tmp_path / "events.jsonl", *events_), tmp_path / "persons.parquet"]
    report = bring(tmp_path, *files)
    found = [row[1:] for row in seen(tmp_path, "kind", "time", *WHO[3:6], "properties") if row[0] != "track"]

    def at(second: int, micros: int = 0) -> datetime:
        return datetime(2025, 3, 1, 10, 0, second, micros, UTC)

    assert found == [
        (at(2), "u1", "d1", None, "{}"),
        (at(3), "u1", None, "u2", "{}"),
        (at(5), None, "d2", None, '{"seen":"once"}'),
        (at(6), "u1", None, None, '{"plan":"free"}'),
        (at(6, 1), "u1", None, None, '{"plan":"pro"}'),
    ]
    assert [each.format for each in report.files] == ["posthog", "posthog"]
    assert (report.rows, report.made, report.links, report.taken) == (15, 0, 2, 11)
    assert (report.refused, report.reconciled) == ({"missing_identity": 4}, True)
    assert sorted(str(row["detail"]).partition(": ")[2][:25] for row in rejected(tmp_path)) == [
        "a device of a person who ",
        "an event names its sender",
        "this person was deleted i",
        "what kind of id this is, ",
    ]
    again = bring(tmp_path, *files)
    assert (again.taken, again.duplicates, again.refused_before, again.reconciled) == (0, 11, 4, True)


def test_posthog_s_persons_alone_are_refused_with_what_to_do(tmp_path: Path) -> None:
    path = written(tmp_path / "persons.jsonl", {"distinct_id": "u1", "person_id": "p1", "properties": {"plan": "pro"}})
    report = bring(tmp_path, path)
    assert (report.taken, report.refused, report.reconciled) == (0, {"missing_identity": 1}, True)
    [row] = rejected(tmp_path)
    assert str(row["detail"]).endswith("import the persons together with the events export")


def test_what_any_event_of_posthog_sets_on_its_person_becomes_a_call_beside_it(tmp_path: Path) -> None:
    both: dict[str, object] = {"$set": {"plan": "pro"}, "$set_once": {"plan": "free", "n": 1}}
    rows = [
        posthog("1", "Paid", "u1", "10:00:01", **{"$device_id": "d1"}, **both),
        posthog("2", "$pageview", "d1", "10:00:02", **{"$device_id": "d1", "$unset": ["plan"]}),
        posthog("3", "Seen", "u1", "10:00:03", **{"$set": {"plan": "no"}, "$process_person_profile": False}),
        posthog("4", "Seen", "u1", "10:00:04", **{"$set": {}}),
        posthog("5", "", "u1", "10:00:05", **{"$set": {"plan": "no"}}),
    ]
    path = written(tmp_path / "events.jsonl", *rows)
    report = bring(tmp_path, path)
    described = [
        row for row in seen(tmp_path, "event_id", "kind", "user_id", "anonymous_id", "properties") if row[1] == "identify"
    ]
    assert described == [
        ("1:set", "identify", "u1", None, '{"plan":"pro","$set_once":{"plan":"free","n":1}}'),
        ("2:set", "identify", None, "d1", '{"plan":null}'),
    ]
    assert (report.rows, report.described, report.taken, report.refused) == (5, 2, 6, {"missing_event": 1})
    again = bring(tmp_path, path)
    assert (again.taken, again.duplicates, again.reconciled) == (0, 6, True)

"""The commands as they are typed."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from api.app import lake_of
from api.cli import COMMANDS, main
from tests.api.processes import jcurve
from tests.api.world import World, track
from transforms.manifest import current


def test_a_new_key_stands_alone_on_standard_output_and_works_with_no_server(tmp_path: Path) -> None:
    done = jcurve("keys", "create", "write", "--source", "website", data=tmp_path / "data")
    assert done.stdout.startswith("jw_") and len(done.stdout.strip()) == 35 and done.stdout.count("\n") == 1
    assert done.stderr == f"a new data folder: {tmp_path / 'data'}\n"
    assert jcurve("keys", "create", "write", data=tmp_path / "data").stderr == ""
    listed = jcurve("keys", "list", data=tmp_path / "data").stdout.split()
    assert listed[:4] == ["1", "write", "website", f"jw_..{done.stdout.strip()[-3:]}"]
    assert jcurve("keys", "revoke", done.stdout.strip(), data=tmp_path / "data").stdout == ""
    assert "revoked" in jcurve("keys", "list", data=tmp_path / "data").stdout


MISTYPED = (("status",), ("keys", "list"), ("keys", "revoke", "1"), ("projects", "list"), ("build",), ("tidy",),
            ("projects", "set", "default", "--retention-days", "1"), ("identity", "links", "a"),
            ("identity", "undo", "a", "--why", "b"), ("forget", "a", "--why", "b"), ("forget", "--list"))  # fmt: skip


@pytest.mark.parametrize("command", MISTYPED, ids=" ".join)
def test_a_mistyped_folder_is_said_and_not_made(tmp_path: Path, command: tuple[str, ...]) -> None:
    folder = tmp_path / "tpyo"
    done = CliRunner().invoke(main, [*command, "--data", str(folder)])
    assert (done.exit_code, done.output) == (
        1,
        f"Error: there is no data folder at {folder}; name the one that jcurve up serves with --data DIR,"
        f" or begin one: jcurve up --data {folder}\n",
    )
    assert list(tmp_path.iterdir()) == []


def test_projects_are_made_and_listed_with_zone_and_currency(tmp_path: Path) -> None:
    jcurve("projects", "create", "acme", "--zone", "Asia/Tokyo", "--currency", "JPY", data=tmp_path)
    lines = jcurve("projects", "list", data=tmp_path).stdout.splitlines()
    kept = ["events", "kept", "for", "ever"]
    assert [line.split() for line in lines] == [["acme", "Asia/Tokyo", "JPY", *kept], ["default", "UTC", "USD", *kept]]


def test_a_project_is_told_how_long_to_keep_its_events(tmp_path: Path) -> None:
    jcurve("keys", "create", "write", data=tmp_path)
    told = jcurve("projects", "set", "default", "--retention-days", "400", data=tmp_path).stdout
    assert told == "Project default: events are kept for 400 days from their time.\n"
    assert jcurve("projects", "list", data=tmp_path).stdout.rstrip().endswith("events kept for 400 days")
    told = jcurve("projects", "set", "default", "--retention-days", "0", data=tmp_path).stdout
    assert told == "Project default: events are kept for ever.\n"
    told = jcurve("projects", "set", "default", "--retention-days", "999999999", data=tmp_path, expect=1).stderr
    assert "send 1 to 99999, or 0 to keep all" in told


def test_what_a_command_cannot_do_ends_with_a_status_and_what_to_do(tmp_path: Path) -> None:
    unknown = jcurve("keys", "create", "read", "--project", "nowhere", data=tmp_path, expect=1)
    assert "there is no project 'nowhere'. Known: default" in unknown.stderr
    assert "Invalid value for '{write|read|admin}'" in jcurve("keys", "create", "root", data=tmp_path, expect=2).stderr
    (tmp_path / "file").write_text("")
    for command, status in ((("up",), 2), (("keys", "list"), 1), (("status",), 1)):
        told = jcurve(*command, data=tmp_path / "file", expect=status).stderr
        assert told.startswith("Error: ") and "choose another with --data DIR" in told
    assert "No such option" in jcurve("up", "--prot", "1", data=tmp_path, expect=2).stderr


def test_wrong_settings_are_all_named_before_anything_happens(tmp_path: Path) -> None:
    done = jcurve("up", "--port", "http", data=tmp_path / "data", expect=2, JCURVE_QUEUE="much", JCURVE_HOTS="x")
    assert done.stderr.splitlines() == [
        "Error: wrong settings",
        "  JCURVE_HOTS: unknown variable; did you mean JCURVE_HOST?",
        "  --port: found 'http', allowed: a port from 0 to 65535",
        "  JCURVE_QUEUE: found 'much', allowed: a size such as 512 KiB, 32 MiB or 2 GiB",
    ]
    assert not (tmp_path / "data").exists()


def test_a_build_makes_the_tables_and_records_its_run(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "1", "2026-02-01T00:00:00Z"))
    done = jcurve("build", data=world.settings.data)
    assert done.stdout.startswith("Built project default: ") and "  stages       version " in done.stdout
    status = json.loads(jcurve("status", "--json", data=world.settings.data).stdout)
    assert [(run["job"], run["status"], run["error"]) for run in status["runs"]] == [("build", "ok", None)]
    assert status["outcomes"] == {"accepted": 1}


def test_building_twice_changes_nothing(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "1", "2026-02-01T00:00:00Z"))
    first, second = (jcurve("build", data=world.settings.data).stdout.splitlines() for _ in range(2))
    assert first[1:] == second[1:]
    assert "unchanged" in second[0]


def test_a_faulty_definition_builds_nothing_and_leaves_the_last_good_tables(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "1", "2026-02-01T00:00:00Z"))
    world.build()
    stages = world.settings.definitions_folder / "stages.toml"
    stages.write_text(stages.read_text().replace("Signed Up", "Singed Up"))
    done = jcurve("build", data=world.settings.data, expect=2)
    assert "the last good tables stay in place" in done.stderr
    assert "stages.toml" in done.stderr and "Singed Up" in done.stderr and "Signed Up" in done.stderr
    manifest = current(lake_of(world.settings), "default")
    assert manifest is not None and manifest.number == 1


def test_tidy_gathers_small_files_and_tells_how_many_there_are(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    world.send(track("Signed Up", "1", "2026-02-01T00:00:00Z"))
    told = jcurve("tidy", data=world.settings.data).stdout.splitlines()
    assert told[0].startswith("Tidied project default: 0 rows written again")
    assert told[1].split() == ["events", "1", "files"]


def test_a_build_of_an_unknown_project_is_refused(tmp_path: Path) -> None:
    jcurve("keys", "create", "read", data=tmp_path)
    assert "there is no project 'acme'" in jcurve("build", "--project", "acme", data=tmp_path, expect=1).stderr


def test_a_link_is_told_undone_and_done_again(tmp_path: Path) -> None:
    world = World.at(tmp_path)
    when = "2026-02-01T00:00:00Z"
    world.send({"type": "identify", "userId": "7", "anonymousId": "dev", "messageId": "i", "timestamp": when})
    data = world.settings.data
    link = "i  anonymous:dev -> user:7  2026-02-01 00:00:00"
    assert jcurve("identity", "links", "dev", data=data).stdout == f"{link}  in force\n"
    assert "no longer belongs to user:7" in jcurve("identity", "undo", "i", "--why", "a kiosk", data=data).stdout
    told = jcurve("identity", "links", "user:7", data=data).stdout.splitlines()
    assert told[0] == f"{link}  undone" and ": a kiosk  (" in told[1]
    assert "undone already" in jcurve("identity", "undo", "i", "--why", "again", data=data, expect=1).stderr
    assert "anonymous:dev belongs to user:7" in jcurve("identity", "redo", "i", "--why", "his own", data=data).stdout
    assert jcurve("identity", "links", "7", data=data).stdout.splitlines()[0] == f"{link}  in force"


def test_the_status_is_a_table_for_people(tmp_path: Path) -> None:
    jcurve("keys", "create", "write", data=tmp_path / "data")
    told = jcurve("status", data=tmp_path / "data").stdout
    assert "tables       no build yet: run jcurve build" in told
    assert "received     0, 0 of them in the last hour" in told


@pytest.mark.parametrize("command", list(COMMANDS))
def test_every_command_has_help_and_takes_a_data_folder_and_a_project(tmp_path: Path, command: str) -> None:
    words = {
        "keys": ["keys", "create"],
        "identity": ["identity", "links"],
        "projects": ["projects", "list"],
        "rejected": ["rejected", "list"],
        "sources": ["sources", "list"],
    }.get(command, [command])
    told = jcurve(*words, "--help", data=tmp_path).stdout
    assert "--data" in told
    assert "--project" in told

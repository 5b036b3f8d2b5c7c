"""One table of settings: where a value comes from, and how wrong ones are told."""

from pathlib import Path

import pytest

from api.settings import Settings, WrongSettings, decoded, load, markdown, table
from api.values import Size


def test_without_anything_the_defaults_of_the_table_hold() -> None:
    assert load({}, environment={}) == Settings()
    assert (Settings().port, Settings().data, Settings().max_body) == (8123, Path("jcurve-data"), 512_000)


def test_flags_win_over_the_environment_and_this_over_the_file(tmp_path: Path) -> None:
    (tmp_path / "jcurve.toml").write_text('host = "10.0.0.1"\nport = 1001\nqueries = 7\ntrust_proxy = true\n')
    settings = load({"data": str(tmp_path), "port": "1003"}, environment={"JCURVE_PORT": "1002", "JCURVE_QUERIES": "8"})
    assert (settings.host, settings.port, settings.queries, settings.trust_proxy) == ("10.0.0.1", 1003, 8, True)


def test_a_file_of_its_own_may_name_the_data_folder(tmp_path: Path) -> None:
    file = tmp_path / "elsewhere.toml"
    file.write_text('data = "/srv/jcurve"\nmax_event = "1.5 KiB"\n')
    assert load({}, file, {}).data == Path("/srv/jcurve")
    assert load({}, file, {}).max_event == 1536


def test_every_fault_is_named_at_once(tmp_path: Path) -> None:
    (tmp_path / "jcurve.toml").write_text('queris = 4\nlow_disk = "much"\npublic_url = "events.example.com"\n')
    environment = {"JCURVE_PROT": "1", "JCURVE_SEGMENT_SECONDS": "0", "JCURVE_NIGHTLY_BUILD": "61 * * * *", "HOME": "/root"}
    with pytest.raises(WrongSettings) as caught:
        load({"data": str(tmp_path), "port": "http"}, environment=environment)
    file = tmp_path / "jcurve.toml"
    assert sorted(fault.split(" (")[0] for fault in caught.value.faults) == sorted(
        [
            "JCURVE_PROT: unknown variable; did you mean JCURVE_PORT?",
            f"{file}: unknown key 'queris'; did you mean queries?",
            "--port: found 'http', allowed: a port from 0 to 65535",
            f"{file}: public_url: found 'events.example.com', allowed: a URL such as https://events.example.com",
            "JCURVE_SEGMENT_SECONDS: found '0', allowed: seconds from 0.05 to 3600",
            f"{file}: low_disk: found 'much', allowed: a size such as 512 KiB, 32 MiB or 2 GiB",
            "JCURVE_NIGHTLY_BUILD: found '61 * * * *', allowed: five fields such as '7 * * * *', or 'off'",
        ]
    )


def test_a_file_that_is_no_toml_is_a_fault_with_its_place(tmp_path: Path) -> None:
    (tmp_path / "jcurve.toml").write_text("port 8123\n")
    with pytest.raises(WrongSettings, match="line 1, column 6"):
        load({"data": str(tmp_path)}, environment={})
    with pytest.raises(WrongSettings, match="there is no file"):
        load({}, tmp_path / "nowhere.toml", {})


def test_an_empty_variable_counts_as_not_set_and_the_tests_own_are_left_alone() -> None:
    assert load({}, environment={"JCURVE_PORT": "", "JCURVE_TEST_LONG": "1"}) == Settings()


def test_settings_reach_a_child_process_as_they_are() -> None:
    settings = Settings(data=Path("/srv/x"), port=1, trust_proxy=True, segment_seconds=0.2, low_disk=Size.of("3 GiB"))
    assert decoded(settings.encoded()) == settings


def test_the_table_documents_every_setting() -> None:
    rows = {row.name: row for row in table()}
    assert rows["max_event"].default == "32 KiB"
    assert (rows["max_event"].flag, rows["max_event"].variable) == ("--max-event", "JCURVE_MAX_EVENT")
    assert "| `port` | `--port` | `JCURVE_PORT` | `8123` | Port to listen on; 0 takes a free one. |" in markdown()
    assert all(row.help.endswith(".") for row in rows.values())


@pytest.mark.parametrize(("text", "size"), [("0", 0), ("512 KiB", 524288), ("1.5GB", 1_500_000_000), ("7 b", 7)])
def test_sizes_are_read_with_their_unit(text: str, size: int) -> None:
    assert Size.of(text) == size


def test_sizes_are_written_as_they_are_read() -> None:
    assert [str(Size(n)) for n in (0, 1, 1024, 33554432, 1 << 31)] == ["0 B", "1 B", "1 KiB", "32 MiB", "2 GiB"]

"""``jcurve demo`` as a newcomer runs it: from the HTTP door to the answers, beside the truth that the generator planted."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from api.demo import folder, show
from api.demo.compare import Figure, Row, Section
from api.demo.page import Page
from api.locks import InUse
from api.settings import Settings
from api.up import Supervisor
from ingest.demo import Size
from tests.patience import PATIENCE, eventually

SMALL = ["--people", "250", "--accounts", "40", "--days", "60"]


@contextmanager
def _demo(*arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "api.cli", "demo", *SMALL, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()


def _read_until(process: subprocess.Popen[str], line: str) -> str:
    assert process.stdout is not None
    told = ""
    while not told.endswith(line + "\n"):
        read = process.stdout.readline()
        assert read, told
        told += read
    return told


def test_all_planted_numbers_come_out_and_the_demo_ends_with_status_0(tmp_path: Path) -> None:
    with _demo("--exit", "--port", "0", "--data", str(tmp_path / "demo")) as process:
        told, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, told
    assert "✗" not in told
    assert "All planted numbers came out." in told
    titles = [
        "People: registration to paid",
        "Accounts: registration to paid",
        "Viral coefficient",
        "North star",
        "What came in",
    ]
    assert [title for title in titles if title not in told] == []
    assert "cycle time, median days" in told


def test_it_takes_a_free_port_serves_until_ctrl_c_and_makes_its_folder_anew(tmp_path: Path) -> None:
    data = tmp_path / "demo"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with _demo("--port", str(port), "--data", str(data)) as process:
            told = _read_until(process, "Serving until Ctrl-C.")
            dashboard = re.search(r"(http://127\.0\.0\.1:(\d+))/#key=(jr_\w+)", told)
            assert dashboard, told
            address, key = dashboard[1], dashboard[3]
            assert int(dashboard[2]) != port
            assert httpx.get(address, timeout=PATIENCE).status_code == 200
            headers = {"Authorization": f"Bearer {key}"}
            funnels = httpx.get(f"{address}/api/funnels", headers=headers, timeout=PATIENCE)
            assert funnels.json()["items"][0]["name"] == "plg"
            with pytest.raises(InUse):
                folder.fresh(data)
            process.send_signal(signal.SIGINT)
            rest = process.communicate(timeout=PATIENCE)[0]
        assert process.returncode == 0, rest
        with pytest.raises(httpx.ConnectError):
            httpx.get(address)
    folder.fresh(data)
    assert not (data / "lake").exists()


def test_ctrl_c_while_it_sends_ends_it_with_status_2(tmp_path: Path) -> None:
    lake = tmp_path / "demo" / "lake"
    with _demo("--port", "0", "--data", str(tmp_path / "demo"), "--people", "4000") as process:
        _read_until(process, "Waiting for the server")
        eventually(lambda: any(lake.rglob("*.parquet")), "it sends")
        process.send_signal(signal.SIGINT)
        told = process.communicate(timeout=PATIENCE)[0]
    assert process.returncode == 2
    assert "the demo cannot be shown: it was stopped" in told


def test_a_server_that_was_told_to_stop_has_not_failed_however_long_it_drains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> bool:
        raise httpx.ConnectError("its door is closed")

    monkeypatch.setattr(show, "_show_all", refused)
    settings = Settings(data=tmp_path)
    settings.folder.create()
    demo = show.Demo(settings, Size(), datetime(2026, 3, 1, tzinfo=UTC), False, Page())
    supervisor = Supervisor(settings, (), ())
    with pytest.raises(show.DemoFailed, match="the server does not answer: its door is closed"):
        show._show(demo, show.Stand(settings, "http://127.0.0.1:1", {}), supervisor)
    supervisor._stop()
    with pytest.raises(show.DemoFailed, match="it was stopped"):
        show._show(demo, show.Stand(settings, "http://127.0.0.1:1", {}), supervisor)


def test_a_folder_that_no_demo_made_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("mine")
    with pytest.raises(folder.NotOurs, match="was not made by a demo"):
        folder.fresh(tmp_path)
    assert (tmp_path / "precious").read_text() == "mine"


def test_one_wrong_figure_makes_a_section_wrong() -> None:
    def section(found: float | None) -> Section:
        return Section("K", ("value",), (Row("K", (Figure(0.25, 0.25), Figure(0.5, found))),))

    assert section(0.5).is_right
    assert not section(0.51).is_right
    assert not section(None).is_right
    assert Figure(None, None).is_right

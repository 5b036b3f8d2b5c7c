"""``jcurve up`` for real: an event's way through all processes, crashes, and the end."""

import os
import signal
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

from api import locks, roles
from api.settings import Settings
from api.store import Kind
from tests.api.processes import COMMAND, ENVIRONMENT, Running, alive, jcurve, up
from tests.api.world import World, track
from tests.patience import PATIENCE, eventually


def key(data: Path, kind: Kind, project: str = "default") -> str:
    return World(Settings(data=data)).key(kind, project)


def accepted(running: Running, read: str) -> int:
    found: dict[str, int] = running.get("/api/status", read).json()["outcomes"]
    return found.get("accepted", 0)


def in_lake(running: Running, read: str, count: int) -> Callable[[], bool]:
    return lambda: accepted(running, read) == count


def test_events_go_from_the_door_to_the_funnel_and_projects_never_meet(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write, read = key(data, "write"), key(data, "read")
    jcurve("projects", "create", "acme", "--zone", "Europe/Berlin", data=data)
    theirs, their_read = key(data, "write", "acme"), key(data, "read", "acme")
    with up(data) as running:
        batch = [track("Signed Up", str(n), "2026-02-01T00:00:00Z") for n in range(3)]
        assert running.post("/v1/batch", {"batch": batch}, write).json() == {"success": True}
        assert running.post("/v1/batch", {"batch": batch[:1]}, theirs).status_code == 200
        assert running.post("/v1/track", {"event": "X", "userId": "1"}, "jw_wrong").status_code == 401
        assert running.post("/v1/track", {"event": "X", "userId": "1"}, read).status_code == 401
        eventually(in_lake(running, read, 3), "the lake has the events")
        built = jcurve("build", data=data)
        assert built.stdout.startswith("Built project default: ")
        jcurve("build", "--project", "acme", data=data)
        assert running.get("/api/funnels/plg", read).json()["steps"][0]["reached"] == 3
        assert running.get("/api/funnels/plg", their_read).json()["steps"][0]["reached"] == 1
        assert running.get("/api/project", their_read).json()["zone"] == "Europe/Berlin"
        assert running.get("/").headers["content-type"].startswith("text/html")
        assert running.get("/docs").status_code == 200
        assert ["accepted", "3"] in [line.split() for line in jcurve("status", data=data).stdout.splitlines()]
        assert running.stop() == 0


def test_a_door_that_was_killed_comes_back_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write, read = key(data, "write"), key(data, "read")
    with up(data) as running:
        for n in range(4):
            door = running.children()["door"]
            assert (
                running.post("/v1/batch", {"batch": [track("A", str(n), "2026-02-01T00:00:00Z")]}, write).status_code == 200
            )
            os.kill(door, signal.SIGKILL)
            eventually(lambda gone=door: running.children().get("door", gone) != gone, "the door is started again")  # type: ignore[misc]
        eventually(in_lake(running, read, 4), "the lake has what every door acknowledged")


def test_a_query_service_that_is_away_costs_no_event(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write, read = key(data, "write"), key(data, "read")
    with up(data) as running:
        serve = running.children()["serve"]
        os.kill(serve, signal.SIGSTOP)
        try:
            with socket.create_connection(("127.0.0.1", int(running.url.rpartition(":")[2]))) as waiting:
                waiting.sendall(f"GET /api/status HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {read}\r\n\r\n".encode())
                sent = running.post("/v1/track", {"event": "A", "userId": "1"}, write)
            assert sent.status_code == 200
        finally:
            os.kill(serve, signal.SIGCONT)
        running.process.send_signal(signal.SIGSTOP)  # or it would start another one before anybody asks
        try:
            os.kill(serve, signal.SIGKILL)
            eventually(lambda: not alive(serve), "it is gone")
            answer = running.get("/api/status", read)
            assert running.get("/ready").status_code == 200
        finally:
            running.process.send_signal(signal.SIGCONT)
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert answer.headers["retry-after"] == "2"
        eventually(lambda: running.get("/api/status", read).status_code == 200, "the query service comes back")


def test_sigterm_drains_the_log_and_leaves_no_process(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write = key(data, "write")
    with up(data, "--segment-seconds", "3600") as running:
        children = running.children()
        assert sorted(children) == ["door", "flush", "serve", "work"]
        assert running.post("/v1/track", {"event": "A", "userId": "1"}, write).status_code == 200
        assert running.stop() == 0
        assert not any(alive(pid) for pid in children.values())
    assert list((data / "log").rglob("*.segment")) == []
    assert ["accepted", "1"] in [line.split() for line in jcurve("status", data=data).stdout.splitlines()]


def test_what_came_in_reaches_the_lake_at_the_end_though_the_flush_has_just_crashed(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write = key(data, "write")
    with up(data, "--segment-seconds", "3600", command="collect") as running:
        assert running.post("/v1/track", {"event": "A", "userId": "1"}, write).status_code == 200
        os.kill(running.children()["flush"], signal.SIGKILL)  # it would be started again after a pause
        assert running.stop() == 0
    assert list((data / "log").rglob("*.segment")) == []
    assert ["accepted", "1"] in [line.split() for line in jcurve("status", data=data).stdout.splitlines()]


def test_children_end_when_the_supervisor_is_killed_and_another_one_takes_over(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as running:
        children = running.children()
        running.process.kill()
        running.process.wait(PATIENCE)
        with up(data) as second:
            eventually(lambda: not any(alive(pid) for pid in children.values()), "those of the first end")
            assert second.get("/ready").status_code == 200


def test_who_takes_over_waits_as_long_as_the_children_of_a_killed_supervisor_may_drain() -> None:
    assert locks.PATIENCE > roles.GRACE


def test_one_data_folder_has_one_server(tmp_path: Path) -> None:
    data = tmp_path / "data"
    with up(data) as running:
        refused = jcurve("up", "--port", "0", data=data, expect=2)  # a word on standard output would mean that it is ready
        assert f"is served by process {running.process.pid} already" in refused.stderr
        assert jcurve("collect", "--port", "0", data=data, expect=2).stdout == ""


def test_a_port_that_is_taken_is_told_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = jcurve("up", "--port", str(port), data=tmp_path / "data", expect=2)
    assert f"cannot listen on 127.0.0.1:{port}: Address already in use; choose another with --port" in refused.stderr
    assert not (tmp_path / "data" / "store.sqlite").exists()


def test_a_faulty_definition_keeps_the_server_from_starting(tmp_path: Path) -> None:
    data = tmp_path / "data"
    (data / "definitions").mkdir(parents=True)
    (data / "definitions" / "own.toml").write_text('[funnels.plg]\ntitle = "PLG"\nstepz = ["registered"]\n')
    refused = jcurve("up", "--port", "0", data=data, expect=2)
    assert refused.stdout == ""
    assert "own.toml" in refused.stderr and "stepz" in refused.stderr and "steps" in refused.stderr


def test_a_collector_stands_alone_and_knows_no_other_pages(tmp_path: Path) -> None:
    data = tmp_path / "data"
    write = key(data, "write")
    with up(data, command="collect") as running:
        assert sorted(running.children()) == ["door", "flush"]
        assert running.post("/v1/track", {"event": "A", "userId": "1"}, write).status_code == 200
        assert running.get("/ready").status_code == 200
        assert running.get("/api/status").status_code == 404


def test_the_query_service_stands_alone(tmp_path: Path) -> None:
    data = tmp_path / "data"
    read = key(data, "read")
    with up(data, command="serve") as running:
        assert running.get("/api/project", read).json()["project"] == "default"
        told = [(answer.status_code, answer.json()) for answer in map(running.get, ("/health", "/ready"))]
        assert told == [(200, {"status": "alive"}), (200, {"status": "ready"})]


def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    line = [*COMMAND, "up", "--data", str(tmp_path / "data"), "--port", "0"]
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True, env=ENVIRONMENT) as process:
        assert process.stdout is not None and process.stdout.readline()
        children = Running(process, "", tmp_path).children()
        os.kill(children["flush"], signal.SIGSTOP)  # so that the first signal alone would wait for it
        process.terminate()
        eventually(lambda: not alive(children["door"]), "the door ends first")
        process.terminate()
        process.wait(PATIENCE)
        eventually(lambda: not any(alive(pid) for pid in children.values()), "nothing is left")


def test_idle_processes_stay_small(tmp_path: Path) -> None:
    with up(tmp_path / "data") as running:
        sizes = {role: memory(pid) for role, pid in running.children().items()} | {"up": memory(running.process.pid)}
    assert sizes["door"] < 150e6, sizes
    assert sum(sizes.values()) < 900e6, sizes


def memory(pid: int) -> int:
    """Its proportional share of memory (PSS) in bytes: pages shared with others count in part."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))

"""A real PostgreSQL for tests: a server of its own on loopback, gone with its folder."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from tests.patience import PATIENCE, eventually
from tests.ports import free_port

_USER = "jcurve"


@dataclass(frozen=True)
class PostgreSQL:
    port: int

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://{_USER}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """The URL of an empty database."""
        name = f"store_{uuid.uuid4().hex}"
        engine = sa.create_engine(self.url("postgres"), isolation_level="AUTOCOMMIT")
        with engine.connect() as admin:
            admin.execute(sa.text(f"create database {name}"))
        engine.dispose()
        return self.url(name)


def programs() -> Path | None:
    """The folder of the server's programs; Debian keeps them off the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def running() -> Iterator[PostgreSQL]:
    """The server refuses to run as root: then it is its package's user."""
    folder, home = programs(), Path(tempfile.mkdtemp(prefix="jcurve-postgresql-"))
    assert folder is not None
    user = "postgres" if os.getuid() == 0 else None
    if user:
        shutil.chown(home, user)
    port = free_port()
    made = [
        str(folder / "initdb"),
        "-D",
        str(home / "data"),
        "-U",
        _USER,
        "--auth=trust",
        "--no-sync",
        "--locale=C",
        "--encoding=UTF8",
    ]
    options = ["-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={home}", "-c", "fsync=off"]
    server = [str(folder / "postgres"), "-D", str(home / "data"), "-p", str(port), *options]
    try:
        subprocess.run(made, check=True, capture_output=True, user=user, cwd=home)
        with (home / "told").open("wb") as told, subprocess.Popen(
            server, stdout=told, stderr=told, user=user, cwd=home
        ) as process:  # fmt: skip
            try:
                _wait(PostgreSQL(port))
                yield PostgreSQL(port)
            finally:
                process.terminate()
                process.wait(PATIENCE)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(server: PostgreSQL) -> None:
    engine = sa.create_engine(server.url("postgres"))

    def answers() -> bool:
        try:
            engine.connect().close()
        except sa.exc.OperationalError:
            return False
        return True

    eventually(answers, "PostgreSQL answers")
    engine.dispose()

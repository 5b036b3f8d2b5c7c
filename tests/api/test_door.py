"""What the door's process may import."""

import subprocess
import sys


def test_the_door_imports_nothing_heavy() -> None:
    code = "import sys, api.roles, api.door; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    heavy = {"pyarrow", "duckdb", "polars", "numpy", "numba", "fastapi", "starlette", "pydantic", "sqlalchemy", "deltalake"}
    assert heavy & set(loaded) == set()


def test_the_command_line_answers_without_loading_the_libraries() -> None:
    code = "import sys, api.cli, api.commands.keys, api.commands.up; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {"pyarrow", "duckdb", "fastapi", "sqlalchemy", "numba", "uvicorn", "httpx"} & set(loaded) == set()

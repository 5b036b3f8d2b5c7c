"""Any outside reader can read the lake: the README's lines for DuckDB, Polars and Spark, run as they stand there."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from ingest.actor import actor_id
from ingest.event import EVENTS
from ingest.lake import Lake

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

README = Path(__file__).parents[2] / "README.md"


def event(event_id: str, time: datetime) -> dict[str, object]:
    return dict.fromkeys(EVENTS.names) | {
        "event_id": event_id,
        "kind": "track",
        "event": "Signed Up",
        "time": time,
        "received_at": time,
        "user_id": "42",
        "actor_id": actor_id("user", "42"),
        "source": "web",
        "bot": False,
        "properties": "{}",
        "context": "{}",
        "log": "a",
        "log_offset": 0,
        "month": f"{time:%Y-%m}",
    }


@pytest.fixture
def table(tmp_path: Path) -> str:
    """The path of an events table of two months, written in two commits."""
    lake = Lake(str(tmp_path / "lake"))
    for number, time in enumerate([datetime(2026, 1, 31, 23, tzinfo=UTC), datetime(2026, 2, 1, 1, tzinfo=UTC)]):
        rows = pa.Table.from_pylist([event(f"e{number}", time)], EVENTS)
        lake.append("default", "events", rows, writer="log:test", batch=number, partition="month")
    return lake.uri("default", "events")


def readme_lines(engine: str, table: str) -> str:
    """The README's code block for an engine, with its example path replaced by a real one."""
    blocks = re.findall(r"```python\n(# " + engine + r"\n.*?)```", README.read_text(), re.DOTALL)
    assert len(blocks) == 1, f"README.md should show one block that begins with '# {engine}'"
    assert "jcurve-data/default/lake/default/events" in blocks[0]
    return str(blocks[0]).replace("jcurve-data/default/lake/default/events", table)


@pytest.mark.parametrize("engine", ["DuckDB", "Polars"])
def test_the_readmes_lines_read_the_lake(engine: str, table: str, capsys: pytest.CaptureFixture[str]) -> None:
    exec(readme_lines(engine, table), {})
    printed = capsys.readouterr().out
    assert "Signed Up" in printed
    assert re.search(r"\b2\b", printed), printed


@pytest.mark.filterwarnings("default")
def test_the_readmes_lines_for_spark_read_the_lake(
    spark: SparkSession, table: str, capsys: pytest.CaptureFixture[str]
) -> None:
    exec(readme_lines("Spark", table), {"spark": spark})
    printed = capsys.readouterr().out
    assert "Signed Up" in printed
    assert re.search(r"\b2\b", printed), printed

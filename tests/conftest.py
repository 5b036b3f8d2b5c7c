"""Options of the whole suite, and the one Spark that all tests share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, settings

from tests.spark import missing, session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--no-skips", action="store_true", help="a skipped test fails the run")
    parser.addoption("--new-examples", action="store_true", help="properties try examples that differ from run to run")


def pytest_configure(config: pytest.Config) -> None:
    """Two runs of the same tree try the same: what fails in one fails in the other, on a machine of whatever speed."""
    unhurried = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.register_profile("new", unhurried)
    settings.register_profile("same", unhurried, derandomize=True)
    settings.load_profile("new" if config.getoption("--new-examples") else "same")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are counted, not shown: gzip writes the second into its own, and all workers must find the same names."""
    return argname if isinstance(val, bytes) and (len(val) > 40 or not val.isascii()) else None


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if session.config.getoption("--no-skips") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """Skips where pyspark, Java or the Delta connector is not there."""
    if reason := missing():
        pytest.skip(reason)
    started = session()
    yield started
    started.stop()

"""The one browser that all pages of these tests are opened in."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e import driver
from tests.e2e.driver import Chromium


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    with driver.chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser

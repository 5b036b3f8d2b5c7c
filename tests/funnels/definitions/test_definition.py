"""The version of the definitions: it follows what can change a number, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from funnels.definitions.load import DEFAULTS, copy_defaults, load


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    copy_defaults(tmp_path)
    return tmp_path


def rewrite(folder: Path, file: str, old: str, new: str) -> str:
    path = folder / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return load(folder).version


def test_the_version_is_eight_hex_digits_and_stable() -> None:
    assert load(DEFAULTS).version == load(DEFAULTS).version
    assert len(load(DEFAULTS).version) == 8
    assert int(load(DEFAULTS).version, 16) >= 0


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stages.toml", "times = 3", "times = 4"),
        ("stages.toml", 'within = "7d"', 'within = "8d"'),
        ("stages.toml", "people = 3", "people = 4"),
        ("stages.toml", "account.members = 1", "account.members = 2"),
        ("funnels.toml", '"90d"', '"60d"'),
        ("north_star.toml", "times = 5", "times = 6"),
        ("virality.toml", '"30d"', '"31d"'),
    ],
)
def test_what_changes_a_number_changes_the_version(folder: Path, file: str, old: str, new: str) -> None:
    assert rewrite(folder, file, old, new) != load(DEFAULTS).version


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("stages.toml", 'title = "PQL"', 'title = "Product-qualified"'),
        ("stages.toml", 'label = "usage"', 'label = "heavy use"'),
        ("stages.toml", 'within = "7d"', 'within = "1w"'),
        ("vocabulary.toml", "A person opened a login", "Someone opened a login"),
        ("funnels.toml", "# Funnels", "# Our funnels"),
    ],
)
def test_what_only_reads_differently_keeps_the_version(folder: Path, file: str, old: str, new: str) -> None:
    assert rewrite(folder, file, old, new) == load(DEFAULTS).version


def test_the_order_of_the_files_does_not_matter(folder: Path) -> None:
    (folder / "stages.toml").rename(folder / "zz.toml")
    assert load(folder).version == load(DEFAULTS).version

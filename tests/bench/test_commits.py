"""The bench of commits runs, and its table stays small: its curve over 50,000 is for ``make bench-commits``."""

from pathlib import Path

from tests.bench.commits import curve


def test_files_stay_few_over_many_commits(tmp_path: Path) -> None:
    *_, last = curve(tmp_path, 250, points=2)
    assert last.files < 40  # without tidy, some 450

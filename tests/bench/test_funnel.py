"""The bench of funnels in small: ours and ClickHouse count the same people, and every line has its figure."""

from __future__ import annotations

from pathlib import Path

from tests.bench.funnel import QUESTIONS, figures, prepare


def test_every_question_is_asked_of_both_and_both_count_the_same(tmp_path: Path) -> None:
    prepare(tmp_path, 20_000)
    found = list(figures(tmp_path, 20_000, rounds=1))
    counts = [figure for figure in found if figure.what.startswith("… counts")]
    assert [figure.found for figure in counts] == ["yes"] * len(QUESTIONS)
    assert len([figure for figure in found if "against ClickHouse" in figure.what]) == 3 * len(QUESTIONS)
    assert len([figure for figure in found if "peak memory" in figure.what]) == 3

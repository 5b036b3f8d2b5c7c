"""What tidy rewrites follows from the files alone."""

from collections.abc import Sequence
from datetime import timedelta

from tests.transforms.world import at
from transforms.layout import File, Merge, Rules, plan

RULES = Rules(gather=4, fan_in=3)
MARCH, APRIL = "2026-03", "2026-04"
IN_MARCH, IN_APRIL = at(10), at(31)


def hot(number: int, *, month: str = MARCH, rows: int = 10, days: float = 9.9) -> File:
    return File(f"month={month}/part-{number}.parquet", month, rows, at(days))


def part(name: str, number: int = 0, *, rows: int, days: float = 9.9) -> File:
    return File(f"month={MARCH}/{name}-{number:04d}.parquet", MARCH, rows, at(days))


def names(merges: Sequence[Merge]) -> list[tuple[list[str], bool]]:
    return [([file.path.split("/")[1].removesuffix(".parquet") for file in one.files], one.settles) for one in merges]


def test_nothing_is_done_about_nothing_or_a_single_file() -> None:
    assert plan([], RULES, IN_MARCH) == []
    assert plan([hot(1)], RULES, at(90)) == []


def test_many_hot_files_of_a_month_are_gathered_and_few_are_left() -> None:
    assert plan([hot(n) for n in range(3)], RULES, IN_MARCH) == []
    assert plan([*(hot(n) for n in range(3)), hot(3, month=APRIL)], RULES, IN_MARCH) == []
    [merge] = plan([hot(n) for n in range(4)], RULES, IN_MARCH)
    assert len(merge.files) == 4


def test_few_hot_files_are_gathered_when_they_stand_long() -> None:
    files = [hot(1, days=9), hot(2, days=9.99)]
    assert plan(files, RULES, at(9) + RULES.aged - timedelta(seconds=1)) == []
    assert len(plan(files, RULES, at(9) + RULES.aged)) == 1


def test_no_more_files_than_one_can_read_are_gathered_the_oldest_first() -> None:
    files = [hot(n, days=9 - n / 1000) for n in range(5)]
    [(paths, _)] = names(plan(files, Rules(gather=4, most_files=4), at(9)))
    assert paths == ["part-4", "part-3", "part-2", "part-1"]


def test_runs_of_one_tier_are_merged_and_those_of_others_left() -> None:
    small = [part(f"run-{n:x}", rows=200) for n in range(3)]
    large = [part(f"run-a{n:x}", rows=50_000) for n in range(2)]
    assert names(plan([*small, *large], RULES, IN_MARCH)) == [(["run-0-0000", "run-1-0000", "run-2-0000"], False)]
    assert plan([*small[:2], *large], RULES, IN_MARCH) == []


def test_a_run_counts_once_however_many_files_it_has() -> None:
    parts = [part("run-a", n, rows=30_000) for n in range(4)]
    assert plan([*parts, part("run-b", rows=100_000)], RULES, IN_MARCH) == []


def test_a_month_is_settled_when_it_is_closed_and_quiet() -> None:
    files = [part("run-a", rows=50_000, days=29), hot(1, days=29.9)]
    assert plan(files, RULES, IN_APRIL - timedelta(days=2)) == []
    assert names(plan(files, RULES, IN_APRIL)) == [(["run-a-0000", "part-1"], True)]
    assert not any(merge.settles for merge in plan([*files, hot(2, days=30.99)], RULES, IN_APRIL))


def test_a_settled_month_is_settled_again_when_a_quarter_came_late() -> None:
    settled = part("settled-a", rows=1_000, days=29)
    assert plan([settled, hot(1, rows=249, days=29)], RULES, IN_APRIL) == []
    assert [merge.settles for merge in plan([settled, hot(1, rows=250, days=29)], RULES, IN_APRIL)] == [True]


def test_an_event_is_written_again_a_handful_of_times_and_files_stay_few() -> None:
    """A month of 40,000 commits of 100 events: each merge writes its rows again."""
    rules, files, written, number = Rules(), list[File](), 0, 0
    for commit in range(40_000):
        files.append(hot(commit, rows=100))
        while len(files) >= rules.gather and (merges := plan(files, rules, IN_MARCH)):
            for merge in merges:
                number += 1
                rows = sum(file.rows for file in merge.files)
                written += rows
                files = [file for file in files if file not in merge.files] + [part(f"run-{number:x}", rows=rows)]
        assert len(files) < 100 + 8 * 5
    assert written / 4_000_000 < 5

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ingest.errors import IngestError
from ingest.ids import DAY, HOUR, PERIOD, Index, InHand, Sighting, Tally, counts, received_since

WORK = InHand("0001", "aa", 1, 1)
HOUR_0 = 490_000  # hours since the epoch


def claim(index: Index, ids: list[str], project: str = "shop", received_at: int = 0, month: int = 0) -> set[int]:
    with index.claim(WORK, [received_at]) as claimed:
        return claimed.copies(project, [Sighting(event_id, received_at, month) for event_id in ids])


def test_an_id_is_new_once_per_project(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        assert claim(index, ["a", "b", "a", "c", "b", "a"]) == {2, 4, 5}
        assert claim(index, ["c", "d"]) == {0}
        assert claim(index, ["a"], project="other") == set()
    with Index(tmp_path) as index:
        assert claim(index, ["d", "e"]) == {0}


def test_a_project_and_an_id_cannot_be_confused_with_another_pair(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        claim(index, ["bc"], project="a")
        assert claim(index, ["c"], project="ab") == set()


def test_a_claim_that_fails_leaves_no_trace(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        index.take(WORK)
        with pytest.raises(OSError, match="no lake"), index.claim(WORK, [0]) as claimed:
            claimed.copies("shop", [Sighting("a", 0, 0)])
            claimed.tallies[Tally("shop", HOUR_0, "web", "accepted")] += 1
            raise OSError("no lake")
        assert index.watermark("aa") == 0
        assert index.counts("shop") == {}
        assert index.in_hand() == WORK
        assert claim(index, ["a"]) == set()
        assert index.watermark("aa") == 1
        assert index.in_hand() is None


def test_a_copy_is_found_in_the_neighbouring_periods(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        claim(index, ["a"], received_at=10 * PERIOD - 1)
        assert claim(index, ["a"], received_at=10 * PERIOD) == {0}
        claim(index, ["b"], received_at=12 * PERIOD)
        assert claim(index, ["b"], received_at=12 * PERIOD - 1) == {0}  # a log that was flushed late


@pytest.mark.parametrize("days", [7, 30, 75])
@pytest.mark.parametrize("first", [10 * PERIOD, 10 * PERIOD + 1, 11 * PERIOD - 1])
def test_a_copy_is_told_to_the_microsecond_of_the_limit_and_across_restarts(tmp_path: Path, days: int, first: int) -> None:
    limit = days * DAY
    with Index(tmp_path, limit) as index:
        claim(index, ["inside", "outside"], received_at=first, month=1)
    with Index(tmp_path, limit) as index:
        assert claim(index, ["inside"], received_at=first + limit, month=2) == {0}
        assert claim(index, ["outside"], received_at=first + limit + 1, month=2) == set()
        assert claim(index, ["outside"], received_at=first + limit + 1, month=2) == {0}  # it was taken, and is known again
        assert claim(index, ["outside"], received_at=first, month=1) == {0}


def test_in_one_month_a_copy_is_told_however_much_later_it_comes(tmp_path: Path) -> None:
    with Index(tmp_path, 7 * DAY) as index:
        claim(index, ["a"], received_at=0, month=5)
        assert claim(index, ["a"], received_at=20 * DAY, month=5) == {0}
        assert claim(index, ["a"], received_at=80 * DAY, month=5) == {0}


@pytest.mark.parametrize("days", [7, 30, 75])
def test_two_years_of_ids_leave_an_index_of_bounded_size_that_still_knows_the_limit(tmp_path: Path, days: int) -> None:
    limit = days * DAY
    kept = []
    with Index(tmp_path, limit) as index:
        for day in range(730):
            now = 1000 * PERIOD + day * DAY
            claim(index, [f"{day}-{number}" for number in range(40)], received_at=now, month=day // 30)
            index.forget(now)
            kept.append(len(index._periods()))
            if day >= days:
                assert claim(index, [f"{day - days}-0"], received_at=now, month=500) == {0}
                assert index.forgotten() <= now - limit
        assert max(kept) <= 3 + max(0, days - 30) // 30
        sizes = index._env.info()["last_pgno"]
        assert sizes < 200 + 40 * days  # pages of 4 KiB; all two years would be some 1,000


def test_an_event_whose_month_began_before_the_index_does_is_late(tmp_path: Path) -> None:
    moment = int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
    with Index(tmp_path) as index:
        claim(index, ["a"], received_at=moment)
        with index.claim(WORK, [moment]) as claimed:
            assert not claimed.is_late(Sighting("b", moment, 420))  # it has not forgotten anything
        later = moment + 100 * DAY  # 11 April
        claim(index, ["c"], received_at=later)
        assert index.forget(later) == 1
        with index.claim(WORK, [later]) as claimed:
            assert claimed.is_late(Sighting("d", later, 56 * 12))  # January
            assert not claimed.is_late(Sighting("d", later, 56 * 12 + 3))  # April


def test_counts_add_up_by_project_and_hour_and_can_be_read_by_another_process(tmp_path: Path) -> None:
    with Index(tmp_path) as index:
        for _ in range(2):
            with index.claim(WORK, [0]) as claimed:
                claimed.tallies[Tally("shop", HOUR_0, "web", "accepted")] += 5
                claimed.tallies[Tally("shop", HOUR_0 + 1, "app", "rejected:missing_event")] += 2
                claimed.tallies[Tally("shop2", HOUR_0, "web", "duplicate")] += 1
        assert index.counts("shop") == {"accepted": 10, "rejected:missing_event": 4}
    first = datetime.fromtimestamp(HOUR_0 * 3600, UTC)
    assert counts(tmp_path, "shop") == {"accepted": 10, "rejected:missing_event": 4}
    assert counts(tmp_path, "shop2") == {"duplicate": 2}
    assert counts(tmp_path, "sho") == {}
    assert received_since(tmp_path, "shop", first) == 14
    assert received_since(tmp_path, "shop", first + timedelta(minutes=59)) == 14
    assert received_since(tmp_path, "shop", first + timedelta(hours=1)) == 4
    assert received_since(tmp_path, "shop", first + timedelta(hours=2)) == 0
    assert HOUR == 3_600_000_000


def test_where_there_is_no_index_yet_nothing_was_counted(tmp_path: Path) -> None:
    assert counts(tmp_path / "none", "shop") == {}
    assert received_since(tmp_path / "none", "shop", datetime(2026, 1, 1, tzinfo=UTC)) == 0


def test_a_second_flush_of_a_data_folder_is_refused(tmp_path: Path) -> None:
    with Index(tmp_path), pytest.raises(IngestError, match="another flush"):
        Index(tmp_path)
    Index(tmp_path).close()

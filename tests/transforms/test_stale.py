"""The plan of a build is pure: from what moved and what changed to what is kept, repaired or made whole."""

from dataclasses import replace

from transforms.stale import Known, News, Step, made_of, plan

MODELS = (
    Known("actors", "whole", frozenset({"events", "id_links"}), "a1"),
    Known("sessions", "by_day", frozenset({"events", "actors"}), "s1"),
    Known("days", "by_day", frozenset({"sessions"}), "d1"),
    Known("people", "by_subject", frozenset({"sessions", "actors"}), "p1"),
    Known("invites", "whole", frozenset({"people"}), "i1"),
)
BEFORE = {model.name: model.made_of for model in MODELS}


def steps(
    moved: frozenset[str] = frozenset(), changed: str | None = None, told: bool = True, missing: str | None = None
) -> list[Step]:
    models = [replace(model, made_of="new") if model.name == changed else model for model in MODELS]
    return list(plan(models, BEFORE, BEFORE.keys() - {missing}, News(moved, told)).values())


def test_where_nothing_moved_and_nothing_changed_all_is_kept() -> None:
    assert steps() == ["keep"] * 5


def test_what_moved_is_repaired_in_all_that_reads_it() -> None:
    assert steps(frozenset({"events"})) == ["repair"] * 5
    assert steps(frozenset({"id_links"})) == ["repair"] * 5


def test_what_reads_nothing_that_moved_is_kept() -> None:
    assert steps(changed="invites") == ["keep", "keep", "keep", "keep", "whole"]


def test_a_model_made_anew_at_once_is_repaired_after() -> None:
    assert steps(changed="people") == ["keep", "keep", "keep", "whole", "repair"]
    assert steps(changed="actors") == ["whole", "repair", "repair", "repair", "repair"]


def test_a_model_by_day_made_anew_takes_its_readers_along() -> None:
    assert steps(changed="sessions") == ["keep", "whole", "whole", "whole", "repair"]
    assert steps(changed="days") == ["keep", "keep", "whole", "keep", "keep"]


def test_a_table_that_is_missing_is_filled_with_its_readers() -> None:
    assert steps(missing="people") == ["keep", "keep", "keep", "whole", "whole"]


def test_where_nobody_can_tell_what_moved_all_is_made_anew() -> None:
    assert steps(told=False) == ["whole"] * 5


def test_before_the_first_build_all_is_made() -> None:
    assert set(plan(MODELS, {}, (), News()).values()) == {"whole"}


def test_a_fingerprint_tells_every_part_of_a_making() -> None:
    base = made_of("select 1", ["a int"], {"zone": "UTC"}, "v1", ["x"])
    assert base == made_of("select 1", ["a int"], {"zone": "UTC"}, "v1", ["x"])
    others = [
        made_of("select 2", ["a int"], {"zone": "UTC"}, "v1", ["x"]),
        made_of("select 1", ["b int"], {"zone": "UTC"}, "v1", ["x"]),
        made_of("select 1", ["a int"], {"zone": "Asia/Tokyo"}, "v1", ["x"]),
        made_of("select 1", ["a int"], {"zone": "UTC"}, "v2", ["x"]),
        made_of("select 1", ["a int"], {"zone": "UTC"}, "v1", ["y"]),
    ]
    assert len({base, *others}) == 6

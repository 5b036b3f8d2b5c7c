"""Lines of TOML keys, in every way TOML lets one write them."""

from __future__ import annotations

from funnels.definitions.toml_lines import lines

TEXT = '''# a comment = 1
[stages."a b".person] # and [another]
any = [
  { event = "x ] } , # y", where = [{ op = 'e"q' }] },

  { event = """two
lines""" },
]
within.days = 1.5
until = 2026-01-01T00:00:00Z
[[list]]
key = 1
[[list]]
key = 2
[list.below]
key = 3
'''


def test_every_key_table_and_element_has_the_line_it_begins_on() -> None:
    person = ("stages", "a b", "person")
    assert lines(TEXT) == {
        ("stages",): 2,
        ("stages", "a b"): 2,
        person: 2,
        (*person, "any"): 3,
        (*person, "any", 0): 4,
        (*person, "any", 0, "event"): 4,
        (*person, "any", 0, "where"): 4,
        (*person, "any", 0, "where", 0): 4,
        (*person, "any", 0, "where", 0, "op"): 4,
        (*person, "any", 1): 6,
        (*person, "any", 1, "event"): 6,
        (*person, "within"): 9,
        (*person, "within", "days"): 9,
        (*person, "until"): 10,
        ("list",): 11,
        ("list", 0): 11,
        ("list", 0, "key"): 12,
        ("list", 1): 13,
        ("list", 1, "key"): 14,
        ("list", 1, "below"): 15,
        ("list", 1, "below", "key"): 16,
    }

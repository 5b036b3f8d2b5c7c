"""Ids and names as SDKs send them: text, numbers, nothing, or the word that a bug or a default writes for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

Scalar = str | int | float | None


def _any_case(words: Iterable[str]) -> frozenset[str]:
    """Each word as it is, small, LARGE, Capitalised and Titled: looked up faster than a text is made small."""
    return frozenset(form for word in words for form in (word, word.lower(), word.upper(), word.capitalize(), word.title()))


NOBODY: Final = _any_case(("undefined", "null", "none", "NaN", "nil", "<nil>", "[object Object]", "[]", "{}"))
"""No id of anything, a group included."""

STRANGERS: Final = NOBODY | _any_case(
    (
        *("anonymous", "anonymous-user", "anon", "guest", "not_authenticated", "unknown", "n/a", "na"),
        *("id", "distinct_id", "distinctid", "email", "user", "system", "backend"),
        *("-1", "true", "false", "00000000-0000-0000-0000-000000000000"),
    )
)
"""No id of a person: what strangers in common would be sent under, all of whom would become one. The words are those that
PostHog's capture v1 and Mixpanel's import refuse (github.com/PostHog/posthog, rust/capture/src/v1/analytics/constants.rs;
docs.mixpanel.com/troubleshooting/errors/server-side-events-without-a-user), but for Android's build ``lmy47d``
and for ``0``, from which many a database counts its people.
"""


def text(value: Scalar) -> str | None:
    """A number as JavaScript prints it (``42.0`` is ``"42"``); an empty or blank text is None."""
    if isinstance(value, str):
        return value if value and not value.isspace() else None
    if value is None:
        return None
    return str(int(value)) if abs(value) < 1e21 and value == int(value) else str(value)


def identifier(value: Scalar) -> str | None:
    """As ``text``, and None for the names of nothing."""
    return _unless(value, NOBODY)


def person(value: Scalar) -> str | None:
    """As ``text``, and None for what is no id of a person."""
    if type(value) is str and value and value not in STRANGERS and not value.isspace():  # nearly always
        return value
    return _unless(value, STRANGERS)


def is_stranger(value: Scalar) -> bool:
    """Whether something stands there that is no id."""
    return text(value) in STRANGERS


def _unless(value: Scalar, words: frozenset[str]) -> str | None:
    if value is None:
        return None
    name = text(value)
    return None if name in words else name

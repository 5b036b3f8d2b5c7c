"""The README's tables that are made from the code: ``python -m tests.readme`` writes them (``make readme``)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Final

from api import settings
from funnels.definitions.load import load
from funnels.metrics import CATALOGUE
from ingest.outcome import Outcome
from sql.loader import load as query
from sql.loader import names

ROOT: Final = Path(__file__).parents[1]
README: Final = ROOT / "README.md"
_APPENDED_TO: Final = (
    ("events", "one row per accepted event"),
    ("rejected", "one row per rejected event: its raw bytes, the reason, and when it came"),
    ("id_links", "one row per link between two ids, named by the event that made it, or per undo of one"),
    ("forgotten", "one row per person who was forgotten: a receipt without personal data"),
)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (head, ("---",) * len(head), *rows))


def vocabulary() -> str:
    events = load(ROOT / "funnels" / "definitions").events.values()
    rows = [(f"`{event.name}`", event.description, ", ".join(f"`{name}`" for name in event.properties)) for event in events]
    return table(("event", "what it says", "properties"), rows)


def tables() -> str:
    models = [query("models", name) for name in names("models")]
    made = [(model.name, model.title) for model in models if model.kind != "relation"]
    rows = [(f"`{name}`", title) for name, title in (*_APPENDED_TO, *made)]
    return table(("table", "what one row is"), rows)


def metrics() -> str:
    return table(("metric", "the question it answers"), [(f"`{metric.name}`", metric.question) for metric in CATALOGUE])


def outcomes() -> str:
    return table(("outcome", "what it means"), [(f"`{outcome.label}`", outcome.help) for outcome in Outcome])


BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "vocabulary": vocabulary,
    "tables": tables,
    "metrics": metrics,
    "outcomes": outcomes,
    "settings": settings.markdown,
}


def written(readme: str) -> str:
    """The README with every block as the code has it now."""
    for name, block in BLOCKS.items():
        marks = (f"<!-- {name}:start -->\n", f"<!-- {name}:end -->")
        pattern = re.escape(marks[0]) + ".*?" + re.escape(marks[1])
        made = f"{marks[0]}{block()}\n{marks[1]}"
        readme, found = re.subn(pattern, lambda _, made=made: made, readme, flags=re.DOTALL)  # type: ignore[misc]
        assert found == 1, f"README.md needs one block {marks[0].strip()} ... {marks[1]}"
    return readme


if __name__ == "__main__":
    README.write_text(written(README.read_text()))

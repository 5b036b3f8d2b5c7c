"""What can go wrong in a build, by what the caller can do about it.

TransformsError
├── TryAgain          nothing is lost, the same call may be made again
│   ├── Busy          another process runs a job of the project
│   └── Overtaken     another build published its manifest first
├── UndoRefused       the request does not fit the ledger; nothing was written
│   ├── UnknownLink   no link has that name
│   └── NothingToUndo it is so already
└── BuildFailed       the last good tables stay in force; mend the cause, then build again
    ├── ModelFailed   a model's query or its inputs failed
    └── CheckFailed   the tables it made break their rules
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class TransformsError(Exception):
    """The root of the tree."""


class TryAgain(TransformsError):
    """Nothing is lost; the same call may be made again."""


class Busy(TryAgain):
    """``holder`` (host:process:thread) runs a job of the project."""

    def __init__(self, project: str, holder: str) -> None:
        super().__init__(f"a job of project {project!r} is running in {holder}; try again when it has finished")
        self.project, self.holder = project, holder


class Overtaken(TryAgain):
    """Manifest ``number`` was taken by another build while this one ran."""

    def __init__(self, project: str, number: int) -> None:
        super().__init__(f"another build of project {project!r} took manifest {number} meanwhile; build again")
        self.project, self.number = project, number


class UndoRefused(TransformsError):
    """Nothing was written."""


class UnknownLink(UndoRefused):
    """No event of that id made a link."""

    def __init__(self, link: str) -> None:
        super().__init__(f"no event {link!r} made a link; 'jcurve identity links ID' lists those of an id")
        self.link = link


class NothingToUndo(UndoRefused):
    """The link is undone already, or not undone."""

    def __init__(self, link: str, state: str) -> None:
        super().__init__(f"the link made by event {link!r} is {state}")
        self.link = link


class BuildFailed(TransformsError):
    """The build was not published; the last good tables stay in force."""


class ModelFailed(BuildFailed):
    """A model could not be made; the engine's own error is the cause."""

    def __init__(self, model: str, error: Exception) -> None:
        super().__init__(f"sql/models/{model}.sql could not be built: {type(error).__name__}: {error}")
        self.model = model


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold: how many rows break it, the first few of them, and the query to run again."""

    rule: str
    title: str  # what one such row is
    count: int
    examples: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        found = "; ".join(self.examples)
        return f"{self.rule}: {self.count} rows ({self.title}), such as {found}. Run it again:\n{self.text.strip()}"


class CheckFailed(BuildFailed):
    """All rules that the tables break."""

    def __init__(self, violations: Sequence[Violation]) -> None:
        rules = "\n".join(map(str, violations))
        super().__init__(f"the build was not published, since its tables break {len(violations)} rule(s)\n{rules}")
        self.violations = tuple(violations)

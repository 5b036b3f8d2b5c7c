"""The manifest: which version of each table belongs together. A build ends by publishing one, in one atomic act.

On disk, beside a project's tables: ``_manifest/00000017.json`` per build, and ``current``, a copy of the one in force.
A reader takes ``current`` once and reads every table at its versions, so that no answer mixes two builds. A build that dies
before the last step leaves ``current`` as it was, and the tables it names as they were: versions never change.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from ingest.lake import Lake
from transforms.errors import Overtaken
from transforms.small_files import small_files

_FOLDER: Final = "_manifest"
_CURRENT: Final = "current"


@dataclass(frozen=True)
class Manifest:
    """``tables`` holds a Delta version per table, ``events`` among them unless there is none yet.

    ``complete_until``: every event received before it is in (the completeness mark when the build began).
    ``made_of``: per table a fingerprint of how it was made (``stale.made_of``), so that a change of it is noticed.
    """

    number: int
    tables: dict[str, int]
    complete_until: datetime
    built_at: datetime
    definition_version: str
    made_of: dict[str, str] = field(default_factory=dict)

    def to_json(self) -> bytes:
        content = {
            "number": self.number,
            "tables": self.tables,
            "complete_until": self.complete_until.isoformat(),
            "built_at": self.built_at.isoformat(),
            "definition_version": self.definition_version,
            "made_of": self.made_of,
        }
        return json.dumps(content, indent=1, sort_keys=True).encode()

    @classmethod
    def from_json(cls, text: bytes) -> Manifest:
        content = json.loads(text)
        return cls(
            number=content["number"],
            tables=content["tables"],
            complete_until=datetime.fromisoformat(content["complete_until"]),
            built_at=datetime.fromisoformat(content["built_at"]),
            definition_version=content["definition_version"],
            made_of=content.get("made_of", {}),
        )


def current(lake: Lake, project: str) -> Manifest | None:
    """The manifest in force, or None before the first build."""
    text = small_files(lake, project, _FOLDER).read(_CURRENT)
    return None if text is None else Manifest.from_json(text)


def published(lake: Lake, project: str) -> list[Manifest]:
    """Every manifest still kept, oldest first."""
    store = small_files(lake, project, _FOLDER)
    texts = [store.read(_name(number)) for number in store.numbers()]
    return [Manifest.from_json(text) for text in texts if text is not None]


def next_number(lake: Lake, project: str) -> int:
    """One more than the highest number taken, be it by a build that died before it was in force."""
    return max(small_files(lake, project, _FOLDER).numbers(), default=0) + 1


def publish(lake: Lake, project: str, manifest: Manifest) -> None:
    """Puts ``manifest`` in force. ``Overtaken`` if its number was taken meanwhile; nothing has changed then."""
    store = small_files(lake, project, _FOLDER)
    if not store.create(_name(manifest.number), manifest.to_json()):
        raise Overtaken(project, manifest.number)
    store.replace(_CURRENT, manifest.to_json())


def forget(lake: Lake, project: str, *, before: datetime) -> int:
    """Removes manifests built before a moment, except the one in force; returns how many went."""
    kept = current(lake, project)
    old = [one for one in published(lake, project) if one.built_at < before and (kept is None or one.number < kept.number)]
    for manifest in old:
        small_files(lake, project, _FOLDER).remove(_name(manifest.number))
    return len(old)


def _name(number: int) -> str:
    return f"{number:08d}.json"

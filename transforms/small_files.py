"""Small files beside the lake's tables, each complete or absent: in a local folder, or in an object store."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import pyarrow.fs
from deltalake.fs import DeltaStorageHandler

from ingest.lake import Lake


class SmallFiles(Protocol):
    """What both kinds do; ``name`` is a plain file name."""

    def read(self, name: str) -> bytes | None: ...

    def numbers(self) -> list[int]:
        """The numbers of files named like ``00000017.json``, rising."""

    def create(self, name: str, content: bytes) -> bool:
        """False if there is such a file already; it is left as it is then."""

    def replace(self, name: str, content: bytes) -> None:
        """In one act: whoever reads meanwhile gets the old content or the new."""

    def remove(self, name: str) -> None: ...


def small_files(lake: Lake, project: str, folder: str) -> SmallFiles:
    """The files of ``<lake>/<project>/<folder>/``."""
    uri = lake.uri(project, folder)
    if lake.is_local:
        return Folder(Path(uri))
    return (
        Folder(Path(unquote(urlsplit(uri).path))) if uri.startswith("file://") else Bucket(uri, tuple(lake.storage.items()))
    )


@dataclass(frozen=True)
class Folder:
    """A local folder: a file is synced before it gets its name, and the name before the call returns."""

    root: Path

    def read(self, name: str) -> bytes | None:
        try:
            return (self.root / name).read_bytes()
        except FileNotFoundError:
            return None

    def numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self.root.glob("[0-9]*.json"))

    def create(self, name: str, content: bytes) -> bool:
        draft = self._draft(name, content)
        try:
            os.link(draft, self.root / name)
            return True
        except FileExistsError:
            return False
        finally:
            draft.unlink()

    def replace(self, name: str, content: bytes) -> None:
        self._draft(name, content).replace(self.root / name)
        folder = os.open(self.root, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def remove(self, name: str) -> None:
        (self.root / name).unlink(missing_ok=True)

    def _draft(self, name: str, content: bytes) -> Path:
        self.root.mkdir(parents=True, exist_ok=True)
        draft = self.root / f".{name}.{os.getpid()}"
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return draft


@dataclass(frozen=True)
class Bucket:
    """A prefix of an object store, where a put is atomic by itself.

    ``create`` looks first and puts then: of two at the same instant the later put stays. The lease of ``runs.py`` keeps two
    builds of one host apart; nothing here keeps two hosts apart, so one host builds a project.
    """

    uri: str
    storage: tuple[tuple[str, str], ...] = ()

    def read(self, name: str) -> bytes | None:
        try:
            with self._files().open_input_stream(name) as file:
                return bytes(file.read())
        except FileNotFoundError:
            return None

    def numbers(self) -> list[int]:
        found = self._files().get_file_info(pyarrow.fs.FileSelector("", allow_not_found=True))
        return sorted(int(info.base_name[:8]) for info in found if info.base_name[:8].isdigit())

    def create(self, name: str, content: bytes) -> bool:
        if self.read(name) is not None:
            return False
        self.replace(name, content)
        return True

    def replace(self, name: str, content: bytes) -> None:
        # Its own stream: wrapped by pyarrow 26 it is handed buffers, and takes only bytes.
        file = self._handler()._handler.open_output_stream(name)
        file.write(content)
        file.close()  # type: ignore[attr-defined]  # its stub forgets the method that ends the upload

    def remove(self, name: str) -> None:
        self._files().delete_file(name)

    def _files(self) -> pyarrow.fs.FileSystem:
        return pyarrow.fs.PyFileSystem(self._handler())

    def _handler(self) -> DeltaStorageHandler:
        return DeltaStorageHandler(self.uri, dict(self.storage))

"""Values as they are written in settings: text in, a checked value out, ``ValueError`` with what is allowed otherwise."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar
from urllib.parse import urlsplit

T = TypeVar("T")
Parse = Callable[[str], T]

_UNITS: Final = {"": 1, "B": 1, "KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "KB": 10**3, "MB": 10**6, "GB": 10**9}
_SIZE: Final = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z]*)")
_PROJECT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,62}")  # ingest.lake.PROJECT_NAME, which costs an import of Arrow


class Size(int):
    """A number of bytes that is written as ``32 MiB``."""

    @classmethod
    def of(cls, text: str) -> Size:
        found = _SIZE.fullmatch(text.strip())
        if found is None or found[2].upper() not in _UNITS:
            raise ValueError("a size such as 512 KiB, 32 MiB or 2 GiB")
        return cls(float(found[1]) * _UNITS[found[2].upper()])

    def __str__(self) -> str:
        for name, unit in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
            if self and self % unit == 0:
                return f"{self // unit} {name}"
        return f"{int(self)} B"


def text(written: str) -> str:
    return written


def path(written: str) -> Path:
    if not written:
        raise ValueError("the path of a folder")
    return Path(written)


def size(written: str) -> Size:
    return Size.of(written)


def boolean(written: str) -> bool:
    known = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}
    if written.lower() not in known:
        raise ValueError("true or false")
    return known[written.lower()]


def positive(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= 1024:
        raise ValueError("a whole number from 1 to 1024")
    return int(written)


def _from(least: int, most: int) -> Parse[int]:
    def parse(written: str) -> int:
        if not written.isdecimal() or len(written) > 9 or not least <= int(written) <= most:
            raise ValueError(f"a whole number from {least} to {most}")
        return int(written)

    return parse


properties = _from(16, 100_000)
depth = _from(40, 500)  # readers of JSON stop at a thousand
name = _from(80, 10_000)


def header(written: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9-]{0,80}", written):
        raise ValueError("the name of a header, such as CF-IPCountry")
    return written


def many(written: str) -> int:
    if not written.isdecimal() or not 1 <= int(written) <= 1_000_000:
        raise ValueError("a whole number from 1 to 1000000")
    return int(written)


def days(written: str) -> int:
    if not written.isdecimal() or len(written) > 5:
        raise ValueError("a whole number of days from 0 to 99999")
    return int(written)


def port(written: str) -> int:
    if not written.isdecimal() or int(written) > 65535:
        raise ValueError("a port from 0 to 65535")
    return int(written)


def seconds(written: str) -> float:
    try:
        value = float(written)
    except ValueError:
        value = 0.0
    if not 0.05 <= value <= 3600:
        raise ValueError("seconds from 0.05 to 3600")
    return value


def project(written: str) -> str:
    if not _PROJECT.fullmatch(written):
        raise ValueError("up to 63 of a-z, 0-9, '-' and '_', beginning with a letter or digit")
    return written


def prefix(written: str) -> str:
    """``x7k`` and ``/x7k/`` are ``/x7k``; several parts may follow each other."""
    parts = written.strip("/")
    if not parts:
        return ""
    if not re.fullmatch(r"[A-Za-z0-9._~-]+(/[A-Za-z0-9._~-]+)*", parts):
        raise ValueError("a path of letters, digits and . _ ~ -, such as /x7k")
    return f"/{parts}"


def url(written: str) -> str:
    parts = urlsplit(written)
    if written and (parts.scheme not in ("http", "https") or not parts.netloc or parts.query or parts.fragment):
        raise ValueError("a URL such as https://events.example.com")
    return written.rstrip("/")


def lake_url(written: str) -> str:
    if "://" in written and urlsplit(written).scheme not in ("s3", "gs", "az", "abfss", "file"):
        raise ValueError("a folder, or a URL beginning with s3://, gs:// or abfss://")
    return written.removeprefix("file://").rstrip("/")


def store_url(written: str) -> str:
    if not written.startswith(("sqlite:///", "postgresql://", "postgresql+")):
        raise ValueError("a URL beginning with sqlite:/// or postgresql://")
    return written


def level(written: str) -> str:
    if written.lower() not in ("debug", "info", "warning", "error"):
        raise ValueError("debug, info, warning or error")
    return written.lower()


def log_format(written: str) -> str:
    if written.lower() not in ("text", "json"):
        raise ValueError("text or json")
    return written.lower()


def cron(written: str) -> str:
    """A cron expression or ``off``; checked by the library that will run it, which is imported only here."""
    if written == "off":
        return written
    from apscheduler.triggers.cron import CronTrigger

    try:
        CronTrigger.from_crontab(written)
    except ValueError as error:
        raise ValueError(f"five fields such as '7 * * * *', or 'off' ({error})") from None
    return written


def shown(value: object) -> str:
    """A value as one would write it: ``shown(False)`` is ``false``."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def written(value: object) -> str:
    """A value of a TOML file as the text that ``parse`` reads."""
    return shown(value)

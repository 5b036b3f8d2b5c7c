"""What the roles tell on standard error: a line each, as ``key=value`` or as JSON, of our own code and of uvicorn alike.

Who reads a log may be somebody who may not read the data. So no key, id, name or body of an event gets into it:
- Of an error its type and the places it went through are told, its text only where that speaks of weather (disk, lake, log)
  and not of what was sent: ``invalid literal for int(): 'ada@example.com'`` is of the other kind.
- What looks like a key, or like a password in a URL, is struck out of every line.
- Libraries tell warnings and worse only: at ``info`` an HTTP client would tell each address with its query.
Code tells what it knows in fields: ``logger.info("flushed", extra={"events": 12})``.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from collections.abc import Iterator
from pathlib import PurePath
from types import TracebackType
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from api.settings import Settings

OURS: Final = ("ingest", "sql", "transforms", "funnels", "api", "uvicorn")
_WEATHER: Final = ("ingest", "sql", "transforms", "funnels", "api", "deltalake", "_internal", "lmdb", "_duckdb")
_QUOTING: Final = frozenset(  # errors of DuckDB that show the value they stumbled over
    ("ConversionException", "InvalidInputException", "ConstraintException", "OutOfRangeException", "TypeMismatchException")
)
_FIRST: Final = ("timestamp", "level", "role", "worker", "pid", "logger", "event")
_FRAMES: Final = 30
_SECRET: Final = re.compile(r"\b(j[wra]_)[A-Za-z0-9_\-]+|(://[^/\s:@]*:)[^@/\s]+(?=@)")

_logger = logging.getLogger(__name__)


def configure(settings: Settings, role: str, worker: int | None = None) -> None:
    """From now on, in this process, whatever is logged or not caught."""
    who: dict[str, object] = {"role": role} if worker is None else {"role": role, "worker": worker}
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_formatter(settings.log_format, who))
    root, level = logging.getLogger(), settings.log_level.upper()
    root.handlers[:] = [handler]
    root.setLevel(max(logging.getLevelNamesMapping()[level], logging.WARNING))
    for name in OURS:
        logging.getLogger(name).setLevel(level)
    logging.captureWarnings(True)
    sys.excepthook = _uncaught
    threading.excepthook = lambda args: _uncaught(args.exc_type, args.exc_value, args.exc_traceback)


def _formatter(form: str, who: dict[str, object]) -> logging.Formatter:
    def put_role(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
        event.update(who, pid=event["_record"].process)
        return event

    chain: list[Processor] = [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        put_role,
        _put_errors,
        _cut,
    ]
    last: list[Processor] = [structlog.stdlib.ProcessorFormatter.remove_processors_meta, _strike_out]
    if form == "json":
        last += [_in_order, structlog.processors.JSONRenderer()]
    else:
        last.append(structlog.processors.LogfmtRenderer(key_order=_FIRST, drop_missing=True))
    return structlog.stdlib.ProcessorFormatter(foreign_pre_chain=chain, processors=last)


def told(error: BaseException) -> str:
    """An error's type, and its text where that cannot quote what was sent."""
    kind = type(error)
    package = kind.__module__.partition(".")[0]
    speaks = isinstance(error, OSError | MemoryError) or (package in _WEATHER and kind.__name__ not in _QUOTING)
    return f"{kind.__name__}: {error}" if speaks and str(error) else kind.__name__


def _put_errors(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """``exc_info`` becomes ``error`` and ``traceback``; errors among the fields their words."""
    given = event.pop("exc_info", None)
    error = given[1] if isinstance(given, tuple) else given
    if isinstance(error, BaseException):
        event["error"], event["traceback"] = told(error), " > ".join(_places(error))
    return {name: told(value) if isinstance(value, BaseException) else value for name, value in event.items()}


def _places(error: BaseException | None) -> Iterator[str]:
    """Where it went through, from the outside to the inside, and then where its cause did."""
    while error is not None:
        frame, places = error.__traceback__, list[str]()
        while frame is not None:
            code = frame.tb_frame.f_code
            places.append(f"{'/'.join(PurePath(code.co_filename).parts[-2:])}:{frame.tb_lineno} {code.co_name}")
            frame = frame.tb_next
        yield from places[-_FRAMES:]
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
        if error is not None:
            yield f"because of {told(error)}"


def _cut(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """asyncio shows, below its first line, a task with its error's text; a warning shows the line of code."""
    if event["logger"] in ("asyncio", "py.warnings"):
        event["event"] = str(event["event"]).partition("\n")[0]
    return event


def _strike_out(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: _SECRET.sub(r"\1\2…", value) if isinstance(value, str) else value for name, value in event.items()}


def _in_order(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    return {name: event[name] for name in (*_FIRST, *event) if name in event}


def _uncaught(kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None) -> None:
    if not issubclass(kind, KeyboardInterrupt | SystemExit):
        _logger.critical("ended by an error", exc_info=(kind, error or kind(), traceback))

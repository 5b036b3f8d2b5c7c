"""What all compiled loops share: their types, their constants, and how they are compiled and cached.

All times are microseconds since 1970 in UTC, all durations microseconds. Steps count from 0 here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]

NEVER: Final = -(1 << 62)  # a time before all times
ALWAYS: Final = 1 << 61  # a duration without end, and a time after all times
MAX_STEPS: Final = 32
MAX_EXCLUSIONS: Final = 16

CONVERTED, PENDING, EXCLUDED, LOST = 1, 2, 3, 4  # states of a case; beside ENTRANTS also columns of a tally
ENTRANTS: Final = 0

_Function = TypeVar("_Function", bound=Callable[..., object])
_FILES: Final = (
    *Path(__file__).parent.glob("*.py"),
    Path(__file__).parents[1] / "reading" / "who.py",
)  # that others' loops call into
_SOURCES: Final = b"".join(path.read_bytes() for path in sorted(_FILES))
_VERSION: Final = hashlib.sha256(_SOURCES).hexdigest()[:12]


def compiled(function: _Function) -> _Function:
    """Compile a function when it is first called, without the GIL, and keep the machine code beside this file.

    numba's cache notices changes of a function's own file only, not of what it calls in others. It tells functions apart
    by qualified name, so the name carries the version of all files here.
    """
    function.__qualname__ = f"{function.__qualname__}_{_VERSION}"
    return cast(_Function, numba.njit(cache=True, nogil=True)(function))


def maker(function: _Function) -> _Function:
    """The same for a function that only compiled ones call: without its door to Python, half of the work of compiling.

    What ``inner`` says is said anew here, since a function is otherwise compiled as its first caller is.
    """
    return _inner(function, {"_nrt": True})


def inner(function: _Function) -> _Function:
    """The same for one that makes no arrays, and so need not count who holds those that it is given.

    Each count is an atomic write, which costs as much as matching some events does, and threads that share an array wait
    for each other there: without them a plain question takes a third of the time. (``_nrt`` is numba's own word for it.)
    """
    return _inner(function, {"_nrt": False})


def _inner(function: _Function, more: dict[str, bool]) -> _Function:
    function.__qualname__ = f"{function.__qualname__}_{_VERSION}"
    options = {"cache": True, "nogil": True, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, **more}
    compiler = cast(Callable[..., Callable[[_Function], _Function]], numba.njit)  # its types do not know all of these
    return compiler(**options)(function)


@inner
def copy_row(source: Ints, number: int, into: Ints, place: int) -> None:
    """Where an array is written to another, numba first makes a copy, for they might be the same."""
    for i in range(source.shape[1]):
        into[place, i] = source[number, i]

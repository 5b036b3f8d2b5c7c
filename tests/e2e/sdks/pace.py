"""What the SDKs' scripts do alike where they are made to fail: ``tick(n, who, text)`` makes the n-th of many small events.

``few``: six, the third by "undefined". ``large=SIZE``: a small one, one of 40 KB and a small one together; then one of SIZE
bytes alone; then a small one. ``slow``: two a second until the standard input ends.
"""

import sys
import threading
from collections.abc import Callable

Tick = Callable[[int, str, str], object]


def play(pace: str, tick: Tick, flush: Callable[[], object]) -> int:
    """How many events were made."""
    name, _, size = pace.partition("=")
    if name == "few":
        for number in range(6):
            tick(number, "undefined" if number == 2 else "user-1", "")
        return 6
    if name == "large":
        for number, length in enumerate((1, 40_000, 1, int(size), 1)):
            tick(number, "user-1", "x" * length)
            if number >= 2:
                flush()
        return 5
    return _slowly(tick)


def _slowly(tick: Tick) -> int:
    ended = threading.Event()

    def listen() -> None:
        sys.stdin.read()
        ended.set()

    threading.Thread(target=listen, daemon=True).start()
    number = 0
    while not ended.wait(0.5):
        tick(number, "user-1", "")
        number += 1
    return number

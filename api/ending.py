"""The end of a process that did its work.

Threads of the engines that are still winding up abort an interpreter that takes itself apart beside them (``terminate called
without an active exception``, seen of the Delta reader on a busy machine), and a night's job would be told that it failed.
All that must be on disk was closed before.
"""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from typing import NoReturn


def at_once(status: int) -> NoReturn:
    """Ends the process with that status once its last words are out."""
    logging.shutdown()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError):  # whoever read it is gone, or it was closed
            stream.flush()
    os._exit(status)

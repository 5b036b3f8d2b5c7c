"""A flush for a command that hands something over to it, whether or not a server runs one."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from api.settings import Settings

_PAUSE = 0.02  # seconds between two looks at what waits for the flush


@contextmanager
def flushing(settings: Settings) -> Iterator[Callable[[], None]]:
    """A flush that takes over whenever no server's flush holds the index; gives what to do while waiting for either."""
    command = (sys.executable, "-P", "-m", "api.roles", "flush")
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=sys.stderr, start_new_session=True) as child:
        assert child.stdin is not None
        child.stdin.write(json.dumps({"settings": settings.encoded(), "listener": None, "serve": False}).encode() + b"\n")
        child.stdin.flush()

        def pause() -> None:
            if child.poll() is not None:
                raise click.ClickException(f"the flush ended with status {child.returncode}; its messages stand above")
            time.sleep(_PAUSE)

        try:
            yield pause
        finally:
            child.stdin.close()  # its end asks the flush to finish what it has begun

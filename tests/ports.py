"""A port for a server that must be told its port before it starts (who can be told 0 is told 0)."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

_DEALT_OUT: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")


def free_port() -> int:
    """Of those that the system deals out to nobody. A port of its own choice, once free, it gives to the next program that
    asks for any, or to one that connects to somewhere: even to one that tries to connect to this port, and meets itself."""
    first, last = map(int, _DEALT_OUT.read_text().split())
    ours = [*range(10_000, first), *range(last + 1, 65_536)] or [*range(first, last + 1)]
    while True:
        port: int = random.SystemRandom().choice(ours)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port

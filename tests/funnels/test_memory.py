"""What is freed on many threads goes back to the system."""

from __future__ import annotations

import platform
import subprocess
import sys
from typing import Final

import pytest

SCRIPT: Final = """
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
import numpy as np
from funnels.memory import give_back
assert give_back()
threads, each = 8, 12 << 20
barrier = Barrier(threads)
def work(number):
    for _ in range(4):
        held = [np.ones(each // 8) for _ in range(3)]
        barrier.wait()
with ThreadPoolExecutor(threads) as pool:
    list(pool.map(work, range(threads)))
    print(int(Path("/proc/self/status").read_text().split("VmRSS:")[1].split()[0]) // 1024)
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="glibc's own options")
def test_arrays_of_many_threads_are_given_back() -> None:
    """288 MB are in use at the same time."""
    found = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    assert int(found.stdout) < 150

"""Warming up asks questions of every kind, and nothing is left to be compiled for the next ones."""

from __future__ import annotations

from typing import Any

from numba.core import event

from funnels.warm import warm


class Compiled(event.Listener):
    """The functions that were compiled, or loaded."""

    def __init__(self) -> None:
        self.count = 0

    def on_start(self, event: Any) -> None:
        self.count += 1

    def on_end(self, event: Any) -> None:
        pass


def test_after_warming_up_a_question_compiles_nothing() -> None:
    warm()
    listener = Compiled()
    with event.install_listener("numba:compile", listener):
        warm()
    assert listener.count == 0

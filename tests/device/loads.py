"""Loads of experts for tests of residency: quick ones, slow ones, and ones that fail."""

from __future__ import annotations

import threading
from pathlib import Path

from edge_experts.errors import DigestError
from edge_experts.runtime import selfcheck
from edge_experts.runtime.interpreter import Model
from edge_experts.runtime.memory.residency import Residency

_CONTENT = Path(selfcheck.__file__).with_name("tiny.tflite").read_bytes()


def tiny(_: int = 0) -> Model:
    return Model(_CONTENT, "tiny")


def use(experts: Residency, index: int) -> None:
    experts.free(experts.hold(index))


class Gate:
    """Loads that take until someone says so."""

    def __init__(self, *slow: int):
        self.slow, self.loaded = set(slow), list[int]()
        self.started, self.go = threading.Event(), threading.Event()

    def __call__(self, index: int) -> Model:
        if index in self.slow:
            self.started.set()
            assert self.go.wait(30)
        self.loaded.append(index)
        return tiny()


def broken(index: int) -> Model:
    raise DigestError(f"expert {index} is damaged")

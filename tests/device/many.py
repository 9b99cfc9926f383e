"""What tests of many experts share."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np

from edge_experts import ExpertRuntime
from edge_experts.format.manifest import expert_path

INPUTS = list(np.random.default_rng(5).normal(size=(600, 16)).astype(np.float32))


def spoil(bundle: Path, index: int) -> None:
    """Flip one bit in the middle of an expert's file."""
    path = bundle / expert_path(index)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def of_expert(bundle: Path, index: int) -> np.ndarray:
    """An input that the router sends to this expert."""
    with ExpertRuntime(bundle) as runtime:
        return next(example for example in INPUTS if runtime.predict(example).expert == index)


def together(works: list[Callable[[], object]]) -> None:
    """Run all at the same time, each in a thread; errors come back."""
    errors: list[BaseException] = []

    def run(work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads), "a thread waits for ever"
    if errors:
        raise errors[0]

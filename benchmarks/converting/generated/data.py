"""Examples for generated networks: noisy copies of one pattern for each label."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

KINDS = ("table", "image", "window", "tokens")
_KNOWN = 600  # examples to fit and calibrate with, and as many to test with


@dataclass(frozen=True)
class Data:
    """Examples of one random task, (examples, *shape); both parts are of one distribution."""

    kind: str  # one of KINDS
    labels: int
    known: np.ndarray
    targets: np.ndarray  # of `known`, (examples,)
    test: np.ndarray
    test_targets: np.ndarray
    ids: int = 0  # of tokens: they are below this

    @property
    def shape(self) -> tuple[int, ...]:
        return self.known.shape[1:]


def draw(kind: str, random: np.random.Generator) -> Data:
    """Draw a task of 2 to 5 labels."""
    labels = int(random.integers(2, 6))
    targets = random.integers(labels, size=2 * _KNOWN)
    if kind == "tokens":
        return _tokens(labels, targets, random)
    shape: tuple[int, ...] = (int(random.integers(4, 25)),)
    if kind == "image":
        side = int(random.integers(8, 15))
        shape = (side, side, int(random.choice([1, 3])))
    elif kind == "window":
        shape = (int(random.integers(8, 17)), int(random.integers(1, 5)))
    patterns = random.normal(size=(labels, *shape))
    x = patterns[targets] + random.normal(0, 0.7, (2 * _KNOWN, *shape))
    x = x.astype(np.float32)
    return _data(kind, labels, x, targets)


def _tokens(labels: int, targets: np.ndarray, random: np.random.Generator) -> Data:
    """Draw tokens, half of which are from a few that are typical of the label."""
    length, ids = int(random.integers(8, 17)), int(random.integers(50, 301))
    liked = random.integers(ids, size=(labels, 6))
    x = random.integers(ids, size=(2 * _KNOWN, length))
    own = liked[targets[:, None], random.integers(6, size=x.shape)]
    x = np.where(random.random(x.shape) < 0.5, own, x).astype(np.int32)
    return _data("tokens", labels, x, targets, ids)


def _data(kind: str, labels: int, x: np.ndarray, targets: np.ndarray, ids: int = 0) -> Data:
    known, test = slice(None, _KNOWN), slice(_KNOWN, None)
    return Data(kind, labels, x[known], targets[known], x[test], targets[test], ids)

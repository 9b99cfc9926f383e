"""Small data sets for the networks of the matrix."""

from __future__ import annotations

from functools import cache

import numpy as np

from edge_experts.datasets import Dataset, Split, from_arrays

from .cases import DATA, IDS, Case

LABELS = 3
_TRAIN, _TEST = 48, 12


@cache
def dataset(data: str, *, ids: bool = False, column: bool = False) -> Dataset:
    """Noisy copies of one pattern for each label, by the name of the input in `cases.DATA`.

    Args:
        ids: True for whole numbers, as adopted networks with an embedding get them.
        column: True for a last axis of one channel.
    """
    random = np.random.default_rng(0)
    targets = np.arange(_TRAIN + _TEST) % LABELS
    if data == "text":
        return _texts(random, targets)
    shape = DATA[data]
    x = random.normal(size=(LABELS, *shape))[targets]
    x = (x + random.normal(0, 0.3, (len(targets), *shape))).astype(np.float32)
    if ids:
        x = np.clip(np.abs(x) * 5, 0, IDS - 1).astype(np.int32)
    if column:
        x = x[..., None]
    kind = Case("", "", data, lambda keras, x: x).kind
    return from_arrays(kind, x[:_TRAIN], targets[:_TRAIN], x[_TRAIN:], targets[_TRAIN:])


def _texts(random: np.random.Generator, targets: np.ndarray) -> Dataset:
    words = np.array(["red", "green", "blue", "round", "square", "flat", "old", "new", "small"])
    texts = [" ".join([words[target], *random.choice(words[3:], 4)]) for target in targets]

    def split(begin: int, end: int) -> Split:
        return Split(texts[begin:end], targets[begin:end])

    return Dataset(
        name="text",
        kind="text",
        task="classification of texts",
        labels=tuple(words[:LABELS]),
        origin="generated",
        train=split(0, _TRAIN - _TEST),
        validation=split(_TRAIN - _TEST, _TRAIN),
        test=split(_TRAIN, _TRAIN + _TEST),
    )

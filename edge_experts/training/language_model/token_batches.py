"""Batches of windows of a token stream; the windows of an epoch depend on seed and epoch alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from ...features.byte_pairs import END, BytePairFeatures


def stream(texts: Sequence[str], features: BytePairFeatures) -> np.ndarray:
    """Join the tokens of texts, each between two `END`, (tokens,) int32."""
    parts = [np.array([END], np.int32)]
    for text in texts:
        parts += [features.encode(text)["tokens"][0], np.array([END], np.int32)]
    return np.concatenate(parts)


def in_order(texts: Sequence[Any] | np.ndarray, random: np.random.Generator) -> list[str]:
    """Return the texts in random order."""
    return [str(texts[place]) for place in random.permutation(len(texts))]


def steps_of(tokens: int, context: int, rows: int) -> int:
    """Compute the number of whole batches of an epoch, at least 1."""
    return max(1, (tokens - context - 1) // context // rows)


def epoch(tokens: np.ndarray, context: int, rows: int, seed: Sequence[int]) -> Iterator[np.ndarray]:
    """Yield batches (rows, context + 1) int32; a row's last token is the target of the one before.

    The windows start at a random place and do not overlap, in random order.
    """
    random = np.random.default_rng(seed)
    steps = steps_of(len(tokens), context, rows)
    spare = len(tokens) - 1 - steps * rows * context
    if spare < 0:  # less text than one batch: windows overlap
        starts = random.integers(0, max(1, len(tokens) - context), steps * rows)
    else:
        first = int(random.integers(0, spare + 1))
        starts = first + context * random.permutation(steps * rows)
    for step in range(steps):
        own = starts[step * rows : (step + 1) * rows]
        yield np.stack([tokens[start : start + context + 1] for start in own])


def windows(tokens: Sequence[int], context: int) -> Iterator[np.ndarray]:
    """Yield windows of one document, for evaluation: each token but the first is a target once.

    Args:
        tokens: with `END` first.
    """
    for start in range(0, len(tokens) - 1, context):
        yield np.array(tokens[start : start + context + 1], np.int32)

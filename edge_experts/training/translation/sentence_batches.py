"""Pairs of sentences as arrays of tokens, in batches of similar lengths."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ...datasets import Split
from ...features.pieces import END, FIRST_TARGET, PADDING, PieceFeatures

_GRAIN = 4  # lengths are rounded up to multiples of it: each pair of lengths is traced separately

Pair = tuple[list[int], list[int]]  # a sentence and its translation, as token ids
Batch = tuple[np.ndarray, np.ndarray]


def encode(split: Split, features: PieceFeatures, length: int) -> list[Pair]:
    """Tokens of each pair, without pairs that exceed the length of the network.

    Both sequences begin with the language and end with END.
    """
    pairs = []
    for (source, target), language in zip(split.inputs, split.targets.tolist(), strict=True):
        ours, theirs = features.pieces(source), features.pieces(target)
        if max(len(ours), len(theirs)) <= length - 2:
            name = FIRST_TARGET + language
            pairs.append(([name, *ours, END], [name, *theirs, END]))
    return pairs


def epoch(pairs: Sequence[Pair], pieces: int, random: np.random.Generator) -> Iterator[Batch]:
    """Yield all pairs once, in random order, in batches of at most `pieces` tokens on each side.

    Yields:
        source (pairs, length) and target (pairs, length + 1) int32, padded; the lengths differ.
    """
    groups: dict[int, list[int]] = {}
    for row in random.permutation(len(pairs)).tolist():
        groups.setdefault(_length(pairs[row]), []).append(row)
    batches = []
    for length, rows in groups.items():
        size = max(1, pieces // length)
        batches += [rows[at : at + size] for at in range(0, len(rows), size)]
    for place in random.permutation(len(batches)):
        rows = batches[place]
        yield _padded([pairs[row][0] for row in rows]), _padded([pairs[row][1] for row in rows], 1)


def batches_of(pairs: Sequence[Pair], pieces: int) -> int:
    """Number of batches of an epoch."""
    counts: dict[int, int] = {}
    for pair in pairs:
        counts[_length(pair)] = counts.get(_length(pair), 0) + 1
    return sum(-(-count // max(1, pieces // length)) for length, count in counts.items())


def _length(pair: Pair) -> int:
    """Length of the longer side; a target counts one less, since it is shifted by one."""
    return _rounded(max(len(pair[0]), len(pair[1]) - 1))


def _rounded(length: int) -> int:
    return -(-length // _GRAIN) * _GRAIN


def _padded(sequences: Sequence[Sequence[int]], more: int = 0) -> np.ndarray:
    """(sequences, longest rounded up + more) int32."""
    longest = max(map(len, sequences)) - more
    rows = np.full((len(sequences), _rounded(longest) + more), PADDING, np.int32)
    for row, sequence in enumerate(sequences):
        rows[row, : len(sequence)] = sequence
    return rows

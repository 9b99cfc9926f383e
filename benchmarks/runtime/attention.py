"""Time of a language model's attention in numpy, by context, beside matrices of all tokens.

The runtime multiplies block by block, so that a token does not depend on what is computed with it.
Matrices of all tokens, the plain way, do not have that property; both are timed in turn.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time_ns

import numpy as np

from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.tasks.language_model.kv_cache import KeyValueCache
from edge_experts.runtime.tasks.language_model.layered_network import ROWS
from edge_experts.runtime.tasks.language_model.network_settings import (
    NetworkSettings,
    read_settings,
)

_ROUNDS = 15
_WRITTEN = 32  # tokens of a round that are written at the end of the context
_AGREEMENT = 1e-4

_Attend = Callable[[int, int], np.ndarray]  # from one position to another


@dataclass(frozen=True)
class AttentionTimes:
    """Medians of processor time for a token in one layer, in microseconds."""

    context: int
    prompt_us: float
    plain_prompt_us: float
    written_us: float
    plain_written_us: float


def measure(bundle: Path, contexts: Sequence[int]) -> list[AttentionTimes]:
    """Measure with the heads of a bundle.

    Raises:
        ManifestError: it is not a language model.
    """
    settings = read_settings(read_manifest(bundle))
    return [_measure(settings, context) for context in contexts]


def as_table(times: Sequence[AttentionTimes]) -> list[list[str]]:
    """Build one row for each context."""
    head = ["context", "token of a prompt µs", "plain µs", "token that is written µs", "plain µs"]
    rows = [
        [
            f"{one.context:,}",
            f"{one.prompt_us:.1f}",
            f"{one.plain_prompt_us:.1f}",
            f"{one.written_us:.1f}",
            f"{one.plain_written_us:.1f}",
        ]
        for one in times
    ]
    return [head, *rows]


def _measure(size: NetworkSettings, context: int) -> AttentionTimes:
    chance = np.random.default_rng(0)

    def drawn(heads: int) -> np.ndarray:
        return chance.normal(size=(context, heads, size.width)).astype(np.float32)

    query, key, value = drawn(size.heads), drawn(size.key_heads), drawn(size.key_heads)
    cache = KeyValueCache(size, 1, context)

    new = np.concatenate([key, value], axis=1)

    def blocks(begin: int, end: int) -> np.ndarray:
        return cache.attend(0, query[begin:end], new[begin:end], begin)

    keys, values = key.transpose(1, 2, 0)[:, None], value.transpose(1, 0, 2)[:, None]
    grouped = query.reshape(context, size.key_heads, -1, size.width).transpose(1, 2, 0, 3)
    later = np.triu(np.full((context, context), -np.inf, np.float32), 1)

    def plain(begin: int, end: int) -> np.ndarray:
        scores = grouped[:, :, begin:end] @ keys[..., :end] * np.float32(size.width**-0.5)
        scores += later[begin:end, :end]
        scores = np.exp(scores - scores.max(-1, keepdims=True))
        scores /= scores.sum(-1, keepdims=True)
        mixed: np.ndarray = scores @ values[:, :, :end]
        return mixed.transpose(2, 0, 1, 3).reshape(end - begin, -1)

    starts = range(0, context, ROWS)
    for start in starts:
        difference = np.abs(blocks(start, start + ROWS) - plain(start, start + ROWS)).max()
        assert difference < _AGREEMENT, difference
    prompts, written = [], []
    for _ in range(_ROUNDS):
        prompts.append([_prompt(one, starts) / context for one in (blocks, plain)])
        written.append([_written(one, context) / _WRITTEN for one in (blocks, plain)])
    both = [
        statistics.median(column) / 1000
        for rounds in (prompts, written)
        for column in zip(*rounds, strict=True)
    ]
    return AttentionTimes(context, *both)


def _prompt(attend: _Attend, starts: range) -> int:
    before = process_time_ns()
    for start in starts:
        attend(start, start + starts.step)
    return process_time_ns() - before


def _written(attend: _Attend, context: int) -> int:
    before = process_time_ns()
    for position in range(context - _WRITTEN, context):
        attend(position, position + 1)
    return process_time_ns() - before

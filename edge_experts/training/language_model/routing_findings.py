"""Findings about a trained routing: use of the experts, entropy, reuse, and their tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from ...features.byte_pairs import END, BytePairFeatures
from .language_network import LanguageModel

_DOCUMENTS = 64
_TOKENS, _LEAST = 8, 3  # characteristic tokens of an expert, and how often each must occur


@dataclass(frozen=True)
class RoutingFindings:
    """Findings about one layer.

    Attributes:
        usage: share of the routed tokens of each expert.
        entropy: that of the usage, as a share of its largest value.
        reuse: share of a token's experts that the token before it used too.
        tokens: for each expert the tokens that it gets more often than others do, the most
            characteristic first.
    """

    usage: list[float]
    entropy: float
    reuse: float
    tokens: list[list[str]]


def findings(
    model: LanguageModel, texts: Sequence[Any] | np.ndarray, features: BytePairFeatures
) -> list[RoutingFindings]:
    """Measure the routing of the first tokens of some documents, for each layer."""
    context = model.size.context
    rows = [[END, *features.tokens(str(text))][:context] for text in texts[:_DOCUMENTS]]
    rows = [row for row in rows if len(row) > 1]
    size, layers = model.size, len(model.routers)
    counts = np.zeros((layers, size.experts, size.pieces), int)
    same, pairs = np.zeros(layers), 0
    for row in rows:
        _, routings = model.hidden(tf.constant([row], tf.int32))
        for layer, routing in enumerate(routings):
            picks = routing.picks.numpy()
            np.add.at(counts[layer], (picks, np.array(row)[:, None]), 1)
            same[layer] += sum(
                len(set(now) & set(before)) / len(now) for before, now in pairwise(picks.tolist())
            )
        pairs += len(row) - 1
    return [
        _of_layer(counts[layer], float(same[layer] / pairs), features) for layer in range(layers)
    ]


def _of_layer(counts: np.ndarray, reuse: float, features: BytePairFeatures) -> RoutingFindings:
    """Summarize counts, (experts, pieces)."""
    shares = counts.sum(axis=1) / counts.sum()
    present = shares[shares > 0]
    entropy = float(-(present * np.log(present)).sum() / np.log(len(shares)))
    return RoutingFindings(
        usage=[round(float(share), 4) for share in shares],
        entropy=round(entropy, 4),
        reuse=round(reuse, 4),
        tokens=_characteristic(counts, features),
    )


def _characteristic(counts: np.ndarray, features: BytePairFeatures) -> list[list[str]]:
    """Return the tokens that contribute most to each expert's share of the mutual information."""
    expected = counts.sum(axis=1, keepdims=True) * counts.sum(axis=0) / counts.sum()
    lift = np.where(counts >= _LEAST, counts, 0) * np.log(np.maximum(counts, 1) / (expected + 1e-9))
    found = []
    for row in lift:
        best = np.argsort(-row, kind="stable")[:_TOKENS]
        found.append([_shown(int(token), features) for token in best if row[token] > 0])
    return found


def _shown(token: int, features: BytePairFeatures) -> str:
    if token == END:
        return "end of text"
    return features.text([token]).replace(" ", "␣").replace("\n", "⏎")

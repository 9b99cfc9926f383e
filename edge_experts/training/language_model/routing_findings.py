"""Findings about a trained model's routing: use of the experts, entropy, reuse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import tensorflow as tf

from ...features.byte_pairs import END, BytePairFeatures
from .language_network import LanguageModel

_DOCUMENTS = 64


def findings(
    model: LanguageModel, texts: Sequence[Any] | np.ndarray, features: BytePairFeatures
) -> list[dict[str, Any]]:
    """Measure the routing of the first tokens of some documents.

    Returns:
        for each layer "usage", the share of the routed tokens of each expert; "entropy", that of
        the usage as a share of its largest value; "reuse", the share of a token's experts that the
        token before it used too.
    """
    context = model.size.context
    rows = [[END, *features.tokens(str(text))][:context] for text in texts[:_DOCUMENTS]]
    rows = [row for row in rows if len(row) > 1]
    used = np.zeros((len(model.routers), model.size.experts))
    same = np.zeros(len(model.routers))
    pairs = 0
    for row in rows:
        _, routings = model.hidden(tf.constant([row], tf.int32))
        for layer, routing in enumerate(routings):
            picks = routing.picks.numpy()
            used[layer] += np.bincount(picks.ravel(), minlength=model.size.experts)
            same[layer] += sum(
                len(set(now) & set(before)) / len(now) for before, now in pairwise(picks.tolist())
            )
        pairs += len(row) - 1
    found = []
    for layer, counts in enumerate(used):
        shares = counts / counts.sum()
        present = shares[shares > 0]
        entropy = float(-(present * np.log(present)).sum() / np.log(len(shares)))
        found.append(
            {
                "usage": [round(float(share), 4) for share in shares],
                "entropy": round(entropy, 4),
                "reuse": round(float(same[layer] / pairs), 4),
            }
        )
    return found

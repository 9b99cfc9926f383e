"""A network with a fine table, folded into experts with small ones.

Bags of n-grams share rows: the more n-grams a table has to tell apart, the more of them say what
others say. An expert only meets the n-grams of its own inputs. So one network learns from all
inputs, with as many buckets as all experts have together, and each expert starts from its share of
it: a row is the mean of the fine rows that it stands for, by how much they weigh in the expert's
inputs. Where experts' n-grams hardly overlap, as those of languages do, little is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import tf_keras

from .layers import WeightedBag

_OTHERS = 0.01  # what n-grams of other experts' inputs weigh: a row that none of its own uses


def finer(expert: tf_keras.Model, times: int) -> tf_keras.Model | None:
    """An untrained network like `expert` with so many times its buckets; None if it has none."""
    if not _bags(expert):
        return None

    def more(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        config = layer.get_config()
        if isinstance(layer, WeightedBag):
            config["buckets"] *= times
        return type(layer).from_config(config)

    return tf_keras.models.clone_model(expert, clone_function=more)


def fold(
    fine: tf_keras.Model,
    experts: Sequence[tf_keras.Model],
    inputs: Mapping[str, np.ndarray],
    owners: np.ndarray,
) -> None:
    """Give each expert the fine network's weights, its tables folded by what the expert meets.

    Args:
        fine: what `finer` made of an expert, trained.
        inputs: `ids` and `weights` of the training texts, (texts, length).
        owners: the expert of each text, (texts,).
    """
    ids, weights = inputs["ids"], inputs["weights"]
    for place, expert in enumerate(experts):
        own = np.where(owners == place, 1.0, _OTHERS)[:, None] * weights
        for source, target in zip(fine.layers, expert.layers, strict=True):
            values = source.get_weights()
            if isinstance(source, WeightedBag):
                rows = np.bincount((ids % source.buckets).ravel(), own.ravel(), source.buckets)
                values[0] = _folded(values[0], rows, target.buckets)
            target.set_weights(values)


def _folded(table: np.ndarray, weights: np.ndarray, buckets: int) -> np.ndarray:
    """(buckets, units) weighted means of the rows of `table` whose numbers are alike mod buckets.

    A row that no input uses is 0.
    """
    shares = weights.reshape(-1, buckets)
    sums = np.einsum("kb,kbu->bu", shares, table.reshape(-1, buckets, table.shape[1]))
    means: np.ndarray = sums / np.maximum(shares.sum(axis=0), 1e-12)[:, None]
    return means.astype(table.dtype)


def _bags(network: tf_keras.Model) -> list[WeightedBag]:
    return [layer for layer in network.layers if isinstance(layer, WeightedBag)]

"""Compression of trained networks by tensorflow-model-optimization, with fine-tuning.

Pruning sets the smallest weights to zero, clustering makes a layer's weights share a few values,
and quantization-aware training adapts a network to the rounding of int8. All return a plain
tf_keras network, which is saved, loaded and converted like any other.
"""

from __future__ import annotations

import tf_keras

from ...compression import AWARENESS, CLUSTERING, PRUNING, Compression
from ..randomness import reseed
from .awareness import quantization_aware
from .clustering import cluster
from .pruning import prune, sparsity_for
from .tuning import Tuning

__all__ = ["Tuning", "apply", "cluster", "prune", "quantization_aware", "sparsity_for"]


def apply(network: tf_keras.Model, tuning: Tuning, compression: Compression) -> tf_keras.Model:
    """Apply all steps of a compression to a copy of the network.

    Raises:
        UnsuitableError: a step does not support the network; the message has the reason.
    """
    steps, done = compression.steps, network
    if PRUNING in steps:
        reseed(tuning.seed, PRUNING)
        share = compression.sparsity
        if compression.nonzero is not None:
            share = sparsity_for(network, compression.nonzero)
        done = prune(done, tuning, sparsity=share)
    if CLUSTERING in steps:
        reseed(tuning.seed, CLUSTERING)
        done = cluster(done, tuning, clusters=compression.clusters, keep_zeros=PRUNING in steps)
    if AWARENESS in steps:
        reseed(tuning.seed, AWARENESS)
        done = quantization_aware(
            done, tuning, keep_zeros=PRUNING in steps, keep_clusters=CLUSTERING in steps
        )
    return done

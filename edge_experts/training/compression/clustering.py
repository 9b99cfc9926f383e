"""Weight clustering: a layer's weights share a few values, which deflate well."""

from __future__ import annotations

import tf_keras
from tensorflow_model_optimization.clustering import keras as clustering

# The public `cluster_weights` has no `preserve_sparsity`; tfmot's guide imports it from here too.
from tensorflow_model_optimization.python.core.clustering.keras.experimental import (
    cluster as experimental,
)

from ...errors import UnsuitableError
from ..layers import WeightedBag
from .tuning import Tuning, copied

# Registered here: importing the toolkit's layers must not import tfmot.
clustering.ClusterableLayer.register(WeightedBag)


def cluster(
    network: tf_keras.Model, tuning: Tuning, *, clusters: int, keep_zeros: bool = False
) -> tf_keras.Model:
    """Limit the number of distinct weights of a layer (Han et al., 2016, Deep compression).

    The values are initialized by k-means++ and trained with the rest. Layers with fewer weights,
    biases, and layers that tfmot does not support (DepthwiseConv2D) are unchanged.

    Args:
        keep_zeros: pruned weights stay zero; zero is one of the values.

    Raises:
        UnsuitableError: no layer of the network can be clustered.
    """
    clustered = []

    def wrapped(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
        if not layer.weights or layer.count_params() <= 2 * clusters:
            return layer
        try:
            made = experimental.cluster_weights(
                layer,
                number_of_clusters=clusters,
                cluster_centroids_init=clustering.CentroidInitialization.KMEANS_PLUS_PLUS,
                preserve_sparsity=keep_zeros,
            )
        except ValueError:  # a layer that tfmot does not support
            return layer
        if not made.layer.get_clusterable_weights():
            return layer
        clustered.append(layer)
        return made

    wrapping = tf_keras.models.clone_model(copied(network), clone_function=wrapped)
    if not clustered:
        raise UnsuitableError(
            "none of its layers can be clustered by tensorflow-model-optimization; remove "
            "clustering"
        )
    tuning.fit(wrapping, stage="clustering")
    return copied(clustering.strip_clustering(wrapping))

"""A first router for a run with one network, so that a second expert can be added."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tf_keras

from .. import networks
from ..model import SparseExperts


def with_router(
    model: SparseExperts, kind: str, settings: Mapping[str, Any], inputs: Mapping[str, np.ndarray]
) -> SparseExperts:
    """Add a router of one output to a model without one: all inputs are routed to its network.

    Args:
        kind: kind of the data, a name in `networks.BY_KIND`.
        settings: settings of the features.
        inputs: encoded examples.
    """
    if model.router is None:
        shapes = networks.Shapes(
            kind,
            {name: (array.shape[1:], str(array.dtype)) for name, array in inputs.items()},
            model.experts[0].output_shape[-1],
            settings,
        )
        router: tf_keras.Model = networks.BY_KIND[kind].router(shapes, 1)
        model.router = router
    return model

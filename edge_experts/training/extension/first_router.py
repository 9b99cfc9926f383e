"""A router for a run that is one network, so that a second expert can be added to it."""

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
    """The model with a new router of one output, where it has none: all inputs go to its network.

    Args:
        kind: of the data, a name in `networks.BY_KIND`.
        settings: of the features.
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

"""Check that a model fits its bundle, when it is loaded instead of at its first answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..errors import ModelError
from ..format.limits import LIMITS
from ..format.manifest import TRUNK
from .interpreter import Model

Shapes = Mapping[str, tuple[tuple[int, ...], type[np.number]]]  # arrays by name: shape and type


def must_fit(model: Model, arrays: Shapes, outputs: int, what: str) -> None:
    """Compare a model's inputs with the bundle's arrays, and the size of its output with `outputs`.

    Args:
        outputs: required size of the first output, one number for each of `what`.

    Raises:
        ModelError: an input or the output does not fit.
    """
    for name, shape, kind, is_quantized in model.inputs:
        if len(shape) > LIMITS.tensor_rank:
            raise ModelError(f"{model.name}: {name!r} has more than {LIMITS.tensor_rank} axes")
        if name not in arrays:
            known = ", ".join(sorted(arrays))
            raise ModelError(
                f"{model.name}: input {name!r:.80} is not in its bundle, which has {known}"
            )
        expected, expected_kind = arrays[name]
        if shape != expected:
            raise ModelError(
                f"{model.name}: {name!r} must have the shape {expected}, has {shape!s:.80}"
            )
        fits = (
            kind.kind in "iu" and expected_kind is np.float32
            if is_quantized
            else (kind == expected_kind)
        )
        if not fits:
            raise ModelError(f"{model.name}: {name!r} must be {np.dtype(expected_kind)}, is {kind}")
    shape, kind, is_quantized = model.output
    if shape != (1, outputs):
        raise ModelError(
            f"{model.name}: its output must have the shape {(1, outputs)}, one number for each of "
            f"the {what}; it has the shape {shape!s:.80}"
        )
    if not _is_real(kind, is_quantized):
        raise ModelError(f"{model.name}: its output must be real numbers, is {kind}")


def shapes_of(arrays: Mapping[str, np.ndarray]) -> Shapes:
    """Collect the shape and type of each array."""
    return {name: (array.shape, array.dtype.type) for name, array in arrays.items()}


def trunk_shape(router: Model) -> Shapes:
    """Return the shape of the router's array for the experts; empty without a trunk.

    Raises:
        ModelError: the array is not (1, units) float32.
    """
    if router.second_output is None:
        return {}
    shape, kind, is_quantized = router.second_output
    if len(shape) != 2 or shape[0] != 1 or not _is_real(kind, is_quantized):
        raise ModelError(
            f"{router.name}: its second output must be (1, units) real numbers, is {shape!s:.80} "
            f"{kind}"
        )
    return {TRUNK: (shape, np.float32)}


def _is_real(kind: np.dtype[Any], is_quantized: bool) -> bool:
    """Test for a tensor of real numbers, stored as float32 or as quantized integers."""
    return kind.kind in "iu" if is_quantized else kind == np.float32

"""Whether a model fits its bundle: asked when it is loaded, rather than found out by an answer."""

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
    """Compare a model's inputs with the arrays that it will be given, and count its outputs.

    Args:
        outputs: how many numbers its first output must have, one for each of `what`.

    Raises:
        ModelError: it asks for something else, or answers something else.
    """
    for name, shape, kind, is_quantized in model.inputs:
        if len(shape) > LIMITS.tensor_rank:
            raise ModelError(f"{model.name}: {name!r} has more than {LIMITS.tensor_rank} axes")
        if name not in arrays:
            known = ", ".join(sorted(arrays))
            raise ModelError(f"{model.name}: asks for {name!r:.80}; its bundle has {known}")
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
            f"{model.name}: must answer with {(1, outputs)} numbers, one for each of the {what}; "
            f"its output has the shape {shape!s:.80}"
        )
    if not _is_real(kind, is_quantized):
        raise ModelError(f"{model.name}: must answer with real numbers, answers with {kind}")


def shapes_of(arrays: Mapping[str, np.ndarray]) -> Shapes:
    """Shape and type of each array."""
    return {name: (array.shape, array.dtype.type) for name, array in arrays.items()}


def trunk_shape(router: Model) -> Shapes:
    """The array that a router makes for the experts: empty where it makes none.

    Raises:
        ModelError: it makes something else than (1, units) float32.
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
    """Whether a tensor holds real numbers, as they are or as integers that stand for them."""
    return kind.kind in "iu" if is_quantized else kind == np.float32

"""Features on the board: the scales of arrays, the columns of tables."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_experts.features import ArrayFeatures, Features, TableFeatures

from ..tasks import c_literals as literals


def defines(features: Features) -> dict[str, int]:
    """Return the features' numbers for edge_experts_config.h."""
    if isinstance(features, TableFeatures):
        numbers, categories = _columns(features)
        inputs = len(numbers) + sum(len(column["values"]) for column in categories)
        return {
            "INPUTS": inputs,
            "TABLE": 1,
            "NUMBERS": len(numbers),
            "CATEGORIES": len(categories),
        }
    assert isinstance(features, ArrayFeatures)
    inputs = math.prod(features.settings["shape"])
    return {"INPUTS": inputs, "TABLE": 0, "SCALES": len(_scales(features)[0])}


def definitions(features: Features) -> str:
    """Write the C arrays that edge_experts_encode reads."""
    if isinstance(features, TableFeatures):
        return _of_table(features)
    assert isinstance(features, ArrayFeatures)
    mean, deviation = (map(literals.single, scale) for scale in _scales(features))
    return _array("float", "mean", mean) + _array("float", "deviation", deviation)


def _of_table(features: TableFeatures) -> str:
    numbers, categories = _columns(features)
    arrays = features.arrays
    mean, deviation = (map(literals.double, arrays[name]) for name in ("mean", "deviation"))
    values = "".join(
        f"static const char *const values_{index}[] = {{\n"
        f"{literals.listing(map(literals.text, column['values']))}\n}};\n\n"
        for index, column in enumerate(categories)
    )
    records = [
        f"{{{literals.text(column['name'])}, {len(column['values'])}, values_{index}}}"
        for index, column in enumerate(categories)
    ]
    named = [literals.text(column["name"]) for column in numbers]
    return (
        _array("char *const", "number_names", named)
        + _array("double", "mean", mean)
        + _array("double", "deviation", deviation)
        + values
        + "const edge_experts_category edge_experts_categories[] = {\n"
        + f"{literals.listing(records or ['{NULL, 0, NULL}'])}\n}};\n"
    )


def _columns(features: TableFeatures) -> tuple[list[Mapping[str, Any]], list[Mapping[str, Any]]]:
    """Split columns into numbers and categories, in the order of `encode`."""
    columns = features.settings["columns"]
    return (
        [column for column in columns if "values" not in column],
        [column for column in columns if "values" in column],
    )


def _scales(features: ArrayFeatures) -> tuple[np.ndarray, np.ndarray]:
    """Reduce mean and deviation to the numbers that repeat throughout an example."""
    shape, arrays = features.settings["shape"], features.arrays
    mean, deviation = (
        np.broadcast_to(arrays[name], shape).ravel() for name in ("mean", "deviation")
    )
    for count in (1, shape[-1]):
        repeated = [np.resize(scale[:count], len(mean)) for scale in (mean, deviation)]
        if np.array_equal(repeated, [mean, deviation]):
            return mean[:count], deviation[:count]
    return mean, deviation


def _array(kind: str, name: str, items: Any) -> str:
    return f"const {kind} edge_experts_{name}[] = {{\n{literals.listing(items)}\n}};\n\n"

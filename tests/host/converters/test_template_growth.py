"""Grown templates compute, bit by bit, what the converter's own large file computes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ConversionError
from edge_experts.runtime import interpreter


def _networks() -> dict[str, Any]:
    from edge_experts.converters.checkpoints.file_networks import Expert, Product

    return {
        "head": Product(64, 1000, biased=False, epsilon=1e-6),
        "biased": Product(128, 320, biased=True, epsilon=None, given="mixed"),
        "expert": Expert(64, 224),
        "shared": Expert(64, 320, shared=True),
    }


def _filled(content: bytes, places: Any, network: Any, recipe: str) -> bytes:
    """Write the same random parameters into a template."""
    from edge_experts.converters.checkpoints.weight_rows import RECIPES, float32

    random, made = np.random.default_rng(1), bytearray(content)
    shapes = {**network.weights, **{name: (size,) for name, size in network.vectors.items()}}
    for name, shape in shapes.items():
        values = random.normal(size=shape).astype(np.float32)
        encode = RECIPES[recipe] if name in network.weights else float32
        for place, part in zip(places[name], encode(values), strict=True):
            if part:
                made[place : place + len(part)] = part
    return bytes(made)


@pytest.mark.parametrize("kind", ["head", "biased", "expert", "shared"])
@pytest.mark.parametrize("recipe", ["float32", "int8", "int4"])
def test_the_outputs_are_the_same_bits(
    keras: Any, monkeypatch: pytest.MonkeyPatch, kind: str, recipe: str
) -> None:
    pytest.importorskip("litert_quantizer")
    if recipe != "float32" and interpreter.package() != "ai_edge_litert":
        interpreter_class = pytest.importorskip("ai_edge_litert.interpreter").Interpreter
    else:
        interpreter_class = interpreter.interpreter_class()
    from edge_experts.converters.checkpoints import template_growth, template_process

    network, found = _networks()[kind], []
    for least in (1, 2**40):
        monkeypatch.setattr(template_growth, "_LARGE", least)
        content, places = template_process.template(network, recipe)
        assert len(content) > sum(rows * columns for rows, columns in network.weights.values()) // 2
        model = interpreter_class(model_content=_filled(content, places, network, recipe))
        found.append(_run(model, network.inputs))
    assert np.abs(found[0]).max() > 0
    assert np.array_equal(found[0], found[1])


def _run(model: Any, inputs: int) -> np.ndarray:
    """Run three rows at once."""
    (given,) = model.get_input_details()
    rows = np.random.default_rng(2).normal(size=(3, inputs)).astype(np.float32)
    model.resize_tensor_input(given["index"], rows.shape)
    model.allocate_tensors()
    model.set_tensor(given["index"], rows)
    model.invoke()
    made: np.ndarray = model.get_tensor(model.get_output_details()[0]["index"])
    return made


def test_large_networks_alone_are_grown() -> None:
    from edge_experts.converters.checkpoints.file_networks import Attention, Expert, Product
    from edge_experts.converters.checkpoints.template_growth import shrunk

    assert shrunk(Expert(1024, 512)) is None
    assert shrunk(Attention(4096, 4096, 1024, 128, False, "", 1e-6)) is None
    small, sizes = shrunk(Product(1024, 49155, biased=False, epsilon=1e-6)) or (None, {})
    assert isinstance(small, Product)
    assert (sizes[small.inputs], sizes[small.outputs]) == (1024, 49155)


def test_two_parameters_in_one_place_are_refused(keras: Any) -> None:
    from edge_experts.converters.checkpoints import template_growth, template_process
    from edge_experts.converters.checkpoints.file_networks import Product
    from edge_experts.converters.checkpoints.weight_rows import RowBytes

    content, _ = template_process.template(Product(160, 96, biased=False, epsilon=1e-6), "float32")
    with pytest.raises(ConversionError, match="no place of its own for weight"):
        template_growth.grown(content, {"weight": RowBytes(b"nowhere", b"")}, {160: 1, 96: 1})

"""Child process that makes templates: a TFLite file of each network, with random weights.

`python -m edge_experts.converters.checkpoints.template_process JOB` reads JOB/templates.json, a
list of {"name", "kind", "sizes", "recipe"}, prints each name, and writes for each

    NAME.tflite      with random weights
    NAME.json        {parameter: [offset of its numbers, of its scales or null]}, in bytes

Offsets are found by the bytes of the random weights, quantized by `weight_rows`: a template for
which these differ from the quantizer's is refused. TensorFlow makes the file in float32, LiteRT's
quantizer quantizes it.
"""

from __future__ import annotations

import contextlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported
from edge_experts.errors import ConversionError

import tensorflow as tf  # isort: skip

from .backends import TensorFlowOperations  # isort: skip
from .file_networks import KINDS, FileNetwork  # isort: skip
from .template_growth import grown, shrunk  # isort: skip
from .weight_rows import RECIPES, RowBytes, float32  # isort: skip


def main(job: Path) -> None:
    for one in json.loads((job / "templates.json").read_text()):
        print(one["name"], flush=True)
        network = KINDS[one["kind"]](**one["sizes"])
        content, places = template(network, one["recipe"])
        (job / f"{one['name']}.tflite").write_bytes(content)
        (job / f"{one['name']}.json").write_text(json.dumps(places))


def template(network: FileNetwork, recipe: str) -> tuple[bytes, dict[str, list[int | None]]]:
    """Make one template and find its parameters.

    Raises:
        ConversionError: a parameter is not found exactly once.
    """
    small = shrunk(network)
    if small is None:
        content, _, places = _random(network, recipe)
        return content, places
    content, parameters, _ = _random(small[0], recipe)
    return grown(content, parameters, small[1])


def _random(
    network: FileNetwork, recipe: str
) -> tuple[bytes, dict[str, RowBytes], dict[str, list[int | None]]]:
    """Make a file with random weights; return it with their bytes and their offsets."""
    random = np.random.default_rng(0)
    shapes: dict[str, tuple[int, ...]] = {
        **network.weights,
        **{name: (size,) for name, size in network.vectors.items()},
    }
    given = {name: random.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    content = _converted(network, given)
    if recipe != "float32" and network.weights:
        content = quantized(content, recipe)
    made, places = {}, dict[str, list[int | None]]()
    for name, value in given.items():
        one = (RECIPES[recipe] if name in network.weights else float32)(value)
        made[name] = one
        places[name] = [
            _place(content, one.numbers, name, network),
            _place(content, one.scales, name, network) if one.scales else None,
        ]
    return content, made, places


def _converted(network: FileNetwork, given: dict[str, np.ndarray]) -> bytes:
    shape = (1, network.inputs)
    signature = {network.given: tf.TensorSpec(shape, tf.float32, name=network.given)}

    @tf.function(input_signature=[signature])
    def answer(inputs: dict[str, Any]) -> Any:
        return network.compute(TensorFlowOperations(tf), given, inputs[network.given])

    function = answer.get_concrete_function()
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function], tf.Module())
    made: bytes = converter.convert()
    return made


def quantized(content: bytes, recipe: str) -> bytes:
    """Quantize the products of a float32 file by LiteRT's quantizer."""
    from litert_quantizer.qtyping import QuantGranularity, TFLOperationName
    from litert_quantizer.quantizer import Quantizer

    bits, granularity = {
        "int8": (8, QuantGranularity.CHANNELWISE),
        "int4": (4, QuantGranularity.BLOCKWISE_32),
    }[recipe]
    quantizer = Quantizer(bytearray(content))
    quantizer.add_dynamic_config(
        regex=".*",
        operation_name=TFLOperationName.FULLY_CONNECTED,
        num_bits=bits,
        granularity=granularity,
    )
    with contextlib.redirect_stdout(sys.stderr):  # it prints sizes
        return bytes(quantizer.quantize().quantized_model)


def _place(content: bytes, wanted: bytes, name: str, network: FileNetwork) -> int:
    place = content.find(wanted)
    if place < 0 or content.find(wanted, place + 1) >= 0:
        raise ConversionError(
            f"the template of {network} has no place of its own for {name}: the installed "
            "TensorFlow or litert-quantizer writes other files than this version expects"
        )
    return place


if __name__ == "__main__":
    main(Path(sys.argv[1]))

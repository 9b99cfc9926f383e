"""Weights of 4 bits in blocks of 32, by LiteRT's quantizer.

TensorFlow's converter has no weights of 4 bits. tflite-runtime 2.14 loads such files and computes
zeros: they are for LiteRT alone.
"""

from __future__ import annotations

import importlib.util

from edge_experts.errors import MissingExtraError

BLOCK = 32  # weights that share a scale


def require() -> None:
    """Raise MissingExtraError unless the quantizer is installed."""
    if importlib.util.find_spec("litert_quantizer") is None:
        raise MissingExtraError("litert-quantizer", "int4")


def in_blocks(content: bytes) -> bytes:
    """Quantize the weights of a float32 file; activations are quantized at run time."""
    from litert_quantizer.qtyping import QuantGranularity, TFLOperationName
    from litert_quantizer.quantizer import Quantizer

    quantizer = Quantizer(bytearray(content))
    quantizer.add_dynamic_config(
        regex=".*",
        operation_name=TFLOperationName.FULLY_CONNECTED,
        num_bits=4,
        granularity=QuantGranularity.BLOCKWISE_32,
    )
    return bytes(quantizer.quantize().quantized_model)

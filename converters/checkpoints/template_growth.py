"""Growth of a template: a file of a small network becomes that of a large one of the same kind.

TensorFlow and the quantizer hold many copies of a weight: the head of a model of one billion
parameters takes 7 GB. So large networks are converted with small sizes, each of which occurs
nowhere else in the file; then every size in the file is replaced, and the constants get as many
bytes as they need. Only shapes and lengths differ between the two files.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from edge_experts.errors import ConversionError

from .file_networks import Expert, FileNetwork, Product
from .weight_rows import BLOCK, RowBytes

_LARGE = 2**23  # numbers in a weight from which a network is grown
# Sizes in place of inputs and of outputs or an expert's width: multiples of 32, so that rows have
# whole blocks, whose numbers, 5 and 3, are sizes of the scales.
_FIRST, _SECOND = 160, 96
_TAG = 64  # random bytes that mark a constant's place
_ALIGNED = 16  # bytes, of a constant: the schema's force_align, which the Python writer ignores


def shrunk(network: FileNetwork) -> tuple[FileNetwork, dict[int, int]] | None:
    """Return a small network of the same kind, and its sizes with those that they stand for.

    None for a network that is small, or whose file has sizes in its constants.
    """
    if max((rows * columns for rows, columns in network.weights.values()), default=0) < _LARGE:
        return None
    if isinstance(network, Product):
        small: FileNetwork = Product(
            _FIRST, _SECOND, network.biased, network.epsilon, network.given
        )
        return small, _sizes(network.inputs, network.outputs)
    if isinstance(network, Expert):
        return Expert(_FIRST, _SECOND, network.shared), _sizes(network.units, network.inner)
    return None


def _sizes(first: int, second: int) -> dict[int, int]:
    return {
        _FIRST: first,
        _SECOND: second,
        _FIRST // BLOCK: first // BLOCK,
        _SECOND // BLOCK: second // BLOCK,
    }


def grown(
    content: bytes, parameters: Mapping[str, RowBytes], sizes: Mapping[int, int]
) -> tuple[bytes, dict[str, list[int | None]]]:
    """Replace the sizes of a file; its constants become zeros.

    Args:
        content: the small file.
        parameters: bytes of its parameters by name.
        sizes: as `shrunk` returns them.

    Returns:
        The file, and for each parameter the offsets of its numbers and of its scales.

    Raises:
        ConversionError: a parameter is not found exactly once.
    """
    schema, builder = _schema()
    model = schema.ModelT.InitFromPackedBuf(bytearray(content), 0)
    random = np.random.default_rng(0)
    tags: dict[tuple[str, int], bytes] = {}

    def tag(of: bytes, which: str, large: np.ndarray) -> np.ndarray:
        """Mark a constant by random bytes at its start, if it is a parameter."""
        names = [
            (name, place)
            for name, made in parameters.items()
            for place, one in enumerate(made)
            if one and one == of
        ]
        if len(names) == 1:
            tags[names[0]] = random.bytes(min(_TAG, large.nbytes))
            large.view(np.uint8)[: len(tags[names[0]])] = np.frombuffer(tags[names[0]], np.uint8)
        elif len(names) > 1:
            raise ConversionError(f"the template has one place for {names} ({which})")
        return large

    (graph,) = model.subgraphs
    changed: set[int] = set()
    for tensor in graph.tensors:
        old = [int(size) for size in (tensor.shape if tensor.shape is not None else [])]
        new = [sizes.get(size, size) for size in old]
        if tensor.shape is not None:
            tensor.shape = np.array(new, np.int32)
        if tensor.shapeSignature is not None:
            tensor.shapeSignature = np.array(
                [sizes.get(int(size), int(size)) for size in tensor.shapeSignature], np.int32
            )
        buffer = model.buffers[tensor.buffer]
        if old != new and buffer.data is not None and len(buffer.data):
            if tensor.buffer in changed:
                raise ConversionError("two tensors of the template share a constant")
            changed.add(tensor.buffer)
            raw = np.asarray(buffer.data, np.uint8).tobytes()
            size = len(raw) * int(np.prod(new, dtype=np.int64)) // int(np.prod(old))
            buffer.data = tag(raw, "numbers", np.zeros(size, np.uint8))
        _grow_scales(tensor.quantization, sizes, tag)
    builder.Finish(model.Pack(builder), b"TFL3")
    made = bytes(builder.Output())
    return made, _places(made, parameters, tags)


def _grow_scales(quantization: Any, sizes: Mapping[int, int], tag: Any) -> None:
    """Give each row of a weight a scale and a zero point."""
    if quantization is None or quantization.scale is None or len(quantization.scale) < 2:
        return
    scales = np.asarray(quantization.scale, np.float32)
    count = sizes[len(scales)]
    quantization.scale = tag(scales.tobytes(), "scales", np.zeros(count, np.float32))
    if quantization.zeroPoint is not None:
        quantization.zeroPoint = np.zeros(count, np.int64)


def _places(
    content: bytes, parameters: Mapping[str, RowBytes], tags: Mapping[tuple[str, int], bytes]
) -> dict[str, list[int | None]]:
    found: dict[str, list[int | None]] = {}
    for name, made in parameters.items():
        places: list[int | None] = []
        for number, one in enumerate(made):
            wanted = tags.get((name, number))
            if not one:
                places.append(None)
                continue
            if wanted is None or content.count(wanted) != 1:
                raise ConversionError(f"the grown template has no place of its own for {name}")
            places.append(content.find(wanted))
        found[name] = places
    return found


def _schema() -> tuple[Any, Any]:
    """Return the newest installed schema, and a writer that aligns constants."""
    import flatbuffers

    try:
        from ai_edge_litert import schema_py_generated as schema  # it knows scales of blocks
    except ImportError:
        from tensorflow.lite.python import schema_py_generated as schema

    class Builder(flatbuffers.Builder):
        def StartVector(self, elemSize: int, numElems: int, alignment: int) -> int:  # noqa: N802, N803
            if elemSize * numElems >= _TAG:
                alignment = max(alignment, _ALIGNED)
            place: int = super().StartVector(elemSize, numElems, alignment)
            return place

    return schema, Builder(1024)

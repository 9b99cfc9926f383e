"""Positions of the constant tensors in a .tflite file.

Tables of FlatBuffers (https://flatbuffers.dev/internals) with the fields of TensorFlow Lite's
schema (tensorflow/lite/schema/schema.fbs), read without a package.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import NamedTuple

from ..errors import ModelError

_SUBGRAPHS, _BUFFERS = 2, 4  # fields of a model
_TENSORS = 0  # field of a subgraph
_BUFFER = 2  # field of a tensor
_DATA, _OFFSET, _SIZE = 0, 1, 2  # fields of a buffer


class Place(NamedTuple):
    """Bytes of a file: the first, and that after the last."""

    start: int
    end: int


def constants(content: bytes, tensors: Iterable[int], name: str) -> dict[int, Place]:
    """Find those of these tensors that are constants; tensors may share bytes.

    Args:
        tensors: their numbers in the first subgraph.
        name: for errors.

    Raises:
        ModelError: the file is not of this format, or has no such tensor.
    """
    try:
        model = _Table(content, _number(content, "<I", 0))
        graph, found = model.table(_SUBGRAPHS, 0), {}
        for number in tensors:
            buffer = graph.table(_TENSORS, number).value(_BUFFER, "<I")
            place = _place(model.table(_BUFFERS, buffer))
            if place.start < place.end <= len(content):
                found[number] = place
        return found
    except (struct.error, IndexError):
        raise ModelError(f"{name}: is not a .tflite file") from None


def _place(buffer: _Table) -> Place:
    vector = buffer.vector(_DATA)
    if vector is not None:
        start, count = vector
        return Place(start, start + count)
    # Beside the tables, as in files over 2 GB.
    start = buffer.value(_OFFSET, "<Q")
    return Place(start, start + buffer.value(_SIZE, "<Q"))


class _Table:
    """A table of a FlatBuffer, at a place of the file."""

    __slots__ = ("_content", "_fields", "_place", "_size")

    def __init__(self, content: bytes, place: int):
        self._content, self._place = content, place
        self._fields = place - _number(content, "<i", place)
        self._size = _number(content, "<H", self._fields)

    def value(self, field: int, kind: str) -> int:
        """Read a number; 0 if it is not there."""
        place = self._at(field)
        return 0 if place is None else _number(self._content, kind, place)

    def vector(self, field: int) -> tuple[int, int] | None:
        """Return the place of a vector's first element, and the number of elements."""
        place = self._at(field)
        if place is None:
            return None
        place += _number(self._content, "<I", place)
        return place + 4, _number(self._content, "<I", place)

    def table(self, field: int, number: int) -> _Table:
        """Read one table of a vector of them."""
        start, count = self.vector(field) or (0, 0)
        if not 0 <= number < count:
            raise IndexError(number)
        place = start + 4 * number
        return _Table(self._content, place + _number(self._content, "<I", place))

    def _at(self, field: int) -> int | None:
        place = 4 + 2 * field
        if place >= self._size:
            return None
        offset = _number(self._content, "<H", self._fields + place)
        return self._place + offset if offset else None


def _number(content: bytes, kind: str, place: int) -> int:
    if place < 0:
        raise IndexError(place)
    number: int = struct.unpack_from(kind, content, place)[0]
    return number

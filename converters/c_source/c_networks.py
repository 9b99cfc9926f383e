"""Router and experts of a bundle, as C source needs them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from edge_experts.errors import UnsuitableError
from edge_experts.format.manifest import ROUTER, TRUNK

from ..targets.microcontroller import MICROCONTROLLER
from ..targets.tflite_reader import Port, Structure, read
from ..tasks import c_literals as literals

_TYPES = {"FLOAT32": "EDGE_EXPERTS_FLOAT32", "INT8": "EDGE_EXPERTS_INT8"}
_NONE = "{EDGE_EXPERTS_NONE, 0, 0, 0.0f, 0}"
# Methods of MicroMutableOpResolver whose names differ from the schema's.
_METHODS = {
    "BATCH_MATMUL": "AddBatchMatMul",
    "CUMSUM": "AddCumSum",
    "PADV2": "AddPadV2",
    "UNIDIRECTIONAL_SEQUENCE_LSTM": "AddUnidirectionalSequenceLSTM",
}


@dataclass(frozen=True)
class Network:
    """File of the bundle, checked against the operators of TensorFlow Lite Micro."""

    path: str
    content: bytes
    structure: Structure

    @classmethod
    def of(cls, path: str, content: bytes) -> Network:
        """Check a file; raises UnsuitableError if it cannot run there or has unsupported inputs."""
        network = cls(path, content, read(content))
        MICROCONTROLLER.check(content, network.name)
        for port in (*network.structure.inputs, *network.structure.outputs):
            if port.type not in _TYPES:
                raise UnsuitableError(
                    f"{network.name}: its {port.name} is of {port.type.lower()}, and C source "
                    "supports float32 and int8; convert with --quantization int8"
                )
        return network

    @property
    def name(self) -> str:
        """Name for users."""
        return "router" if self.path == ROUTER else f"expert {int(self.stem.split('_')[1])}"

    @property
    def stem(self) -> str:
        """Name of its C file: router, expert_000 ..."""
        return "router" if self.path == ROUTER else f"expert_{Path(self.path).stem}"

    @property
    def symbol(self) -> str:
        """Name of the array of its bytes."""
        return f"edge_experts_{self.stem}_data"

    @property
    def trunk(self) -> int:
        """Number of trunk features that it computes for experts."""
        outputs = self.structure.outputs
        return math.prod(outputs[1].shape) if len(outputs) > 1 else 0

    def source(self, header: str) -> str:
        """Write the C file of its bytes."""
        return (
            f'{header}#include "edge_experts_models.h"\n\n'
            f"EDGE_EXPERTS_ALIGNED const unsigned char {self.symbol}[{len(self.content)}] = {{\n"
            f"{literals.content(self.content)}\n}};\n"
        )

    def declaration(self) -> str:
        return f"extern const unsigned char {self.symbol}[{len(self.content)}];"

    def record(self, arena_bytes: int) -> str:
        """Write the initializer of its edge_experts_model."""
        names = [port.name for port in self.structure.inputs]
        inputs = dict(zip(names, enumerate(self.structure.inputs), strict=True))
        outputs = dict(zip(("output", TRUNK), enumerate(self.structure.outputs), strict=False))
        tensors = [inputs.get("x"), inputs.get(TRUNK), outputs.get("output"), outputs.get(TRUNK)]
        return (
            f"{{{self.symbol}, {len(self.content)}u, {arena_bytes}u,\n     "
            + ",\n     ".join(_NONE if one is None else _tensor(*one) for one in tensors)
            + "}"
        )


NO_RECORD = f"{{NULL, 0u, 0u,\n     {_NONE}, {_NONE},\n     {_NONE}, {_NONE}}}"


def add_operators(networks: Sequence[Network]) -> tuple[str, ...]:
    """List the methods of MicroMutableOpResolver that add the operators of these files."""
    names = {one.name for network in networks for one in network.structure.operators if one.count}
    return tuple(sorted(map(method, names)))


def method(operator: str) -> str:
    """Return the method of MicroMutableOpResolver that adds an operator of the schema."""
    words = (word if word[0].isdigit() else word.capitalize() for word in operator.split("_"))
    return _METHODS.get(operator, "Add" + "".join(words))


def _tensor(place: int, port: Port) -> str:
    scale = literals.single(port.scale or 0.0)
    numbers = math.prod(port.shape)
    return f"{{{_TYPES[port.type]}, {place}, {numbers}, {scale}, {port.zero_point}}}"

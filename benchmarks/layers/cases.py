"""Case of the matrix: a network with one layer class, or one way to join layers.

The same functions build a case in tf_keras and in Keras 3, whose module is their first argument.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

Build = Callable[[Any, Any], Any]  # (the module of Keras, the input) to one tensor, or a list

# Shape of one example by the name of the input, and how it is seen by the layer.
DATA: Mapping[str, tuple[int, ...]] = {
    "row": (6,),
    "steps": (8, 4),
    "picture": (8, 8, 3),
    "volume": (8, 4),
    "movie": (8, 4),
    "ids": (8,),
    "text": (),
}
KINDS = {"row": "table", "ids": "table", "picture": "image", "text": "text"}  # others: "window"
_SEEN = {"volume": (4, 4, 2, 1), "movie": (8, 2, 2, 1)}
IDS = 20  # number of different ids


@dataclass(frozen=True)
class Case:
    """A network from an input to hidden values; `network` adds the layers around it.

    Attributes:
        group: "layer" or "join".
        data: key of DATA.
        only_tf_keras: True if Keras 3 has no such layer, or no such way to join layers.
    """

    name: str
    group: str
    data: str
    build: Build
    only_tf_keras: bool = False

    @property
    def kind(self) -> str:
        """Kind of the data set."""
        return KINDS.get(self.data, "window")

    def network(
        self, keras: ModuleType, inputs: Mapping[str, Any], outputs: int, begin: Any = None
    ) -> Any:
        """Build the network from the named inputs to `outputs` logits.

        Args:
            begin: input of the network, if `inputs` are computed from it.
        """
        x = inputs if self.data == "text" else self._seen(keras, inputs["x"])
        hidden = self.build(keras, x)
        return keras.Model(inputs if begin is None else begin, _head(keras, hidden, outputs))

    def _seen(self, keras: ModuleType, x: Any) -> Any:
        if self.data in _SEEN:
            return keras.layers.Reshape(_SEEN[self.data])(x)
        if self.data == "ids" and "int" not in str(x.dtype):
            ops = operations(keras)
            return ops.cast(ops.minimum(ops.abs(x) * 3.0, IDS - 1.0), "int32")
        return x


def operations(keras: ModuleType) -> Any:
    """The module of operations on tensors: TensorFlow, or `keras.ops`."""
    if keras.__name__ == "tf_keras":
        import tensorflow

        return tensorflow
    return keras.ops


def _head(keras: ModuleType, hidden: Any, outputs: int) -> Any:
    """Dense layer on all hidden values."""
    layers = keras.layers
    parts = []
    for part in hidden if isinstance(hidden, list | tuple) else [hidden]:
        if str(getattr(part.dtype, "name", part.dtype)) not in ("float32", "float16"):
            part = operations(keras).cast(part, "float32")
        if None in part.shape[1:]:
            part = layers.GlobalAveragePooling2D()(part)
        parts.append(part if len(part.shape) == 2 else layers.Flatten()(part))
    joined = parts[0] if len(parts) == 1 else layers.Concatenate()(parts)
    return layers.Dense(outputs, dtype="float32")(joined)

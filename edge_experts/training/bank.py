"""All experts in one layer: stacked parameters, and batched operations."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from operator import itemgetter
from typing import Any

import tensorflow as tf
import tf_keras

from .layers import WeightedBag


class ExpertBank(tf_keras.layers.Layer):
    """N experts of one architecture, for joint training.

    The rows of all experts are concatenated in the batch axis, those of the first expert first. A
    layer without parameters (an activation, dropout, pooling) is therefore called once. Dense
    layers, embeddings and bags of n-grams are batched products and lookups, whose tracing time does
    not depend on N. Any other layer with parameters exists N times, in a loop.

    Args:
        experts: the networks that define the architecture and the initial parameters.
    """

    def __init__(self, experts: Sequence[tf_keras.Model], **kwargs: Any):
        super().__init__(**kwargs)
        self._grid = Grid(len(experts))
        self._parts: dict[str, _Part] = {}  # by the layer's index in an expert: "3", or "2/1"
        self.network = self._every(experts[0], "")
        self.read(experts)
        self.built = True

    def call(
        self, inputs: Mapping[str, tf.Tensor], training: bool = False, own: bool = False
    ) -> tf.Tensor:
        """Logits (experts, rows, labels).

        Args:
            inputs: (rows, ...) arrays for all experts; with `own` (experts * rows, ...) ones, with
                the rows of each expert in turn.
        """
        length = tf.shape(next(iter(inputs.values())))[0]
        with self._grid.rows(length // self._grid.experts if own else length):
            outputs = self.network(inputs, training=training)
        return tf.reshape(outputs, (self._grid.experts, -1, outputs.shape[-1]))

    def read(self, experts: Sequence[tf_keras.Model]) -> None:
        """Copy the parameters from the experts."""
        for place, part in self._parts.items():
            part.read([_layer(expert, place) for expert in experts])

    def write(self, experts: Sequence[tf_keras.Model]) -> None:
        """Copy the parameters to the experts."""
        for place, part in self._parts.items():
            part.write([_layer(expert, place) for expert in experts])

    def parameters(self) -> list[tf.Tensor]:
        """Trainable parameters, each (experts, ...)."""
        return [stack for part in self._parts.values() for stack in part.parameters()]

    def _every(self, network: tf_keras.Model, inside: str) -> tf_keras.Model:
        """The network with batched layers for all experts, also in nested networks."""
        places = {layer.name: f"{inside}{place}" for place, layer in enumerate(network.layers)}

        def batched(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
            place = places[layer.name]
            if _is_network(layer):
                return self._every(layer, f"{place}/")
            made = _batched(layer, self._grid)
            if isinstance(made, _Part):
                self._parts[place] = made
            return made

        return tf_keras.models.clone_model(network, clone_function=batched)


def _is_network(layer: tf_keras.layers.Layer) -> bool:
    """True for a network of layers, False for a custom layer class."""
    return isinstance(layer, tf_keras.Model) and layer.inputs is not None


def _layer(network: tf_keras.Model, place: str) -> tf_keras.layers.Layer:
    for part in place.split("/"):
        network = network.layers[int(part)]
    return network


class Grid:
    """Layout of the batch axis while a bank is called."""

    def __init__(self, experts: int):
        self.experts = experts
        self._rows: tf.Tensor | None = None

    @contextmanager
    def rows(self, rows: tf.Tensor) -> Iterator[None]:
        """Set the number of rows of each expert, or of those shared by all."""
        self._rows = rows
        yield
        self._rows = None

    def split(self, batch: tf.Tensor) -> tf.Tensor:
        """(experts, rows, ...); (1, rows, ...) if all experts share the rows."""
        shape = tf.shape(batch)
        rows = shape[0] if self._rows is None else self._rows
        apart = tf.reshape(batch, tf.concat([[shape[0] // rows, rows], shape[1:]], 0))
        return tf.ensure_shape(apart, (None, None, *batch.shape[1:]))

    def join(self, apart: tf.Tensor) -> tf.Tensor:
        """Restore the batch axis."""
        return tf.reshape(apart, (-1, *apart.shape[2:]))

    def each(self, batch: tf.Tensor) -> tf.Tensor:
        """(experts, rows, ...), also if all experts share the rows."""
        apart = self.split(batch)
        return tf.repeat(apart, self.experts // tf.shape(apart)[0], axis=0)


def _batched(layer: tf_keras.layers.Layer, grid: Grid) -> tf_keras.layers.Layer:
    """Layer of the bank for a layer of an expert."""
    batched = {
        tf_keras.layers.Dense: _Dense,
        tf_keras.layers.Embedding: _Embedding,
        WeightedBag: _WeightedBag,
    }.get(type(layer))
    if batched is not None and _plain(layer):
        return batched(layer, grid)
    if layer.weights or layer.losses:
        return _Loop(layer, grid)
    copy = _copy(layer)
    joins = len(layer.inbound_nodes[0].keras_inputs) > 1
    return _Aligned(copy, grid) if joins else copy


def _plain(layer: tf_keras.layers.Layer) -> bool:
    """True without options that a batched operation does not support."""
    free = all(weight.constraint is None for weight in layer.weights)
    return bool(layer.trainable and free and not layer.losses) and not getattr(
        layer, "mask_zero", False
    )


def _copy(layer: tf_keras.layers.Layer) -> tf_keras.layers.Layer:
    return type(layer).from_config(layer.get_config())


class _Part(tf_keras.layers.Layer):
    """A layer with parameters, for all experts; `layer` is the one of an expert."""

    def __init__(self, layer: tf_keras.layers.Layer, grid: Grid):
        super().__init__(name=f"every_{layer.name}")
        self.grid = grid

    def read(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        raise NotImplementedError

    def write(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        raise NotImplementedError

    def parameters(self) -> list[tf.Tensor]:
        raise NotImplementedError


class _Stack(_Part):
    """A layer whose parameters are stacked, each (experts, ...)."""

    def __init__(self, layer: tf_keras.layers.Layer, grid: Grid):
        super().__init__(layer, grid)
        self.stacks = [
            # The same name, by which an optimizer may distinguish a bias from a kernel.
            self.add_weight(name=_plain_name(weight), shape=(grid.experts, *weight.shape))
            for weight in layer.weights
        ]

    def read(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        for place, stack in enumerate(self.stacks):
            stack.assign(tf.stack([layer.weights[place] for layer in layers]))

    def write(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        values = [stack.numpy() for stack in self.stacks]
        for place, layer in enumerate(layers):
            layer.set_weights([value[place] for value in values])

    def parameters(self) -> list[tf.Tensor]:
        return list(self.stacks)


class _Dense(_Stack):
    def __init__(self, layer: tf_keras.layers.Dense, grid: Grid):
        super().__init__(layer, grid)
        self.activation = layer.activation

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        apart = self.grid.split(inputs)
        flat = tf.reshape(apart, (tf.shape(apart)[0], -1, inputs.shape[-1]))
        output = tf.matmul(flat, self.stacks[0])
        if len(self.stacks) > 1:
            output += self.stacks[1][:, None, :]
        return self.activation(tf.reshape(output, (-1, *inputs.shape[1:-1], output.shape[-1])))


class _Embedding(_Stack):
    def call(self, ids: tf.Tensor) -> tf.Tensor:
        return self.grid.join(_looked_up(self.stacks[0], self.grid.split(ids)))


class _WeightedBag(_Stack):
    def __init__(self, layer: WeightedBag, grid: Grid):
        super().__init__(layer, grid)
        self.dropout = layer.dropout

    def call(self, inputs: Any, training: bool | None = False) -> tf.Tensor:
        ids, weights = inputs
        if training and self.dropout:
            weights = tf.nn.dropout(weights, self.dropout)
        table, bias = self.stacks
        rows = _looked_up(table, self.grid.split(tf.math.floormod(ids, table.shape[1])))
        sums = tf.matmul(self.grid.split(weights)[:, :, None, :], rows)[:, :, 0, :]
        return self.grid.join(sums + bias[:, None, :])


class _Loop(_Part):
    """A layer without a batched operation: one for each expert, called in turn."""

    def __init__(self, layer: tf_keras.layers.Layer, grid: Grid):
        super().__init__(layer, grid)
        self.layers = [_copy(layer) for _ in range(grid.experts)]

    def call(self, *arguments: Any, training: bool | None = False, **options: Any) -> Any:
        # Keras passes `training` to the layers, since they are called within this one.
        apart = _tensors(self.grid.each, (arguments, options))
        outputs = []
        for place, layer in enumerate(self.layers):
            own, others = _tensors(itemgetter(place), apart)
            outputs.append(layer(*own, **others))
        return tf.nest.map_structure(lambda *each: self.grid.join(tf.stack(each)), *outputs)

    def read(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        for mine, layer in zip(self.layers, layers, strict=True):
            mine.set_weights(layer.get_weights())

    def write(self, layers: Sequence[tf_keras.layers.Layer]) -> None:
        for mine, layer in zip(self.layers, layers, strict=True):
            layer.set_weights(mine.get_weights())

    def parameters(self) -> list[tf.Tensor]:
        each = (layer.trainable_weights for layer in self.layers)
        return [tf.stack(weights) for weights in zip(*each, strict=True)]


class _Aligned(tf_keras.layers.Layer):
    """A layer without parameters that joins several tensors, some of them shared by all experts."""

    def __init__(self, layer: tf_keras.layers.Layer, grid: Grid):
        super().__init__(name=f"every_{layer.name}")
        self.layer, self.grid = layer, grid

    def call(
        self, *arguments: Any, training: bool | None = None, mask: Any = None, **options: Any
    ) -> Any:
        # Keras passes `training` to the layer, since it is called within this one, and a mask to
        # every layer that accepts options.
        if mask is not None and self.layer._expects_mask_arg:
            options["mask"] = mask
        own, others = _tensors(
            lambda part: self.grid.join(self.grid.each(part)), (arguments, options)
        )
        return self.layer(*own, **others)


def _tensors(change: Callable[[tf.Tensor], tf.Tensor], arguments: Any) -> Any:
    """Change the tensors of a layer's arguments; the others are constants."""
    return tf.nest.map_structure(
        lambda part: change(part) if tf.is_tensor(part) else part, arguments
    )


def _plain_name(weight: tf.Variable) -> str:
    name: str = weight.name.split("/")[-1].split(":")[0]
    return name


def _looked_up(tables: tf.Tensor, ids: tf.Tensor) -> tf.Tensor:
    """Look up rows of `tables` (experts, ids, units) for `ids` (experts or 1, rows, ...).

    Returns (experts, rows, ..., units).
    """
    count, size, units = tables.shape
    first = tf.reshape(tf.range(count, dtype=ids.dtype) * size, (-1, *[1] * (len(ids.shape) - 1)))
    return tf.gather(tf.reshape(tables, (-1, units)), ids + first)

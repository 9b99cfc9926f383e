"""Ways to join layers: operators, shared and nested models, states, masks, custom layers."""

from __future__ import annotations

from typing import Any

from .cases import IDS, Build, Case, operations


def _shared(k: Any, x: Any) -> Any:
    layer = k.layers.Dense(4, "relu")
    return [layer(x[:, :3]), layer(x[:, 3:])]


def _shared_normalization(k: Any, x: Any) -> Any:
    layer = k.layers.BatchNormalization()
    return [layer(x[:, :3]), layer(x[:, 3:])]


def _model(k: Any, shape: tuple[int, ...], units: int = 4) -> Any:
    inputs = k.Input(shape)
    return k.Model(inputs, k.layers.Dense(units, "relu")(inputs))


def _shared_model(k: Any, x: Any) -> Any:
    model = _model(k, (3,))
    return [model(x[:, :3]), model(x[:, 3:])]


def _nested_deep(k: Any, x: Any) -> Any:
    inputs = k.Input((6,))
    inner = k.Sequential([k.layers.Dense(5, "relu"), k.layers.Dense(4)])
    return k.Model(inputs, _model(k, (4,))(inner(inputs)))(x)


def _nested_residual(k: Any, x: Any) -> Any:
    inputs = k.Input((6,))
    return k.Model(inputs, inputs + k.layers.Dense(6, "relu")(inputs))(x)


def _nested_with_two(k: Any, x: Any) -> Any:
    first, second = k.Input((3,)), k.Input((3,))
    both = k.layers.Concatenate()([first, second])
    model = k.Model([first, second], [k.layers.Dense(4)(both), k.layers.Add()([first, second])])
    return model([x[:, :3], x[:, 3:]])


def _nested_by_name(k: Any, x: Any) -> Any:
    inputs = {"a": k.Input((3,), name="a"), "b": k.Input((3,), name="b")}
    outputs = {"sum": k.layers.Add()([inputs["a"], inputs["b"]])}
    return k.Model(inputs, outputs)({"a": x[:, :3], "b": x[:, 3:]})["sum"]


def _encoder_decoder(k: Any, x: Any) -> Any:
    _, hidden, cell = k.layers.LSTM(4, return_state=True)(x)
    return k.layers.LSTM(4)(x, initial_state=[hidden, cell])


def _both_directions(k: Any, x: Any) -> Any:
    return k.layers.Bidirectional(k.layers.LSTM(3, return_state=True))(x)[1:]


def _scores(k: Any, x: Any) -> Any:
    return list(k.layers.MultiHeadAttention(2, 4)(x, x, return_attention_scores=True))


def _attention_mask(k: Any, x: Any) -> Any:
    mask = x[:, :, :1] > -1.0
    return k.layers.MultiHeadAttention(1, 4)(x, x, attention_mask=mask)


def _attention_masks(k: Any, x: Any) -> Any:
    mask = x[:, :, 0] > -1.0
    return k.layers.Attention()([x, x], mask=[mask, mask])


def _transformer(k: Any, x: Any) -> Any:
    x = k.layers.LayerNormalization()(x + k.layers.MultiHeadAttention(2, 2)(x, x))
    return x + k.layers.Dense(4)(k.layers.Dense(8, "gelu")(x))


def _residual_convolution(k: Any, x: Any) -> Any:
    hidden = k.layers.Conv2D(3, 3, padding="same", activation="relu")(x)
    return k.layers.MaxPooling2D()(k.layers.BatchNormalization()(hidden) + x)


def _gated_channels(k: Any, x: Any) -> Any:
    weights = k.layers.Dense(3, "sigmoid")(k.layers.GlobalAveragePooling2D()(x))
    return x * k.layers.Reshape((1, 1, 3))(weights)


def _each_step(k: Any, x: Any) -> Any:
    return k.layers.TimeDistributed(_model(k, (4,), 3))(x)


def _positions(k: Any, x: Any) -> Any:
    return k.layers.Embedding(IDS, 4)(x) + k.layers.Embedding(8, 4)(operations(k).range(8))


def _masked_mean(k: Any, x: Any) -> Any:
    from .custom_layers import MaskedMean

    return MaskedMean()(k.layers.Embedding(IDS, 4, mask_zero=True)(x))


def _mixed(k: Any, x: Any) -> Any:
    return k.layers.Dense(4, "relu", dtype="mixed_float16")(x)


def _frozen(k: Any, x: Any) -> Any:
    layer = k.layers.Dense(4, "relu")
    layer.trainable = False
    return layer(x)


def _frozen_model(k: Any, x: Any) -> Any:
    model = _model(k, (6,))
    model.trainable = False
    return model(x)


def _text(k: Any, x: Any) -> Any:
    words = k.layers.Embedding(2**18, 4)(x["ids"])
    return words * operations(k).expand_dims(x["weights"], -1)


def _custom(name: str) -> Build:
    def build(k: Any, x: Any) -> Any:
        from . import custom_layers

        kind = getattr(custom_layers, name)
        return kind(4)(x) if name == "Block" else kind()(x)

    return build


def _activation(k: Any, x: Any) -> Any:
    from .custom_layers import squared_relu

    return k.layers.Dense(4, squared_relu)(x)


def _of_batch(k: Any, x: Any) -> Any:
    return x - operations(k).reduce_mean(x, axis=0, keepdims=True)


def _op(name: str, *arguments: Any, **options: Any) -> Build:
    return lambda k, x: getattr(operations(k), name)(x, *arguments, **options)


def _lambda_of_two(k: Any, x: Any) -> Any:
    return k.layers.Lambda(lambda both: both[0] * both[1])([x, k.layers.Dense(6)(x)])


def _regularized(k: Any, x: Any) -> Any:
    return k.layers.Dense(4, kernel_regularizer="l2", activity_regularizer="l1")(x)


# Ways that Keras 3 has too.
BOTH: dict[str, tuple[str, Build]] = {
    "add": ("row", lambda k, x: k.layers.Dense(6)(x) + x),
    "multiply": ("row", lambda k, x: k.layers.Dense(6, "sigmoid")(x) * x),
    "subtract": ("row", lambda k, x: x - k.layers.Dense(6)(x)),
    "constants": ("row", lambda k, x: (1.0 - x) / 2.0 + 3.0),
    "power": ("row", lambda k, x: x**2.0),
    "negative": ("row", lambda k, x: -x),
    "matmul": ("steps", lambda k, x: operations(k).matmul(x, k.layers.Permute((2, 1))(x))),
    "slices": ("steps", lambda k, x: x[:, 1:6:2, :2]),
    "last step": ("steps", lambda k, x: x[:, -1]),
    "reshape": ("steps", _op("reshape", (-1, 32))),
    "transpose": ("steps", lambda k, x: operations(k).transpose(x, (0, 2, 1))),
    "split": ("row", lambda k, x: list(operations(k).split(x, 2, axis=1))),
    "concatenation": ("row", lambda k, x: k.layers.concatenate([x, k.layers.Dense(3)(x), x])),
    "shared layer": ("row", _shared),
    "shared normalization": ("row", _shared_normalization),
    "shared model": ("row", _shared_model),
    "nested model": ("row", lambda k, x: _model(k, (6,))(x)),
    "nested deep": ("row", _nested_deep),
    "nested residual": ("row", _nested_residual),
    "nested, two inputs": ("row", _nested_with_two),
    "nested, by name": ("row", _nested_by_name),
    "states of LSTM": ("steps", lambda k, x: k.layers.LSTM(4, return_state=True)(x)[1:]),
    "states of GRU": ("steps", lambda k, x: list(k.layers.GRU(4, return_state=True)(x))),
    "states passed on": ("steps", _encoder_decoder),
    "states of both directions": ("steps", _both_directions),
    "attention scores": ("steps", _scores),
    "attention mask": ("steps", _attention_mask),
    "attention masks": ("steps", _attention_masks),
    "transformer block": ("steps", _transformer),
    "residual convolution": ("picture", _residual_convolution),
    "gated channels": ("picture", _gated_channels),
    "model at each step": ("steps", _each_step),
    "mask of ids": (
        "ids",
        lambda k, x: k.layers.GRU(4)(k.layers.Embedding(IDS, 4, mask_zero=True)(x)),
    ),
    "mask, mean": (
        "ids",
        lambda k, x: k.layers.GlobalAveragePooling1D()(
            k.layers.Embedding(IDS, 4, mask_zero=True)(x)
        ),
    ),
    "unrolled LSTM": ("steps", lambda k, x: k.layers.LSTM(4, unroll=True)(x)),
    "backwards": ("steps", lambda k, x: k.layers.LSTM(4, go_backwards=True)(x)),
    "frozen layer": ("row", _frozen),
    "frozen model": ("row", _frozen_model),
    "constraint": ("row", lambda k, x: k.layers.Dense(4, kernel_constraint="non_neg")(x)),
    "regularizers": ("row", _regularized),
    "mixed precision": ("row", _mixed),
    "lambda of two": ("row", _lambda_of_two),
}
# Ways that only tf_keras has: functions of TensorFlow, and layers of the user's module.
ONLY_TF_KERAS: dict[str, tuple[str, Build]] = {
    "several inputs": ("text", _text),
    "tf.abs": ("row", _op("abs")),
    "tf.reduce_mean": ("steps", _op("reduce_mean", axis=1)),
    "tf.concat": ("row", lambda k, x: operations(k).concat([x, k.layers.Dense(3)(x)], axis=1)),
    "tf.stack": ("row", lambda k, x: operations(k).stack([x, k.layers.Dense(6)(x)], axis=1)),
    "tf.where": ("row", lambda k, x: operations(k).where(x > 0.0, x, k.layers.Dense(6)(x))),
    "tf.einsum": ("steps", lambda k, x: operations(k).einsum("bij,bkj->bik", x, x)),
    "embedding of positions": ("ids", _positions),
    "mean of the batch": ("row", _of_batch),
    "custom layer": ("row", _custom("Doubled")),
    "custom parameters and loss": ("row", _custom("Scaled")),
    "custom, two results": ("row", _custom("Parted")),
    "custom model": ("row", _custom("Block")),
    "custom, made of layers": ("row", _custom("Composite")),
    "custom, masked": ("ids", _masked_mean),
    "custom, not registered": ("row", _custom("Unregistered")),
    "custom activation": ("row", _activation),
}


def join_cases() -> list[Case]:
    """One case for each way."""
    return [
        *(Case(name, "join", *how) for name, how in BOTH.items()),
        *(Case(name, "join", *how, only_tf_keras=True) for name, how in ONLY_TF_KERAS.items()),
    ]

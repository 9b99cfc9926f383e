"""The expert: any tf_keras network from named inputs to one logit for each label."""

import tf_keras
from tf_keras import layers


def build(shapes, width=1.0):
    """One expert; `train` calls this for each. `width` lets `compare` build larger ones."""
    filters = max(1, round(12 * width))
    inputs = shapes.keras_inputs()  # windows: {"x": (SAMPLES, channels)}
    first = layers.Conv1D(filters, 5, padding="same", activation="relu")(inputs["x"])
    second = layers.Conv1D(filters, 5, padding="same", activation="relu")(first)
    joined = layers.GlobalAveragePooling1D()(first + second)  # the residual connection
    return tf_keras.Model(inputs, layers.Dense(shapes.labels)(joined))  # logits, no softmax

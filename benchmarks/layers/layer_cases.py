"""Table of all public layer classes of tf_keras: the input of each, and how it is made and called.

`k` is the module of Keras, `x` the layer's input; the names of inputs are those of `cases.DATA`.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from .cases import IDS, Build, Case, operations


def _own() -> Any:
    """Layers of tf_keras, which a process of Keras 3 must not import."""
    from . import custom_layers

    return custom_layers


# Classes that Keras 3 does not have, or that cannot be the same there.
ONLY_TF_KERAS = {
    *("AbstractRNNCell", "DenseFeatures", "HashedCrossing", "Hashing", "Layer"),
    *("LocallyConnected1D", "LocallyConnected2D", "RandomHeight", "RandomWidth", "StringLookup"),
    *("TextVectorization", "ThresholdedReLU", "Wrapper"),
}

TABLE: Mapping[str, tuple[str, Build]] = {
    # Base classes, by the smallest class that a user would derive.
    "AbstractRNNCell": ("steps", lambda k, x: k.layers.RNN(_own().Cell(4))(x)),
    "Layer": ("row", lambda k, x: k.layers.Layer()(x)),
    "Wrapper": ("row", lambda k, x: _own().Halved(k.layers.Dense(4))(x)),
    # Dense layers, embeddings, activations
    "Activation": ("row", lambda k, x: k.layers.Activation("tanh")(x)),
    "ActivityRegularization": ("row", lambda k, x: k.layers.ActivityRegularization(0.01)(x)),
    "Dense": ("row", lambda k, x: k.layers.Dense(8, "relu")(x)),
    "DenseFeatures": ("row", lambda k, x: _own().feature_columns(x)),
    "ELU": ("row", lambda k, x: k.layers.ELU()(x)),
    "EinsumDense": ("steps", lambda k, x: k.layers.EinsumDense("abc,cd->abd", (8, 5))(x)),
    "Embedding": ("ids", lambda k, x: k.layers.Embedding(IDS, 4)(x)),
    "Identity": ("row", lambda k, x: k.layers.Identity()(x)),
    "InputLayer": (
        "row",
        lambda k, x: k.Sequential([k.layers.InputLayer((6,)), k.layers.Dense(4)])(x),
    ),
    "Lambda": ("row", lambda k, x: k.layers.Lambda(lambda t: abs(t) + 1.0)(x)),
    "LeakyReLU": ("row", lambda k, x: k.layers.LeakyReLU()(x)),
    "Masking": ("steps", lambda k, x: k.layers.LSTM(4)(k.layers.Masking(0.0)(x))),
    "PReLU": ("row", lambda k, x: k.layers.PReLU()(x)),
    "ReLU": ("row", lambda k, x: k.layers.ReLU(6.0)(x)),
    "Softmax": ("row", lambda k, x: k.layers.Softmax()(x)),
    "ThresholdedReLU": ("row", lambda k, x: k.layers.ThresholdedReLU(0.5)(x)),
    # Several tensors to one
    "Add": ("row", lambda k, x: k.layers.Add()([x, k.layers.Dense(6)(x)])),
    "Average": ("row", lambda k, x: k.layers.Average()([x, k.layers.Dense(6)(x)])),
    "Concatenate": ("row", lambda k, x: k.layers.Concatenate()([x, k.layers.Dense(6)(x)])),
    "Dot": ("row", lambda k, x: k.layers.Dot(1)([x, k.layers.Dense(6)(x)])),
    "Maximum": ("row", lambda k, x: k.layers.Maximum()([x, k.layers.Dense(6)(x)])),
    "Minimum": ("row", lambda k, x: k.layers.Minimum()([x, k.layers.Dense(6)(x)])),
    "Multiply": ("row", lambda k, x: k.layers.Multiply()([x, k.layers.Dense(6)(x)])),
    "Subtract": ("row", lambda k, x: k.layers.Subtract()([x, k.layers.Dense(6)(x)])),
    # Attention
    "AdditiveAttention": ("steps", lambda k, x: k.layers.AdditiveAttention()([x, x])),
    "Attention": ("steps", lambda k, x: k.layers.Attention(use_scale=True)([x, x])),
    "MultiHeadAttention": ("steps", lambda k, x: k.layers.MultiHeadAttention(2, 4)(x, x)),
    # Convolutions
    "Conv1D": ("steps", lambda k, x: k.layers.Conv1D(4, 3)(x)),
    "Conv1DTranspose": ("steps", lambda k, x: k.layers.Conv1DTranspose(4, 3)(x)),
    "Conv2D": ("picture", lambda k, x: k.layers.Conv2D(4, 3)(x)),
    "Conv2DTranspose": ("picture", lambda k, x: k.layers.Conv2DTranspose(4, 3)(x)),
    "Conv3D": ("volume", lambda k, x: k.layers.Conv3D(4, 2)(x)),
    "Conv3DTranspose": ("volume", lambda k, x: k.layers.Conv3DTranspose(4, 2)(x)),
    "DepthwiseConv1D": ("steps", lambda k, x: k.layers.DepthwiseConv1D(3)(x)),
    "DepthwiseConv2D": ("picture", lambda k, x: k.layers.DepthwiseConv2D(3)(x)),
    "LocallyConnected1D": ("steps", lambda k, x: k.layers.LocallyConnected1D(4, 3)(x)),
    "LocallyConnected2D": ("picture", lambda k, x: k.layers.LocallyConnected2D(2, 3)(x)),
    "SeparableConv1D": ("steps", lambda k, x: k.layers.SeparableConv1D(4, 3)(x)),
    "SeparableConv2D": ("picture", lambda k, x: k.layers.SeparableConv2D(4, 3)(x)),
    # Recurrent layers and cells
    "Bidirectional": ("steps", lambda k, x: k.layers.Bidirectional(k.layers.LSTM(4))(x)),
    "ConvLSTM1D": (
        "steps",
        lambda k, x: k.layers.ConvLSTM1D(2, 2)(k.layers.Reshape((8, 2, 2))(x)),
    ),
    "ConvLSTM2D": ("movie", lambda k, x: k.layers.ConvLSTM2D(2, 2)(x)),
    "ConvLSTM3D": (
        "movie",
        lambda k, x: k.layers.ConvLSTM3D(2, (2, 2, 1))(k.layers.Reshape((8, 2, 2, 1, 1))(x)),
    ),
    "GRU": ("steps", lambda k, x: k.layers.GRU(4)(x)),
    "GRUCell": ("steps", lambda k, x: k.layers.RNN(k.layers.GRUCell(4))(x)),
    "LSTM": ("steps", lambda k, x: k.layers.LSTM(4)(x)),
    "LSTMCell": ("steps", lambda k, x: k.layers.RNN(k.layers.LSTMCell(4))(x)),
    "RNN": ("steps", lambda k, x: k.layers.RNN(k.layers.SimpleRNNCell(4), unroll=True)(x)),
    "SimpleRNN": ("steps", lambda k, x: k.layers.SimpleRNN(4)(x)),
    "SimpleRNNCell": ("steps", lambda k, x: k.layers.RNN(k.layers.SimpleRNNCell(4))(x)),
    "StackedRNNCells": (
        "steps",
        lambda k, x: k.layers.RNN(
            k.layers.StackedRNNCells([k.layers.LSTMCell(4), k.layers.GRUCell(3)])
        )(x),
    ),
    "TimeDistributed": ("steps", lambda k, x: k.layers.TimeDistributed(k.layers.Dense(3))(x)),
    # Pooling
    "AveragePooling1D": ("steps", lambda k, x: k.layers.AveragePooling1D(2)(x)),
    "AveragePooling2D": ("picture", lambda k, x: k.layers.AveragePooling2D(2)(x)),
    "AveragePooling3D": ("volume", lambda k, x: k.layers.AveragePooling3D(2)(x)),
    "GlobalAveragePooling1D": ("steps", lambda k, x: k.layers.GlobalAveragePooling1D()(x)),
    "GlobalAveragePooling2D": ("picture", lambda k, x: k.layers.GlobalAveragePooling2D()(x)),
    "GlobalAveragePooling3D": ("volume", lambda k, x: k.layers.GlobalAveragePooling3D()(x)),
    "GlobalMaxPooling1D": ("steps", lambda k, x: k.layers.GlobalMaxPooling1D()(x)),
    "GlobalMaxPooling2D": ("picture", lambda k, x: k.layers.GlobalMaxPooling2D()(x)),
    "GlobalMaxPooling3D": ("volume", lambda k, x: k.layers.GlobalMaxPooling3D()(x)),
    "MaxPooling1D": ("steps", lambda k, x: k.layers.MaxPooling1D()(x)),
    "MaxPooling2D": ("picture", lambda k, x: k.layers.MaxPooling2D()(x)),
    "MaxPooling3D": ("volume", lambda k, x: k.layers.MaxPooling3D()(x)),
    # Shapes
    "Cropping1D": ("steps", lambda k, x: k.layers.Cropping1D(1)(x)),
    "Cropping2D": ("picture", lambda k, x: k.layers.Cropping2D(1)(x)),
    "Cropping3D": ("volume", lambda k, x: k.layers.Cropping3D((1, 1, 0))(x)),
    "Flatten": ("steps", lambda k, x: k.layers.Flatten()(x)),
    "Permute": ("steps", lambda k, x: k.layers.Permute((2, 1))(x)),
    "RepeatVector": ("row", lambda k, x: k.layers.RepeatVector(3)(x)),
    "Reshape": ("row", lambda k, x: k.layers.Reshape((3, 2))(x)),
    "UpSampling1D": ("steps", lambda k, x: k.layers.UpSampling1D()(x)),
    "UpSampling2D": ("picture", lambda k, x: k.layers.UpSampling2D()(x)),
    "UpSampling3D": ("volume", lambda k, x: k.layers.UpSampling3D()(x)),
    "ZeroPadding1D": ("steps", lambda k, x: k.layers.ZeroPadding1D()(x)),
    "ZeroPadding2D": ("picture", lambda k, x: k.layers.ZeroPadding2D()(x)),
    "ZeroPadding3D": ("volume", lambda k, x: k.layers.ZeroPadding3D()(x)),
    # Normalization and regularization
    "AlphaDropout": ("row", lambda k, x: k.layers.AlphaDropout(0.2)(x)),
    "BatchNormalization": ("row", lambda k, x: k.layers.BatchNormalization()(x)),
    "Dropout": ("row", lambda k, x: k.layers.Dropout(0.2)(x)),
    "GaussianDropout": ("row", lambda k, x: k.layers.GaussianDropout(0.2)(x)),
    "GaussianNoise": ("row", lambda k, x: k.layers.GaussianNoise(0.2)(x)),
    "GroupNormalization": ("picture", lambda k, x: k.layers.GroupNormalization(3)(x)),
    "LayerNormalization": ("row", lambda k, x: k.layers.LayerNormalization()(x)),
    "SpatialDropout1D": ("steps", lambda k, x: k.layers.SpatialDropout1D(0.2)(x)),
    "SpatialDropout2D": ("picture", lambda k, x: k.layers.SpatialDropout2D(0.2)(x)),
    "SpatialDropout3D": ("volume", lambda k, x: k.layers.SpatialDropout3D(0.2)(x)),
    "SpectralNormalization": (
        "row",
        lambda k, x: k.layers.SpectralNormalization(k.layers.Dense(4))(x),
    ),
    "UnitNormalization": ("row", lambda k, x: k.layers.UnitNormalization()(x)),
    # Preprocessing
    "CategoryEncoding": ("ids", lambda k, x: k.layers.CategoryEncoding(IDS, "multi_hot")(x)),
    "CenterCrop": ("picture", lambda k, x: k.layers.CenterCrop(6, 6)(x)),
    "Discretization": ("row", lambda k, x: k.layers.Discretization([-1.0, 0.0, 1.0])(x)),
    "HashedCrossing": (
        "ids",
        lambda k, x: k.layers.HashedCrossing(IDS)((x[:, :1], x[:, 1:2])),
    ),
    "Hashing": ("ids", lambda k, x: k.layers.Hashing(IDS)(x)),
    "IntegerLookup": (
        "ids",
        lambda k, x: k.layers.IntegerLookup(vocabulary=list(range(1, IDS)))(x),
    ),
    "Normalization": (
        "row",
        lambda k, x: k.layers.Normalization(mean=[0.5] * 6, variance=[2.0] * 6)(x),
    ),
    "RandomBrightness": ("picture", lambda k, x: k.layers.RandomBrightness(0.2)(x)),
    "RandomContrast": ("picture", lambda k, x: k.layers.RandomContrast(0.2)(x)),
    "RandomCrop": ("picture", lambda k, x: k.layers.RandomCrop(6, 6)(x)),
    "RandomFlip": ("picture", lambda k, x: k.layers.RandomFlip("horizontal")(x)),
    "RandomHeight": ("picture", lambda k, x: k.layers.RandomHeight(0.2)(x)),
    "RandomRotation": ("picture", lambda k, x: k.layers.RandomRotation(0.1)(x)),
    "RandomTranslation": ("picture", lambda k, x: k.layers.RandomTranslation(0.1, 0.1)(x)),
    "RandomWidth": ("picture", lambda k, x: k.layers.RandomWidth(0.2)(x)),
    "RandomZoom": ("picture", lambda k, x: k.layers.RandomZoom(0.1)(x)),
    "Rescaling": ("picture", lambda k, x: k.layers.Rescaling(0.5, 1.0)(x)),
    "Resizing": ("picture", lambda k, x: k.layers.Resizing(6, 6)(x)),
    "StringLookup": (
        "ids",
        lambda k, x: k.layers.StringLookup(vocabulary=["1", "2"])(
            operations(k).strings.as_string(x)
        ),
    ),
    "TextVectorization": (
        "ids",
        lambda k, x: k.layers.TextVectorization(vocabulary=["1", "2"], output_sequence_length=2)(
            operations(k).strings.as_string(x[:, :1])
        ),
    ),
}


def layer_classes() -> list[str]:
    """Names of the public layer classes of tf_keras; of aliases the class's own name."""
    import tf_keras

    found = {
        value.__name__
        for value in vars(tf_keras.layers).values()
        if inspect.isclass(value) and issubclass(value, tf_keras.layers.Layer)
    }
    return sorted(found)


def layer_cases() -> list[Case]:
    """One case for each class."""
    return [
        Case(name, "layer", data, build, name in ONLY_TF_KERAS)
        for name, (data, build) in sorted(TABLE.items())
    ]

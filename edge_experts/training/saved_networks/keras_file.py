"""A Keras network's file: its reading, and what no network of the user may have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import tf_keras

from ...errors import UsageError
from . import keras3

ENDINGS = (".keras", ".h5")
# Classes of parts of networks that are not in `tf_keras.layers`.
_PARTS = ("Functional", "Sequential", "Model", "TFOpLambda", "SlicingOpLambda")


def read(path: Path) -> tf_keras.Model:
    """Read the network in a file; one of Keras 3 is rebuilt with the layers of tf_keras.

    Raises:
        UsageError: it cannot be read or rebuilt; the message has the cause and the remedy.
    """
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: must be a .keras or .h5 file of Keras")
    if not path.is_file():
        raise UsageError(f"{path}: not a file; a SavedModel folder must be saved as .keras")
    version = _keras_version(path)
    if version.startswith("3"):
        return keras3.rebuilt(path)
    try:
        return tf_keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds
        unknown = ", ".join(sorted(_unknown_layers(path)))
        reason = f"it has layers that tf_keras does not know: {unknown}" if unknown else ""
        raise UsageError(
            f"{path}: tf_keras {tf_keras.__version__} cannot load it (it was saved by Keras "
            f"{version}): {reason or _first_line(error)}; layers must be Keras's own, without "
            "Lambda"
        ) from None


def refuse_odd(network: Any, path: Any) -> None:
    """Refuse what has no graph of layers, or layers that cannot be saved or answer one by one.

    Args:
        path: name of the network in errors.

    Raises:
        UsageError: the network is subclassed, or has a Lambda or a stateful layer.
    """
    if not isinstance(network, tf_keras.Model) or network.inputs is None:
        raise UsageError(
            f"{path}: a subclassed model, whose layers have no graph; save a Sequential or "
            "tf_keras.Model(inputs, outputs)"
        )
    for layer in network.layers:
        if isinstance(layer, tf_keras.layers.Lambda):
            raise UsageError(
                f"{path}: its layer {layer.name!r} is a Lambda, whose Python code is not saved; "
                "use one of Keras's own layers, such as Rescaling, or preprocess the data"
            )
        if getattr(layer, "stateful", False) and isinstance(layer, tf_keras.layers.RNN):
            raise UsageError(
                f"{path}: its layer {layer.name!r} is stateful, but examples are answered one by "
                "one; save it with stateful=False"
            )


def _unknown_layers(path: Path) -> set[str]:
    """Classes of layers in a file that are not tf_keras's."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    else:
        with h5py.File(path) as file:
            config = json.loads(file.attrs["model_config"])
    found: set[str] = set()

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            kind, own = part.get("class_name"), part.get("config")
            is_layer = isinstance(kind, str) and isinstance(own, dict) and "name" in own
            if is_layer and kind not in _PARTS and not hasattr(tf_keras.layers, str(kind)):
                found.add(str(kind))
        for value in part.values() if isinstance(part, dict) else part:
            if isinstance(value, dict | list):
                walk(value)

    walk(config)
    return found


def _keras_version(path: Path) -> str:
    """Keras version that saved the file.

    Raises:
        UsageError: the file has none, so it is not a Keras file.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                return str(json.loads(archive.read("metadata.json"))["keras_version"])
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:  # of save_weights
                raise KeyError("it has no model_config")
            return str(file.attrs["keras_version"])
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(
            f"{path}: not a model saved by Keras ({_first_line(error)}); weights alone do not "
            "define the network: save it with model.save"
        ) from None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

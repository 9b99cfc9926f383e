"""A Keras network's file: its reading, and what no network of the user may have."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import h5py
import tf_keras

from ...errors import UsageError
from ..custom_errors import cause
from ..model_files import import_modules
from . import keras3

ENDINGS = (".keras", ".h5")
# Classes of parts of networks that are not in `tf_keras.layers`.
_PARTS = ("Functional", "Sequential", "Model", "TFOpLambda", "SlicingOpLambda")


def read(path: Path) -> tf_keras.Model:
    """Read the network in a file; one of Keras 3 is rebuilt with the layers of tf_keras.

    Raises:
        UsageError: it cannot be read or rebuilt; the message has the cause and the remedy.
    """
    if is_saved_model(path):
        return _saved_model(path)
    if path.suffix not in ENDINGS:
        raise UsageError(f"{path}: must be a .keras or .h5 file of Keras, or a SavedModel")
    if not path.is_file():
        raise UsageError(f"{path}: not a file, and not a SavedModel")
    version, config = _version_and_config(path)
    _refuse_lambda(path, config)
    if version.startswith("3"):
        return keras3.rebuilt(path)
    if zipfile.is_zipfile(path):
        import_modules(path)
    try:
        return tf_keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds
        unknown = ", ".join(sorted(_unknown_layers(config)))
        reason = f"it has layers that tf_keras does not know: {unknown}" if unknown else ""
        raise UsageError(
            f"{path}: tf_keras {tf_keras.__version__} cannot load it (it was saved by Keras "
            f"{version}): {reason or cause(error)}; {_remedy(str(error))}"
        ) from None


def _remedy(error: str) -> str:
    if "Shape mismatch" in error or "during loading" in error:
        return (
            "its weights are not those of its layers: save the network again with model.save, "
            "as .h5 if a layer is in several of its nested networks"
        )
    return "layers must be Keras's own, without Lambda, or of a module that can be imported here"


def refuse_odd(network: Any, path: Any) -> None:
    """Refuse what has no graph of layers, or layers that cannot be saved or answer one by one.

    Args:
        path: name of the network in errors.

    Raises:
        UsageError: the network is subclassed or computes by its class, or has a Lambda or a
            stateful layer.
    """
    if not isinstance(network, tf_keras.Model) or network.inputs is None:
        raise UsageError(
            f"{path}: a subclassed model, whose layers have no graph; save a Sequential or "
            "tf_keras.Model(inputs, outputs)"
        )
    if not type(network).call.__module__.startswith("tf_keras."):
        raise UsageError(
            f"{path}: its class {type(network).__name__} has its own call, and may compute "
            "otherwise than its graph of layers; save a tf_keras.Model(inputs, outputs)"
        )
    for layer in network.submodules:
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


def _unknown_layers(config: Any) -> set[str]:
    """Classes of layers in a configuration that are not tf_keras's."""
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


def is_saved_model(path: Path) -> bool:
    """Test if a path is a folder that TensorFlow saved a model in."""
    return (path / "saved_model.pb").is_file()


def _saved_model(path: Path) -> tf_keras.Model:
    """Read a SavedModel that tf_keras wrote, which has its layers beside the computation."""
    if not (path / "keras_metadata.pb").is_file():
        raise UsageError(
            f"{path}: a SavedModel that has a computation and not its layers (of `export` or "
            "TensorFlow); save the model again with model.save('expert_0.keras')"
        )
    try:
        network = tf_keras.models.load_model(path, compile=False)
    except Exception as error:  # Keras raises many kinds
        raise UsageError(
            f"{path}: tf_keras {tf_keras.__version__} cannot load it: {cause(error)}; save "
            "the model again with model.save('expert_0.keras')"
        ) from None
    for layer in network.submodules:
        if isinstance(layer, tf_keras.layers.Layer) and _is_revived(layer):
            raise UsageError(
                f"{path}: its layer {layer.name!r} is of a class of its author's own, of which a "
                "SavedModel keeps the computation only; save the model as .keras, and run this "
                "command where the module of the class can be imported"
            )
    return network


def _is_revived(layer: tf_keras.layers.Layer) -> bool:
    """True for a stand-in that Keras makes of a class that it does not know."""
    return type(layer).__module__.startswith("tf_keras.src.saving.legacy.saved_model")


def _refuse_lambda(path: Path, config: Any) -> None:
    """Refuse code in a file before it is loaded, which would run it."""
    if isinstance(config, dict):
        if config.get("class_name") == "Lambda":
            raise UsageError(
                f"{path}: its layer {config['config']['name']!r} is a Lambda, whose Python code "
                "would have to be run from the file; use one of Keras's own layers, such as "
                "Rescaling, or TensorFlow's functions on the tensors"
            )
        config = list(config.values())
    if isinstance(config, list):
        for each in config:
            _refuse_lambda(path, each)


def _version_and_config(path: Path) -> tuple[str, Any]:
    """Keras version that saved the file, and the model's configuration.

    Raises:
        UsageError: the file has none, so it is not a Keras file.
    """
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                version = str(json.loads(archive.read("metadata.json"))["keras_version"])
                return version, json.loads(archive.read("config.json"))
        with h5py.File(path) as file:
            if "model_config" not in file.attrs:  # of save_weights
                raise KeyError("it has no model_config")
            return str(file.attrs["keras_version"]), json.loads(file.attrs["model_config"])
    except (KeyError, TypeError, ValueError, OSError) as error:
        raise UsageError(
            f"{path}: not a model saved by Keras ({_first_line(error)}); weights alone do not "
            "define the network: save it with model.save"
        ) from None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

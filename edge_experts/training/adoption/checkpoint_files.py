"""The user's files of trained networks: their discovery and reading."""

from __future__ import annotations

import json
import re
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import tf_keras

from ...errors import UsageError
from ..model_files import import_modules
from . import keras3

_ENDINGS = (".keras", ".h5")


@dataclass(frozen=True)
class Found:
    """Files of a folder: a router, if there is one, and the experts in their order."""

    router: Path | None
    experts: tuple[Path, ...]


def find(folder: Path) -> Found:
    """Find `router.keras`, and `experts/*.keras` or `expert_*.keras`; or a single network's file.

    Numbers in names are sorted as numbers: expert_2 comes before expert_10.

    Raises:
        UsageError: there are no such files.
    """
    if folder.is_file() or _is_saved_model(folder):
        return Found(None, (folder,))
    if not folder.is_dir():
        raise UsageError(f"{folder}: no such folder or file")
    below = _models(folder / "experts") if (folder / "experts").is_dir() else []
    beside = [path for path in _models(folder) if path.stem.startswith("expert")]
    if bool(below) == bool(beside):
        what = "experts both in experts/ and beside it" if below else "no experts"
        raise UsageError(
            f"{folder}: {what}; it must hold experts/*.keras or expert_*.keras (or .h5), and a "
            "router.keras if there are several"
        )
    routers = [path for path in _models(folder) if path.stem == "router"]
    return Found(routers[0] if routers else None, tuple(below or beside))


def read(path: Path) -> tf_keras.Model:
    """Read the network in a file; one of Keras 3 is rebuilt with the layers of tf_keras.

    Raises:
        UsageError: it cannot be read or rebuilt; the message has the cause and the remedy.
    """
    if _is_saved_model(path):
        return _saved_model(path)
    if path.suffix not in _ENDINGS:
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
        raise UsageError(
            f"{path}: tf_keras {tf_keras.__version__} cannot load it (it was saved by Keras "
            f"{version}): {_first_line(error)}; layers must be Keras's own, without Lambda"
        ) from None


def _is_saved_model(path: Path) -> bool:
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
            f"{path}: tf_keras {tf_keras.__version__} cannot load it: {_first_line(error)}; save "
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


def _models(folder: Path) -> list[Path]:
    found = [path for path in folder.iterdir() if path.suffix in _ENDINGS or _is_saved_model(path)]
    return sorted(found, key=lambda path: _natural(path.name))


def _natural(name: str) -> list[tuple[int, int, str]]:
    parts = re.split(r"(\d+)", name)
    return [(1, int(part), "") if part.isdigit() else (0, 0, part) for part in parts]


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
    except (KeyError, ValueError, OSError) as error:
        raise UsageError(
            f"{path}: not a model saved by Keras ({_first_line(error)}); weights alone do not "
            "define the network: save it with model.save"
        ) from None


def _first_line(error: Exception) -> str:
    lines = [line for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__

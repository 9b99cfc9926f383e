"""Reading of saved models, whose layers may be classes of the user's own modules."""

from __future__ import annotations

import importlib
import json
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tf_keras

from ..errors import RunFolderError, UsageError

_OURS = ("keras", "tf_keras", "builtins", "edge_experts")  # top-level packages


def load_model(path: Path) -> tf_keras.Model:
    """Read a `.keras` file, for use without further training of its optimizer.

    Modules of custom layers are imported by their names, from the current folder too.

    Raises:
        UsageError: the module of a custom layer cannot be imported here.
        RunFolderError: the file is damaged.
    """
    import_modules(path)
    return tf_keras.models.load_model(path, compile=False)


def import_modules(path: Path) -> None:
    """Import the modules of custom layers in a `.keras` file, for Keras to find their classes.

    Raises as `load_model` does.
    """
    for module, layer in _custom_layers(path):
        if str(Path.cwd()) not in sys.path:
            sys.path.insert(0, str(Path.cwd()))
        try:
            found = importlib.import_module(module)
        except Exception as error:  # errors of the user's module
            raise UsageError(
                f"{path}: its layer {layer} is defined in the module {module}, which cannot be "
                f"imported ({type(error).__name__}: {error}); run this command in the folder that "
                f"has {module.partition('.')[0]}.py, as `train` was, or add it to PYTHONPATH"
            ) from None
        # Its author may not have registered it.
        if hasattr(found, layer) and not hasattr(tf_keras.layers, layer):
            tf_keras.utils.get_custom_objects().setdefault(layer, getattr(found, layer))


def _custom_layers(path: Path) -> list[tuple[str, str]]:
    """Module and class of every object in the file that is not of Keras or this package."""
    try:
        with zipfile.ZipFile(path) as archive:
            config = json.loads(archive.read("config.json"))
    except (OSError, KeyError, ValueError, zipfile.BadZipFile) as error:
        raise RunFolderError(f"{path}: not a model of Keras ({error}); train again") from None
    return sorted(set(_objects(config)))


def _objects(config: Any) -> Iterator[tuple[str, str]]:
    if isinstance(config, dict):
        module = config.get("module")
        if isinstance(module, str) and module.partition(".")[0] not in _OURS:
            yield module, str(config.get("class_name"))
        for value in config.values():
            yield from _objects(value)
    elif isinstance(config, list):
        for value in config:
            yield from _objects(value)

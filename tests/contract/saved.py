"""Classes that model.keras files name, and what loading needs to find them.

`python -m tests.contract.saved plain RUN ...` loads each file with tf_keras alone;
`... with-training RUN ...` after importing edge_experts.training, and prints a JSON object with
the parameters of each, or the error.
"""

from __future__ import annotations

import json
import sys
import zipfile
from pathlib import Path
from typing import Any


def classes(model: Path) -> list[list[str | None]]:
    """Module, class name and registered name of every object in a .keras file."""
    with zipfile.ZipFile(model) as archive:
        config = json.loads(archive.read("config.json"))
    found: set[tuple[str | None, ...]] = set()
    _collect(config, found)
    return [list(one) for one in sorted(found, key=str)]


def _collect(value: Any, found: set[tuple[str | None, ...]]) -> None:
    if isinstance(value, dict):
        if isinstance(value.get("class_name"), str):
            name = value["class_name"]
            if name == "function" and isinstance(value.get("config"), str):
                name = value["config"]
            found.add((value.get("module"), name, value.get("registered_name")))
        for inner in value.values():
            _collect(inner, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, found)


def load(runs: list[str]) -> dict[str, Any]:
    """The number of parameters of each run's model, or why it cannot be loaded."""
    import tf_keras

    found: dict[str, Any] = {}
    for run in runs:
        try:
            model = tf_keras.models.load_model(Path(run) / "model.keras")
            found[Path(run).stem] = int(model.count_params())
        except Exception as error:  # Keras raises a dozen kinds
            found[Path(run).stem] = f"{type(error).__name__}: {str(error)[:200]}"
    return found


def resolve(triples: list[list[str]]) -> dict[str, Any]:
    """What the modules of this project hold by the names in the files, and Keras by theirs."""
    import importlib

    import edge_experts.training  # noqa: F401
    import tf_keras  # isort: skip

    found: dict[str, Any] = {}
    for module, name, registered in triples:
        key = f"{module}.{name}"
        if module == "builtins":  # a function, which Keras finds by its registered name alone
            function = tf_keras.saving.get_registered_object(name)
            found[key] = [tf_keras.saving.get_registered_name(function), callable(function)]
            continue
        try:
            thing = getattr(importlib.import_module(module), name)
            named = tf_keras.saving.get_registered_name(thing)
            same = tf_keras.saving.get_registered_object(registered) is thing
            found[key] = [named, same]
        except (ImportError, AttributeError) as error:
            found[key] = f"{type(error).__name__}: {error}"
    return found


if __name__ == "__main__":
    command, *given = sys.argv[1:]
    if command == "resolve":
        print(json.dumps(resolve(json.loads(given[0]))))
    else:
        if command == "with-training":
            import edge_experts.training  # noqa: F401
        print(json.dumps(load(given)))

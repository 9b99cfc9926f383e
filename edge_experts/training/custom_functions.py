"""Functions of the user's modules in networks, such as activations."""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import tf_keras

_LIBRARIES = ("keras", "tf_keras", "tensorflow", "edge_experts")  # top-level packages


def custom_functions(networks: Iterable[tf_keras.Model]) -> list[dict[str, str]]:
    """Module and name of each function that is an attribute of a layer.

    A saved model has the names of its functions, and not their modules, which must be imported
    before it is read. The keys are those that Keras writes for a class.
    """
    layers = {id(part): part for network in networks for part in network.submodules}
    found = {
        (value.__module__, value.__name__)
        for layer in layers.values()
        for value in vars(layer).values()
        if inspect.isfunction(value) and value.__module__.partition(".")[0] not in _LIBRARIES
    }
    return [{"module": module, "class_name": name} for module, name in sorted(found)]

"""Descriptions of the Python API: what packages export, and the signatures of that."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from typing import Any

PACKAGES = (
    "edge_experts",
    "edge_experts.converters",
    "edge_experts.datasets",
    "edge_experts.features",
    "edge_experts.runtime",
    "edge_experts.serving",
    "edge_experts.training",
)


def describe() -> dict[str, Any]:
    """Every exported name of every public package."""
    return {name: _package(name) for name in PACKAGES}


def _package(name: str) -> dict[str, Any]:
    package = importlib.import_module(name)
    return {exported: _describe(getattr(package, exported)) for exported in package.__all__}


def _describe(thing: Any) -> dict[str, Any]:
    if inspect.isclass(thing):
        return {"kind": "class", "signature": _signature(thing), "members": _members(thing)}
    if callable(thing):
        return {"kind": "function", "signature": _signature(thing)}
    if isinstance(thing, dict):
        return {"kind": "dict", "keys": sorted(thing)}
    value = list(thing) if isinstance(thing, tuple) else thing
    return {"kind": type(thing).__name__, "value": value}


def _members(kind: type) -> dict[str, Any]:
    """Public methods and properties that this project defines, and fields of data classes."""
    found: dict[str, Any] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("edge_experts"):
            continue
        for name, member in vars(base).items():
            if name.startswith("_") and name not in ("__enter__", "__exit__"):
                continue
            plain = inspect.unwrap(getattr(member, "__func__", member))
            if isinstance(member, property):
                found[name] = {"kind": "property"}
            elif inspect.isfunction(plain):
                found[name] = {"kind": "method", "signature": _signature(plain)}
            elif type(member).__name__ in ("member_descriptor", "_tuplegetter"):
                found[name] = {"kind": "field"}
        for name in vars(base).get("__annotations__", {}):
            if not name.startswith("_"):
                found.setdefault(name, {"kind": "field"})
    return dict(sorted(found.items()))


def _signature(thing: Any) -> dict[str, Any]:
    """Parameters in their order: kind, and default where there is one."""
    try:
        parameters = inspect.signature(thing).parameters.values()
    except ValueError:
        return {}
    return {
        one.name: {
            "kind": one.kind.description,
            "default": None if one.default is one.empty else _text(one.default),
        }
        for one in parameters
    }


def _text(default: Any) -> str:
    return re.sub(r" at 0x[0-9a-f]+", "", repr(default))


def differences(recorded: Any, current: Any, place: str = "") -> list[str]:
    """Name what is missing or changed; new names, members and parameters may come."""
    if isinstance(recorded, dict) and isinstance(current, dict):
        found = []
        for name, wanted in recorded.items():
            inner = f"{place} {name}".strip()
            if name not in current:
                found.append(f"{inner}: is missing")
            elif name == "signature":
                found += _calls(wanted, current[name], inner)
            else:
                found += differences(wanted, current[name], inner)
        return found
    if isinstance(recorded, list) and place.endswith(("value", "keys")):
        lost = [one for one in recorded if one not in current]
        return [f"{place}: {lost} is missing"] if lost else []
    # The version is the one value that every release changes.
    if recorded == current or place == "edge_experts __version__ value":
        return []
    return [f"{place}: was {recorded!r}, is {current!r}"]


def _calls(recorded: dict[str, Any], current: dict[str, Any], place: str) -> list[str]:
    """What a caller of the recorded signature would notice."""
    found = differences(recorded, current, place)
    positional = [name for name, one in recorded.items() if one["kind"].startswith("positional")]
    now = [name for name, one in current.items() if one["kind"].startswith("positional")]
    if now[: len(positional)] != positional:
        found.append(f"{place}: parameters in places were {positional}, are {now}")
    for name, one in current.items():
        needed = one["default"] is None and not one["kind"].startswith("variadic")
        if name not in recorded and needed:
            found.append(f"{place}: the new parameter {name} has no default")
    return found


if __name__ == "__main__":
    # In a separate process: it imports TensorFlow, which must not meet the device's interpreter.
    print(json.dumps(describe()))

"""Shapes of JSON: nested keys with the types of their values, and comparisons of them.

A shape is {"object": {key: shape}}, {"list": shape}, or the names of types with "|" between; the
first two have "or" beside them where there may be null instead.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

Shape = Any
_NAMES = {str: "string", bool: "boolean", int: "integer", float: "number", type(None): "null"}
_EMPTY = "nothing"  # the element of an empty list


def shape(value: Any) -> Shape:
    """The shape of a value that JSON holds."""
    if isinstance(value, dict):
        return {"object": {key: shape(value[key]) for key in sorted(value)}}
    if isinstance(value, list):
        return {"list": union(map(shape, value))}
    return _NAMES[type(value)]


def union(shapes: Iterable[Shape]) -> Shape:
    """One shape that has all keys and types of several."""
    merged: Shape = _EMPTY
    for one in shapes:
        merged = _merged(merged, one)
    return merged


def _merged(left: Shape, right: Shape) -> Shape:
    plain = {word for one in (left, right) for word in _plain(one)} - {_EMPTY}
    nested = [one for one in (left, right) if isinstance(one, dict)]
    words = "|".join(sorted(plain))
    if not nested:
        return words or _EMPTY
    lists = [one["list"] for one in nested if "list" in one]
    if len(lists) not in (0, len(nested)):
        raise ValueError(f"no shape has both {left} and {right}")
    if lists:
        merged: dict[str, Any] = {"list": union(lists)}
    else:
        names = sorted({name for one in nested for name in one["object"]})
        merged = {"object": {name: _of_all(nested, name) for name in names}}
    return {**merged, "or": words} if words else merged


def _of_all(objects: Iterable[dict[str, Any]], name: str) -> Shape:
    return union(one["object"][name] for one in objects if name in one["object"])


def _plain(one: Shape) -> list[str]:
    """The types that are neither lists nor objects; an object with "or" may be one of these."""
    words: str = one if isinstance(one, str) else one.get("or", "")
    return words.split("|") if words else []


def differences(recorded: Shape, current: Shape, place: str = "") -> list[str]:
    """Name each recorded key that is missing, and each value of another type; new keys may come.

    Null says nothing about a type: where one side has null alone, any type of the other will do.
    """
    if "null" in (recorded, current) or _EMPTY in (recorded, current):
        return []
    if isinstance(recorded, str) and isinstance(current, str):
        new = {*current.split("|")} - {*recorded.split("|")} - {"null"}
        return [f"{place}: {recorded} became {current}"] if new else []
    if isinstance(recorded, str) or isinstance(current, str):
        return [f"{place}: {_word(recorded)} became {_word(current)}"]
    if "list" in recorded and "list" in current:
        return differences(recorded["list"], current["list"], f"{place}[]")
    if "object" not in recorded or "object" not in current:
        return [f"{place}: {_word(recorded)} became {_word(current)}"]
    found = []
    for name, wanted in recorded["object"].items():
        inner = f"{place}.{name}" if place else name
        if name not in current["object"]:
            found.append(f"{inner}: is missing")
        else:
            found += differences(wanted, current["object"][name], inner)
    return found


def _word(one: Shape) -> str:
    return one if isinstance(one, str) else ("a list" if "list" in one else "an object")

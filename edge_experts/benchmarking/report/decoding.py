"""Decoding of JSON values to dataclasses, by the types and bounds of their fields."""

from __future__ import annotations

import importlib.util
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import is_dataclass
from functools import cache
from typing import (
    Annotated,
    Any,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from ...errors import MissingExtraError
from ..bounds import Length, Within

_T = TypeVar("_T")
_MISSING = object()
_MESSAGE = re.compile(r"(.*?)(?: - at `\$(.*)`)?", re.DOTALL)
_STEP = re.compile(r"\.(\w+)|\[(\d+|\.\.\.)\]")
_LACKING = re.compile(r"Object missing required field `(\w+)`")
_UNBOUNDED = Within()


def decode(content: Any, kind: type[_T]) -> _T:
    """Decode an object of the class with all its contents.

    Args:
        content: a JSON value; keys that the class does not have are ignored.
        kind: a dataclass whose fields may have bounds, see `bounds`.

    Raises:
        ValueError: names the field and the expected value.
        MissingExtraError: msgspec is not installed.
    """
    if importlib.util.find_spec("msgspec") is None:
        raise MissingExtraError("msgspec", "report")
    import msgspec

    try:
        found = msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_in_our_words(str(error), content, kind)) from None
    _check(found, kind, ())
    return found


def _in_our_words(message: str, content: Any, kind: Any) -> str:
    """Rewrite a message of msgspec, like `rows[0]: threads must be a whole number, got '1'`."""
    matched = _MESSAGE.fullmatch(message)
    assert matched is not None, "the expression matches any text"
    problem, path = matched[1], matched[2] or ""
    names, value, hint = _followed(path, content, kind)
    lacking = _LACKING.fullmatch(problem)
    if lacking is not None:
        names, value, hint = (*names, lacking[1]), _MISSING, _inner(hint)[lacking[1]]
    elif not problem.startswith("Expected "):
        return ": ".join((*names, problem))  # a message of the class itself
    return _sentence(names, _expected(hint), value)


def _followed(path: str, content: Any, kind: Any) -> tuple[tuple[str, ...], Any, Any]:
    """Follow a path: return the names on it, and the value and type at its end."""
    names: tuple[str, ...] = ()
    value, hint = content, kind
    for name, place in _STEP.findall(path):
        if name:
            names, hint = (*names, name), _inner(hint)[name]
            value = value.get(name, _MISSING) if isinstance(value, Mapping) else _MISSING
        else:
            names = (*names[:-1], f"{names[-1] if names else ''}[{place}]")
            hint = _inner(hint)[place if place == "..." else int(place)]
            known = isinstance(value, list) and place != "..."
            value = value[int(place)] if known else _MISSING
    return names, value, hint


def _sentence(names: tuple[str, ...], expected: str, value: Any) -> str:
    got = "is missing" if value is _MISSING else f"got {value!r:.40}"
    if not names:
        return f"must be {expected}, {got}"
    *outer, last = names
    if expected == "an object":
        return f"{': '.join(names)}: must be {expected}, {got}"
    return ": ".join((*outer, f"{last} must be {expected}, {got}"))


def _expected(hint: Any) -> str:
    kind, bounds = _parts(hint)
    plain = get_origin(kind) or kind
    if plain in (list, tuple):
        arguments = get_args(kind)
        if plain is tuple and arguments[-1] is not ...:
            return f"a list of {len(arguments)}"
        length = next((one for one in bounds if isinstance(one, Length)), Length())
        return f"a list of {length.least} to {length.most}"
    words = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}
    if plain not in words:
        return "an object"
    within = next((one for one in bounds if isinstance(one, Within)), None)
    return words[plain] + (f" from {within.least:.16g} to {within.most:.16g}" if within else "")


def _check(value: Any, hint: Any, names: tuple[str, ...]) -> None:
    """Raise ValueError if a number, or the length of a list, is out of bounds."""
    if isinstance(value, int | float):
        within = next((one for one in _parts(hint)[1] if isinstance(one, Within)), _UNBOUNDED)
        if not within.least <= value <= within.most:
            kind = int if _parts(hint)[0] is int else float
            raise ValueError(_sentence(names, _expected(Annotated[kind, within]), value))
    elif isinstance(value, list | tuple | dict):
        length = next((one for one in _parts(hint)[1] if isinstance(one, Length)), Length())
        if not length.least <= len(value) <= length.most:
            shown = list(value) if isinstance(value, tuple) else value
            raise ValueError(_sentence(names, _expected(hint), shown))
    for name, part, inner in _contents(value, hint):
        step = (*names[:-1], names[-1] + name) if name.startswith("[") else (*names, name)
        _check(part, inner, step)


def _contents(value: Any, hint: Any) -> Iterator[tuple[str, Any, Any]]:
    """Yield the parts of a value: name or index, the part itself, and its type."""
    if is_dataclass(value):
        kind: Any = type(value)
        for name, inner in _hints(kind).items():
            yield name, getattr(value, name), inner
    elif isinstance(value, dict):
        inner = _inner(hint)
        for name, part in value.items():
            yield name, part, inner[name]
    elif isinstance(value, list | tuple):
        inner = _inner(hint)
        for place, part in enumerate(value):
            yield f"[{place}]", part, inner[place]


class _All(dict[Any, Any]):
    """Mapping with the same type for every key."""

    def __missing__(self, key: Any) -> Any:
        return self["..."]


@cache
def _inner(hint: Any) -> dict[Any, Any]:
    """Return the inner types of a type, by name or index."""
    kind = _parts(hint)[0]
    if is_dataclass(kind) or is_typeddict(kind):
        return _All(_hints(kind))
    arguments = get_args(kind)
    if get_origin(kind) is tuple and arguments[-1] is not ...:
        return dict(enumerate(arguments))
    if get_origin(kind) is dict:
        return _All({"...": arguments[1]})
    return _All({"...": arguments[0] if arguments else object})


@cache
def _parts(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """Split a type into the type without None, and its bounds."""
    if get_origin(hint) is Annotated:
        kind, bounds = _parts(get_args(hint)[0])
        return kind, (*bounds, *get_args(hint)[1:])
    if get_origin(hint) in (Union, types.UnionType):
        return _parts(next(one for one in get_args(hint) if one is not type(None)))
    return hint, ()


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)

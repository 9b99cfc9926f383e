"""Strict JSON and typed access to it: any bytes give a value or a ManifestError."""

from __future__ import annotations

import json
import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import ManifestError
from .limits import LIMITS

AGAIN = "copy the bundle again, or convert again"
# Characters that move a terminal's cursor, end a line, or reverse text so that it reads as other
# text (Boucher & Anderson, 2021, https://arxiv.org/abs/2111.00169); and lone surrogates, which
# cannot be printed.
_DECEIVING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_ESCAPED_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def strict_json(raw: bytes, values: int = LIMITS.values, digits: int = LIMITS.digits) -> Any:
    """Parse a JSON value from UTF-8 bytes, within the limits on its size.

    Args:
        values: most values in it.
        digits: most digits of a whole number.

    Raises:
        ValueError: it is not JSON, an object has a key twice, or a limit is exceeded.
        RecursionError: it is nested deeper than Python can read.
    """
    text = raw.decode("utf-8")
    # Counted before anything is built: values are separated by commas or begin with a bracket.
    if sum(map(text.count, ",[{")) > values:
        raise ValueError(f"more than {values} values")
    content = json.loads(
        text,
        object_pairs_hook=_unique,
        parse_constant=_no_constant,
        parse_float=_finite,
        parse_int=partial(_short, digits=digits),
    )
    if _depth(content) > LIMITS.nesting:
        raise ValueError(f"nested more than {LIMITS.nesting} deep")
    if _ESCAPED_SURROGATE.search(text):  # rare: we write UTF-8
        json.dumps(content, ensure_ascii=False).encode("utf-8")
    return content


def example_json(text: str) -> Any:
    """Parse the JSON value of a user's input; NaN and infinity are accepted as gaps.

    Raises:
        ValueError: it is not JSON, or an object has a key twice.
    """
    if not text.strip():
        raise ValueError("the line is empty")
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError:
        raise ValueError("nested too deep") from None


def request_json(raw: bytes) -> Any:
    """Parse the JSON value of a request's body, in UTF-8, UTF-16 or UTF-32.

    Raises:
        ValueError: it is not JSON, an object has a key twice, or a number is NaN or infinite.
    """
    try:
        return json.loads(raw, object_pairs_hook=_unique, parse_constant=_no_gap)
    except RecursionError:
        raise ValueError("nested too deep") from None


def deceives(text: str) -> bool:
    """Test for characters that change how the surrounding text is displayed."""
    return _DECEIVING.search(text) is not None


def harmless(text: str) -> str:
    """Replace such characters by `?`, for display."""
    return _DECEIVING.sub("?", text)


def odd_label(labels: Sequence[str]) -> str | None:
    """Describe the problem of the first invalid label; None if all labels are valid."""
    seen = set()
    for label in labels:
        if not 0 < len(label) <= LIMITS.label_characters:
            return f"must be texts of 1 to {LIMITS.label_characters} characters"
        if deceives(label):
            return f"must have no characters of control, got {label!r:.40}"
        # An accented letter as one character or as two looks the same.
        seen.add(unicodedata.normalize("NFC", label))
    return None if len(seen) == len(labels) else "must be different texts"


@dataclass(frozen=True)
class Reader:
    """Typed access to one object of the manifest; errors name the field."""

    content: Any
    where: str

    def __post_init__(self) -> None:
        if not isinstance(self.content, dict):
            raise ManifestError(f"{self.where}: must be an object, got {self.content!r:.40}")

    def error(self, key: str, problem: str) -> ManifestError:
        return ManifestError(f"{self.where}: {key} {problem}")

    def text(self, key: str, most: int = LIMITS.name_characters) -> str:
        value = self.content.get(key)
        if not isinstance(value, str):
            raise self.error(key, f"must be a text, got {value!r:.40}")
        if len(value) > most or deceives(value):
            raise self.error(
                key, f"must be at most {most} characters, none of control, got {value!r:.40}"
            )
        return value

    def whole(self, key: str, least: int = 0, most: int = 2**53) -> int:
        value = self.content.get(key)
        if type(value) is not int or not least <= value <= most:
            raise self.error(
                key, f"must be a whole number from {least} to {most}, got {value!r:.40}"
            )
        return value

    def number(self, key: str, least: float, most: float) -> float:
        value = self.content.get(key)
        if type(value) not in (int, float) or not least <= value <= most:
            raise self.error(key, f"must be a number from {least} to {most}, got {value!r:.40}")
        return float(value)

    def optional_share(self, key: str) -> float | None:
        return None if self.content.get(key) is None else self.number(key, 0, 1)

    def items(self, key: str, least: int, most: int) -> list[Any]:
        value = self.content.get(key)
        if not isinstance(value, list) or not least <= len(value) <= most:
            raise self.error(key, f"must be a list of {least} to {most}, got {value!r:.40}")
        return value

    def object(self, key: str) -> Reader:
        return Reader(self.content.get(key), f"{self.where}: {key}")

    def objects(self, key: str, least: int, most: int) -> list[Reader]:
        return [
            Reader(item, f"{self.where}: {key}[{index}]")
            for index, item in enumerate(self.items(key, least, most))
        ]


def _depth(content: Any) -> int:
    """Return the nesting depth of lists and objects; 0 for a plain value."""
    depth, level = 0, [content]
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        level = [
            item
            for one in level
            for item in (one.values() if isinstance(one, dict) else one)
            if isinstance(item, dict | list)
        ]
    return depth


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return content


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _short(text: str, digits: int) -> int:
    if len(text.lstrip("-")) > digits:
        raise ValueError(f"{text:.40}... is too large a number")
    return int(text)


def _no_gap(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number; send null for a gap")


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")

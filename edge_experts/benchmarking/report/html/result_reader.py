"""Readers of untrusted JSON results: a `Benchmark`, and a comparison."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import Any, TypeVar

from ....errors import UsageError
from ....format.bounded_read import read_at_most
from ....format.limits import LIMITS
from ....format.strict_json import harmless, strict_json
from ...benchmark import Benchmark
from ..compared import Compared
from ..decoding import decode

_T = TypeVar("_T")
_FILE_BYTES = 16_000_000


def read_benchmark(path: Path) -> Benchmark:
    """Read the output of `edge-experts benchmark BUNDLE --json`, without the raw times.

    Raises:
        UsageError: the file does not exist, or has other contents.
    """
    maker = f"edge-experts benchmark BUNDLE --json > {path.name}"
    # JSON has the number of sessions; `--raw` writes their times.
    return _read(path, Benchmark, maker, {"sessions": []})


def read_comparison(path: Path) -> Compared:
    """Read comparison.json, which `edge-experts compare --out FOLDER` wrote.

    Raises:
        UsageError: the file does not exist, or has other contents.
    """
    return _read(path, Compared, "edge-experts compare --data DATA --out FOLDER", {})


def _read(path: Path, kind: type[_T], maker: str, instead: dict[str, Any]) -> _T:
    content = read_at_most(path, _FILE_BYTES)
    if content is None:
        raise UsageError(f"{path}: no such file; `{maker}` writes it")
    try:
        raw = content[: _FILE_BYTES + 1].removeprefix(codecs.BOM_UTF8)
        said = _shown(strict_json(raw))
        if isinstance(said, dict):
            said = {**said, **instead}
            if isinstance(said.get("environment"), dict):
                said["environment"] = _plain(said["environment"])
        return decode(said, kind)
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: not what this version's `{maker}` writes ({error!s:.200})"
        ) from None


def _shown(content: Any) -> Any:
    """Replace texts by ones that are safe to show and limited in length."""
    if isinstance(content, str):
        return harmless(content)[: LIMITS.label_characters]
    if isinstance(content, list):
        return list(map(_shown, content))
    if isinstance(content, dict):
        return {_shown(key): _shown(value) for key, value in content.items()}
    return content


def _plain(environment: dict[str, Any]) -> dict[str, Any]:
    """Convert a board's description to numbers and texts."""
    return {
        name: value if isinstance(value, int | float | str) else str(value)[:100]
        for name, value in environment.items()
    }

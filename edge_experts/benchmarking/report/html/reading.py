"""Results from JSON that a board, or anyone, wrote: a `Benchmark`, and a comparison."""

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
    """What `edge-experts benchmark BUNDLE --json` printed, all but the raw times.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    maker = f"edge-experts benchmark BUNDLE --json > {path.name}"
    # Sessions are counted in JSON; their times are in what `--raw` writes.
    return _read(path, Benchmark, maker, {"sessions": []})


def read_comparison(path: Path) -> Compared:
    """What `edge-experts compare --out FOLDER` left as comparison.json.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    return _read(path, Compared, "edge-experts compare --data DATA --out FOLDER", {})


def _read(path: Path, kind: type[_T], maker: str, instead: dict[str, Any]) -> _T:
    content = read_at_most(path, _FILE_BYTES)
    if content is None:
        raise UsageError(f"{path}: no such file")
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
    """Texts as they may be shown, at most so long."""
    if isinstance(content, str):
        return harmless(content)[: LIMITS.label_characters]
    if isinstance(content, list):
        return list(map(_shown, content))
    if isinstance(content, dict):
        return {_shown(key): _shown(value) for key, value in content.items()}
    return content


def _plain(environment: dict[str, Any]) -> dict[str, Any]:
    """Numbers and texts, whatever a board tells of itself."""
    return {
        name: value if isinstance(value, int | float | str) else str(value)[:100]
        for name, value in environment.items()
    }

"""Records of finished rows, from which an interrupted comparison resumes."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...errors import UsageError
from ...format.atomic import write_whole
from .results import SeedResult

_FORMAT = "1.0"


@dataclasses.dataclass(frozen=True)
class Record:
    """A finished row of one seed: its settings and its results.

    `reason` says why there are no results.
    """

    made_with: Mapping[str, Any]
    measured: SeedResult | None
    reason: str = ""

    def write(self, path: Path) -> None:
        content = {"format_version": _FORMAT, **dataclasses.asdict(self)}
        write_whole(path, json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def read(path: Path, made_with: Mapping[str, Any]) -> Record | None:
    """Read the record of a row; None if the row is not finished.

    Raises:
        UsageError: the file is not a record, or its settings differ from `made_with`.
    """
    remedy = "name another folder with --out, or repeat all rows with --force"
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        measured = content["measured"]
        found = Record(
            dict(content["made_with"]),
            None if measured is None else _measured(measured),
            content["reason"],
        )
    except FileNotFoundError:
        return None
    except (ValueError, TypeError, KeyError) as error:
        raise UsageError(f"{path}: not what compare writes ({error}); {remedy}") from None
    differences = list(_differences("", found.made_with, json.loads(json.dumps(made_with))))
    if differences:
        raise UsageError(f"{path}: was made with {'; '.join(differences[:3])}; {remedy}")
    return found


def _measured(content: Mapping[str, Any]) -> SeedResult:
    """Parse the fields of a record; older ones have an accuracy in place of scores."""
    content = dict(content)
    for name in ("scores", "float_scores"):
        if name not in content:
            content[name] = {"accuracy": content.pop(name.replace("scores", "accuracy"))}
    return SeedResult(**{**content, "losses": tuple(content.get("losses", ()))})


def _differences(name: str, old: Any, new: Any) -> Iterator[str]:
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from _differences(f"{name}.{key}".lstrip("."), old.get(key), new.get(key))
    elif old != new:
        yield f"{name} {_short(old)}, not {_short(new)}"


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 20 else f"{text[:16]}..."

"""The files of a finished comparison."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ...format.atomic import write_whole
from . import picture
from .results import Comparison
from .verdict import judge


def as_json(result: Comparison) -> dict[str, Any]:
    """The comparison's figures, with the verdict on them."""
    return {**as_json(result), "verdict": judge(result).to_json()}


def write(result: Comparison, folder: Path, *, command: str = "") -> None:
    """comparison.json and comparison.png, in `folder`.

    Args:
        command: what was run for it.
    """
    content = json.dumps({**as_json(result), "command": command}, ensure_ascii=False, indent=2)
    write_whole(folder / "comparison.json", content + "\n")
    picture.draw(result, folder / "comparison.png")

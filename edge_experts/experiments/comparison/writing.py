"""The files of a finished comparison."""

from __future__ import annotations

import json
from pathlib import Path

from ...format.atomic import write_whole
from . import picture
from .results import Comparison


def write(result: Comparison, folder: Path, *, command: str = "") -> None:
    """comparison.json and comparison.png, in `folder`.

    Args:
        command: what was run for it.
    """
    content = json.dumps({**result.to_json(), "command": command}, ensure_ascii=False, indent=2)
    write_whole(folder / "comparison.json", content + "\n")
    picture.draw(result, folder / "comparison.png")

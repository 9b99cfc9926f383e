"""Licence of a checkpoint: its text, and the name that its README states."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from edge_experts.format.bounded_read import read_at_most
from edge_experts.format.limits import LIMITS
from edge_experts.format.strict_json import harmless

_FILES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "COPYING", "USE_POLICY.md")
_STATED = re.compile(r"^license(?:_name)?:[ \t]*([^\s#][^\n]{0,100})$", re.MULTILINE)


@dataclass(frozen=True)
class LicenceText:
    """A licence.

    Attributes:
        name: as README.md's front matter states it, such as apache-2.0; else the file's name.
        text: of its file; empty if the checkpoint has only a name.
    """

    name: str
    text: str


def read_licence(folder: Path) -> LicenceText | None:
    """Read the licence of a checkpoint's folder; None if it has none."""
    text, file = "", ""
    for file in _FILES:
        raw = read_at_most(folder / file, LIMITS.config_bytes)
        if raw is not None:
            text = raw[: LIMITS.config_bytes].decode("utf-8", "replace")
            break
    readme = read_at_most(folder / "README.md", LIMITS.config_bytes) or b""
    front = readme.decode("utf-8", "replace").partition("\n---")[0]
    stated = _STATED.search(front) if front.startswith("---") else None
    if not text and stated is None:
        return None
    name = harmless(stated[1].strip()) if stated else file
    return LicenceText(name, text)

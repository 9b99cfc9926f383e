"""Documents of the project, in a stated order: README, the pages in the site's order, the rest."""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"


def _site_order() -> list[Path]:
    """Pages of mkdocs.yml's nav; a root document has its place in the root folder."""
    nav = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:\n")[1].split("\n\n")[0]
    names = re.findall(r"^ +- [^:\n]+: (\S+\.md)$", nav, re.MULTILINE)
    return [ROOT / name if (ROOT / name).is_file() else DOCS / name for name in names]


NAV = tuple(_site_order())
DOCUMENTS = (*NAV, *(path for path in sorted(DOCS.rglob("*.md")) if path not in NAV))


def read(name: str) -> str:
    """Text of a document by its path from the root folder, for example `docs/training.md`."""
    return (ROOT / name).read_text("utf-8")


def block(marker: str) -> str:
    """The first indented block after a marker, such as `<!-- adopt -->`, without indentation.

    The marker may also be words of a sentence, over lines or not. It must be in one document only.
    """
    words = r"\s+".join(map(re.escape, marker.split(" ")))
    pattern = re.compile(words + r"[\s\S]*?\n\n((?:    .*\n|\n)+)")
    found = [match[1] for path in NAV for match in pattern.finditer(path.read_text("utf-8"))]
    assert len(found) == 1, f"{marker}: {len(found)} blocks"
    return textwrap.dedent(found[0])


def commands(marker: str) -> list[str]:
    """The block's lines, each a command."""
    return block(marker).split("\n\n")[0].strip().splitlines()


def python(marker: str) -> str:
    """The block, which must be a program in Python."""
    text = block(marker)
    compile(text, marker, "exec")
    return text

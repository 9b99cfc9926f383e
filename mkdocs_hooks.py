"""Adds the documents of the root folder to the site, with links that hold there.

In a checkout README.md and others lie above docs/, so that links lead to `docs/tables.md` and
`../SECURITY.md`; on the site all pages are in one folder.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
LICENSE = "LICENSE"


def on_files(files: Files, *, config: Any) -> Files:
    """Adds root documents as pages and the licence as a file."""
    for name in DOCUMENTS:
        text = re.sub(r"\]\(docs/", "](", (ROOT / name).read_text("utf-8"))
        files.append(File.generated(config, name, content=text))
    files.append(File.generated(config, LICENSE, content=(ROOT / LICENSE).read_text("utf-8")))
    return files


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Files) -> str:
    """Rewrites links from pages in docs/ to root documents."""
    above = "../" * page.file.src_uri.count("/")
    names = "|".join(map(re.escape, DOCUMENTS))
    return re.sub(rf"\]\({above}\.\./({names})([)#])", rf"]({above}\1\2", markdown)

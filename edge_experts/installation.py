"""pip commands that add an extra to this installation of edge-experts."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

_NAME = "edge-experts"


def command(extra: str) -> str:
    """Return the pip command that installs an extra from the installation's own source.

    The command names the folder or wheel that pip installed from. The package may be on no index,
    in which case its name alone would install nothing.
    """
    origin = _origin()
    path = Path(unquote(urlparse(str(origin.get("url", ""))).path))
    if origin and path.exists():
        options = ["-e"] if origin.get("dir_info", {}).get("editable") else []
        return shlex.join(["pip", "install", *options, f"{path}[{extra}]"])
    return f"pip install '{_NAME}[{extra}]', with the wheel's or the checkout's path as its name"


def _origin() -> dict[str, Any]:
    """Read pip's record of the source, direct_url.json (PEP 610).

    Empty where the package came from an index or was installed by hand.
    """
    import importlib.metadata  # slow to import, and used by error messages only

    for distribution in importlib.metadata.distributions(name=_NAME):
        text = distribution.read_text("direct_url.json")
        if text:
            try:
                found = json.loads(text)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}

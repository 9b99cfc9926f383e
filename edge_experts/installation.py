"""Commands that install more of this very edge-experts, from where it was installed."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

_NAME = "edge-experts"


def command(extra: str) -> str:
    """The pip command that adds an extra: it names the folder or the wheel that pip was given.

    The package may be on no index, so that its name alone would install nothing.
    """
    origin = _origin()
    path = Path(unquote(urlparse(str(origin.get("url", ""))).path))
    if origin and path.exists():
        options = ["-e"] if origin.get("dir_info", {}).get("editable") else []
        return shlex.join(["pip", "install", *options, f"{path}[{extra}]"])
    return f"pip install '{_NAME}[{extra}]', with the wheel's or the checkout's path as its name"


def _origin() -> dict[str, Any]:
    """What pip recorded of its source (PEP 610); empty where it came from an index, or by hand."""
    import importlib.metadata  # slow to import, and needed by errors only

    for distribution in importlib.metadata.distributions(name=_NAME):
        text = distribution.read_text("direct_url.json")
        if text:
            try:
                found = json.loads(text)
            except ValueError:
                continue
            return found if isinstance(found, dict) else {}
    return {}

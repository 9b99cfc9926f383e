"""This very edge-experts as a wheel, also where it runs from a checkout.

Built by hand rather than by setuptools: no network, a fraction of a second, and the same bytes from
the same source, so that a board recognises what it has.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

from ..errors import UsageError

_EPOCH = (1980, 1, 1, 0, 0, 0)  # a zip's oldest date


def requirements() -> list[str]:
    """What this edge-experts requires, all extras included, as its metadata say (PEP 508)."""
    try:
        return importlib.metadata.requires("edge-experts") or []
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            "edge-experts runs from a folder and is not installed, so that nobody knows what it "
            "requires: pip install -e '.[cli]'"
        ) from None


def write(folder: Path) -> Path:
    """Write the wheel (PEP 427), and return its path.

    Raises:
        UsageError: edge-experts is not installed here.
    """
    from .. import __version__, converters

    metadata = [
        "Metadata-Version: 2.1",
        "Name: edge-experts",
        f"Version: {__version__}",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {one}" for one in requirements()),
    ]
    info = f"edge_experts-{__version__}.dist-info"
    files = {
        **_tree(Path(__file__).parents[1], "edge_experts"),
        # Where it runs from a checkout, that folder is elsewhere.
        **_tree(Path(converters.__path__[0]), "edge_experts/converters"),
        f"{info}/METADATA": _text(metadata),
        f"{info}/WHEEL": _text(
            ["Wheel-Version: 1.0", "Generator: edge-experts", "Root-Is-Purelib: true",
             "Tag: py3-none-any"]
        ),
        f"{info}/entry_points.txt": _text(
            ["[console_scripts]", "edge-experts = edge_experts.cli:main"]
        ),
    }  # fmt: skip
    record = [f"{name},sha256={_digest(raw)},{len(raw)}" for name, raw in sorted(files.items())]
    files[f"{info}/RECORD"] = _text([*record, f"{info}/RECORD,,"])
    path = folder / f"edge_experts-{__version__}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, raw)
    return path


def _tree(folder: Path, name: str) -> dict[str, bytes]:
    """All of a package's files, by their names in the wheel."""
    return {
        f"{name}/{path.relative_to(folder).as_posix()}": path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".pyc" and not _hidden(path.relative_to(folder))
    }


def _hidden(path: Path) -> bool:
    return any(part.startswith(".") or part == "__pycache__" for part in path.parts)


def _digest(raw: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()

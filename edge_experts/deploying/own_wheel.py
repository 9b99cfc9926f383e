"""A wheel of the device part of this edge-experts, also if it runs from a checkout.

Written without setuptools: this needs no network and a fraction of a second, and gives the same
bytes for the same source, so that a board recognises a wheel that it has.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import zipfile
from pathlib import Path

from ..errors import UsageError
from ..version import VERSION
from .device_part import device_files

_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest date of the zip format


def requirements() -> list[str]:
    """Requirements of this edge-experts, with all extras, from its metadata (PEP 508)."""
    try:
        return importlib.metadata.requires("edge-experts") or []
    except importlib.metadata.PackageNotFoundError:
        raise UsageError(
            "edge-experts runs from a folder and is not installed, so its requirements are "
            "unknown; install it: pip install -e '.[cli]'"
        ) from None


def write(folder: Path) -> Path:
    """Write the wheel (PEP 427), and return its path.

    Raises:
        UsageError: edge-experts is not installed here.
    """
    package = Path(__file__).parents[1]
    metadata = [
        "Metadata-Version: 2.1",
        "Name: edge-experts",
        f"Version: {VERSION}",
        "Requires-Python: >=3.11",
        *(f"Requires-Dist: {one}" for one in requirements()),
    ]
    info = f"edge_experts-{VERSION}.dist-info"
    files = {
        **{
            f"edge_experts/{path.relative_to(package).as_posix()}": path.read_bytes()
            for path in device_files(package)
        },
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
    path = folder / f"edge_experts-{VERSION}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, raw in sorted(files.items()):
            entry = zipfile.ZipInfo(name, _EPOCH)
            entry.external_attr = 0o644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, raw)
    return path


def _digest(raw: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(raw).digest()).rstrip(b"=").decode()


def _text(lines: list[str]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode()

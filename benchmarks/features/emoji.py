"""A folder of real colour images: the 1,900 emoji of Twemoji, by their categories."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

from edge_experts.datasets import fetch
from edge_experts.format.atomic import staged

_PACKAGE = "emoji-datasource-twitter@16.0.0"
_FILE = "emoji-datasource-twitter-16.0.0.tgz"
_SHA256 = "f64a530c63bca463bd8317fdc4615ce63a53a0c65018e4ce2d848aaba7a28877"
_IMAGES = "package/img/twitter/64"
_WITHOUT = ("Component",)  # skin tones


def write(out: Path, *, force: bool = False) -> int:
    """Write the folder, one folder of PNG files for each category.

    The npm package emoji-datasource-twitter (MIT) has Twemoji's images (CC-BY 4.0), 64 x 64 pixels
    with a transparent background.

    Returns:
        The number of images.

    Raises:
        NetworkError: the package could not be fetched.
        UsageError: the folder exists, and `force` is not given.
    """
    path = fetch.npm_package(_PACKAGE, _FILE, _SHA256)
    with tarfile.open(path) as archive, staged(out, force=force) as folder:
        contents = {
            Path(member.name).name: member
            for member in archive.getmembers()
            if member.name.startswith(f"{_IMAGES}/") or member.name == "package/emoji.json"
        }
        entries: list[dict[str, Any]] = json.loads(_read(archive, contents["emoji.json"]))
        count = 0
        for entry in entries:
            member = contents.get(entry["image"])
            if member is None or entry["category"] in _WITHOUT:
                continue
            label = Path(folder) / entry["category"].lower().replace(" & ", "-and-")
            label.mkdir(exist_ok=True)
            (label / entry["image"]).write_bytes(_read(archive, member))
            count += 1
    return count


def _read(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    assert file is not None, "the package's digest was checked"
    return file.read()

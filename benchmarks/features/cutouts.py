"""A folder of real photos: the photographs of Tux Paint's stamps, by what they show."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from edge_experts.datasets import fetch
from edge_experts.errors import DataError
from edge_experts.format.atomic import staged

_PACKAGE = "tuxpaint-stamps-default"
_FILE = "tuxpaint-stamps-default_2022.06.04-1_all.deb"
_SHA256 = "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34"
_STAMPS = PurePosixPath("usr/share/tuxpaint/stamps")
_LABELS = {
    "animals": "animal",
    "food": "food",
    "plants": "plant",
    **dict.fromkeys(("household", "hobbies", "vehicles"), "thing"),
}
_DRAWN = "cartoon"  # a folder of drawings


def write(out: Path, *, force: bool = False) -> int:
    """Write the folder, one folder of PNG files for each label.

    The Debian package tuxpaint-stamps-default (GPL-2) has photographs of animals, food, plants and
    things, cut out, with a transparent background; few of those that are written are drawings.

    Returns:
        The number of photos.

    Raises:
        NetworkError: the package could not be fetched.
        DataError: dpkg-deb cannot unpack it.
        UsageError: the folder exists, and `force` is not given.
    """
    path = fetch.debian_package(_PACKAGE, _FILE, _SHA256)
    with staged(out, force=force) as folder:
        command = ["dpkg-deb", "--fsys-tarfile", str(path)]
        try:
            child = subprocess.Popen(command, stdout=subprocess.PIPE)
        except OSError as error:
            raise DataError(f"{path}: dpkg-deb cannot unpack it: {error}") from None
        with child, tarfile.open(fileobj=child.stdout, mode="r|") as archive:
            return sum(_written(archive, member, folder) for member in archive)


def _written(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> bool:
    """Write a member that is a photo with a label, and return if it is one."""
    path = PurePosixPath(member.name.removeprefix("./"))
    if not member.isfile() or path.suffix != ".png" or not path.is_relative_to(_STAMPS):
        return False
    parts = path.relative_to(_STAMPS).parts
    label = _LABELS.get(parts[0])
    if label is None or _DRAWN in parts or path.stem.endswith("_mirror"):
        return False
    file = archive.extractfile(member)
    assert file is not None, "it is a file"
    (folder / label).mkdir(exist_ok=True)
    (folder / label / "-".join(parts[1:])).write_bytes(file.read())
    return True

"""An install root: the installed versions, the current one, and their history.

`edge_experts/updates/__init__.py` shows the folder. All operations keep `current` at a whole bundle
at every instant. Those that change the folder hold the lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import MachineError, UsageError
from ..format import disk
from ..format.atomic import PARTIAL, remove, write_whole
from ..format.install_root import CURRENT, is_root
from ..format.manifest import Manifest
from ..runtime.memory.measured_costs import FILE as COSTS
from ..runtime.packed.sidecars import FOLDER as PACKED
from . import signing

HISTORY = "history.json"
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS)
_LOCK = "lock"
_OURS = {CURRENT, "versions", "trusted", HISTORY, COSTS, PACKED, _LOCK, "lost+found"}
_NAME = re.compile(r"(\d+)-[0-9a-f]{12}(\.\d+)?")


@dataclass(frozen=True)
class History:
    """Record of installed versions.

    Attributes:
        newest: the highest version that was ever current, and the start of its digest. Lower
            versions, and other bundles of the same version, are rejected as possible replays.
        order: names of the folders in `versions`, the last installed first.
    """

    newest: str | None
    order: tuple[str, ...]


def identity(manifest: Manifest) -> str:
    """The version of a bundle and the start of its digest: '4-1f0c9d2ab77e'."""
    return f"{manifest.bundle_version}-{manifest.digest.removeprefix('sha256:')[:12]}"


def version_of(name: str) -> int:
    """Version number in a folder's name: 4 for '4-1f0c9d2ab77e'."""
    return int(name.split("-")[0])


class Root:
    """The folder at `path`, locked for the duration of the block of `locked`."""

    def __init__(self, path: Path):
        self.path = path
        self.versions = path / "versions"
        self.trusted = path / "trusted"

    @classmethod
    @contextlib.contextmanager
    def locked(cls, path: Path, *, create: bool = False) -> Iterator[Root]:
        """Lock the install root, and remove leftovers of interrupted commands.

        Raises:
            UsageError: the path is something else, or does not exist and `create` is not set.
            MachineError: another command holds the lock.
        """
        root = cls(path.absolute())
        if not create and not is_root(path):
            raise UsageError(f"{path}: nothing is installed there; `edge-experts install` does")
        root._refuse_other_folders()
        for folder in (root.path, root.versions):
            if not folder.is_dir():
                disk.mkdir(folder)
            disk.fsync(folder.parent)  # an earlier install may have created it, and failed here
            if folder == root.path and not is_root(folder):
                root._refuse_without_links()
        lock = os.open(root.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise MachineError(
                    f"{path}: another install or rollback is at work there; wait for it to end"
                ) from None
            root._clean()
            yield root
        finally:
            os.close(lock)

    @property
    def current(self) -> str | None:
        """Name of the version that `current` points to."""
        name = (self.path / CURRENT).readlink().name if is_root(self.path) else ""
        return name if _NAME.fullmatch(name) else None

    def folder(self, name: str) -> Path:
        return self.versions / name

    def names(self) -> set[str]:
        """Names of all installed versions."""
        return {path.name for path in self.versions.iterdir() if _NAME.fullmatch(path.name)}

    def history(self) -> History:
        """History of the installed versions; their names alone if history.json is lost."""
        there = self.names()
        known = self._recorded() or History(
            max(there, key=version_of, default=None),
            tuple(sorted(there, key=version_of, reverse=True)),
        )
        order = [name for name in known.order if name in there]
        newest, current = known.newest, self.current
        if current is not None:  # the pointer is more reliable than the history
            newest = max(newest or current, current, key=version_of)
            if current not in order:
                order.insert(0, current)
        return History(newest, tuple(order))

    def record(self, history: History) -> None:
        """Write the history, whole and on the disk, before the pointer moves."""
        if self._recorded() == history:
            return
        content = {"schema_version": "1.0", "newest": history.newest, "order": history.order}
        write_whole(self.path / HISTORY, json.dumps(content, indent=2) + "\n")

    def switch(self, name: str) -> None:
        """Point `current` to another version, in one step; on the disk when it returns."""
        if self.current != name:
            new = self.path / f".{CURRENT}{PARTIAL}"
            disk.symlink(f"versions/{name}", new)
            disk.rename(new, self.path / CURRENT)
        disk.fsync(self.path)  # also after an earlier switch that failed here

    def free_name(self, manifest: Manifest) -> str:
        """Unused folder name for a version: a damaged one is written anew beside it."""
        wanted, there = identity(manifest), self.names()
        again = (f"{wanted}.{count}" for count in range(1, len(there) + 1))
        return next(name for name in (wanted, *again) if name not in there)

    def discard(self, names: Iterable[str]) -> None:
        """Remove versions. Each disappears whole: its name goes first."""
        for name in names:
            going = self.versions / f".{name}{PARTIAL}"
            disk.rename(self.versions / name, going)
            disk.fsync(self.versions)
            remove(going)

    def keys(self) -> tuple[signing.TrustedKey, ...]:
        """Keys that are pinned here; if there is one, a signature is required."""
        return tuple(signing.read_public(path) for path in sorted(self.trusted.glob("*.pub")))

    def pin(self, key: signing.TrustedKey) -> None:
        """Trust a key from now on."""
        place = self.trusted / f"{key.fingerprint.removeprefix('ed25519:')}.pub"
        if place.exists():
            return
        if not self.trusted.is_dir():
            disk.mkdir(self.trusted)
            disk.fsync(self.path)
        write_whole(place, key.pem)

    def _recorded(self) -> History | None:
        try:
            content = json.loads((self.path / HISTORY).read_bytes())
            newest, order = content["newest"], tuple(content["order"])
            known = all(_NAME.fullmatch(name) for name in (newest, *order))
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return History(newest, order) if known else None

    def _refuse_other_folders(self) -> None:
        if not self.path.parent.is_dir():
            raise UsageError(f"{self.path}: the folder {self.path.parent} does not exist")
        if self.path.exists() and not self.path.is_dir():
            raise UsageError(f"{self.path}: must be a folder, and is a file")
        if not self.path.exists():
            return
        foreign = {path.name for path in self.path.iterdir() if not path.name.startswith(".")}
        if foreign - _OURS:
            raise UsageError(
                f"{self.path}: holds {min(foreign - _OURS)}, so it is no folder that bundles are "
                "installed in; name a new one"
            )

    def _refuse_without_links(self) -> None:
        """Raise MachineError if the file system has no symbolic links; removes a new folder."""
        probe = self.path / f".{CURRENT}{PARTIAL}"
        if probe.is_symlink():  # left by an interrupted install: links are supported
            return
        try:
            disk.symlink("versions", probe)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            with contextlib.suppress(OSError):  # the folder has other files
                disk.rmdir(self.path)
            raise MachineError(
                f"{self.path}: its file system has no links, as of FAT or exFAT, by which versions "
                "are switched; install on another one, such as ext4, or use the bundle without "
                "installing it: edge-experts unpack"
            ) from None
        disk.unlink(probe)

    def _clean(self) -> None:
        """Remove leftovers of an interrupted command: unfinished entries, and unlisted versions."""
        for folder in (self.path, self.versions, self.trusted):
            for path in sorted(folder.glob(f".*{PARTIAL}")):
                remove(path)
        self.discard(sorted(self.names() - set(self.history().order)))

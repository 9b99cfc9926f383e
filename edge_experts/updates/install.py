"""Install a bundle, or roll back: check and test the version, then switch to it in one step."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from .. import subprocesses
from ..errors import BundleError, DigestError, MachineError, OldVersionError, UsageError
from ..features import read_features
from ..format import disk
from ..format.atomic import staged
from ..format.checked_files import read_checked, read_signature
from ..format.manifest import MANIFEST, SIGNATURE, FileEntry, Manifest
from ..format.manifest_parser import parse_manifest, read_manifest
from ..progress import Progress
from ..runtime import ExpertRuntime, golden
from ..runtime.memory import allocator, costs, measured_costs
from ..runtime.tasks import open_task
from . import packed_experts, signing
from .packed_experts import PackedExperts
from .root import History, Root, identity, version_of
from .source import Source, opened

_BLOCK = 4096  # disk space of a file beyond its size
_SPARE = 1_000_000  # disk space for names, the history, and other programs


@dataclass(frozen=True)
class Installed:
    """Result of an install or a rollback.

    Attributes:
        name: folder in `versions` that is current now.
        previous: folder that was current before; None if there was none.
        written_bytes, reused_bytes: size of files from the source, and of reused installed files.
        golden_examples: number of golden examples that were answered as published.
        signed_by: the trusted key of the signature; None if no signature was required.
        changed: False if this bundle was current already.
        left: why older versions could not be removed; the next install tries again.
        unmeasured: why the models' memory was not measured here; None if it was.
        packed: experts whose weights were packed for this board.
    """

    name: str
    previous: str | None
    written_bytes: int = 0
    reused_bytes: int = 0
    golden_examples: int = 0
    signed_by: signing.TrustedKey | None = None
    changed: bool = True
    left: str | None = None
    unmeasured: str | None = None
    packed: PackedExperts = packed_experts.NONE


def install(
    bundle: str | Path,
    root: str | Path,
    *,
    trust: Iterable[str | Path] = (),
    allow_older: bool = False,
    keep: int = 2,
    packed: bool | None = None,
) -> Installed:
    """Make a bundle current in an install root, which is created if missing.

    If the power or any operation fails at any instant, the old or the new bundle is current and
    whole. The same call then completes the installation.

    Args:
        bundle: a folder, an archive, or an update, which omits files that are installed.
        trust: public keys. One of them, or of the keys pinned here before, must have signed the
            bundle. The key that did is trusted from then on.
        allow_older: also accept a version not above the newest ever installed here.
        keep: number of versions to keep, the current one included.
        packed: pack the experts' weights for this board, which doubles the disk space, see
            docs/language-models.md; None: where it is possible and gains memory.

    Raises:
        SignatureError: no trusted key signed the bundle.
        OldVersionError: the version is not above the newest.
        BundleError: the bundle is damaged, lacks files, or has other answers than published.
        MachineError: the disk is full, or another install holds the lock.
        OSError: the storage fails.
    """
    if keep < 1:
        raise UsageError(f"keep must be at least 1, got {keep}")
    named = [signing.read_public(Path(path)) for path in trust]
    with Root.locked(Path(root), create=True) as place, opened(Path(bundle)) as source:
        raw, signature = source.manifest(), source.signature()
        keys = (*place.keys(), *named)
        # The signature is checked before any other code reads the bytes.
        signed_by = signing.signer(raw, signature, keys, source.where) if keys else None
        manifest = parse_manifest(raw, source.where)
        before, history = place.current, place.history()
        same = before if before is not None and _is(before, manifest) else None
        if same is None and not allow_older:
            _refuse_older(manifest, history, place)
        known = _installed(place)
        new = sum(one.bytes + _BLOCK for one in manifest.files if one.sha256 not in known)
        unpacked = packed_experts.plan(place, manifest, packed, new)
        if same is not None and _is_whole(place.folder(same), manifest, signature):
            done = Installed(same, before, signed_by=signed_by, changed=False)
        else:
            name = place.free_name(manifest)
            with staged(place.folder(name)) as folder:
                disk.write(folder / MANIFEST, raw)
                if signature is not None:
                    disk.write(folder / SIGNATURE, signature)
                written, reused = _fill(folder, manifest, source, place)
                count = _prove(folder, manifest)
            done = Installed(name, before, written, reused, count, signed_by)
        unmeasured = _measure(place, place.folder(done.name), manifest)
        if signed_by is not None:
            place.pin(signed_by)
        history = _next(history, done.name, before)
        order = history.order[:keep]

        def pack() -> PackedExperts:
            return unpacked or packed_experts.pack(place, done.name, _installed(place, order))

        # Who follows updates opens the new version once, so its experts are packed by then. The
        # first version answers at once: packing may take a while, or be interrupted.
        made = None if before is None else pack()
        place.record(history)
        place.switch(done.name)
        made = made or pack()
        if packed is False:
            packed_experts.drop(place)
        left = _prune(place, order)
        return replace(done, left=left, unmeasured=unmeasured, packed=made)


def rollback(root: str | Path) -> Installed:
    """Make the previous version current again, after testing it.

    Raises:
        UsageError: there is no previous version.
        BundleError: it is damaged, or has other answers than published; the current one stays.
    """
    with Root.locked(Path(root)) as place:
        before, history = place.current, place.history()
        order = history.order
        older = order[order.index(before) + 1 :] if before in order else order
        if not older:
            raise UsageError(f"{root}: there is no earlier version to go back to")
        folder = place.folder(older[0])
        manifest = read_manifest(folder)
        for entry in manifest.files:
            read_checked(folder, entry)
        count = _prove(folder, manifest)
        place.record(history)
        place.switch(older[0])
        return Installed(older[0], before, golden_examples=count)


def _is(name: str, manifest: Manifest) -> bool:
    return name.split(".")[0] == identity(manifest)


def _refuse_older(manifest: Manifest, history: History, place: Root) -> None:
    newest = history.newest
    if newest is None or manifest.bundle_version > version_of(newest) or _is(newest, manifest):
        return
    raise OldVersionError(
        f"{place.path}: version {version_of(newest)} was installed there, so that version "
        f"{manifest.bundle_version} of {manifest.name} may be a replay of an old one; "
        "`edge-experts convert --base` raises the version, and --allow-older installs it anyway"
    )


def _is_whole(folder: Path, manifest: Manifest, signature: bytes | None) -> bool:
    """True if an installed bundle matches the source's manifest."""
    try:
        for entry in manifest.files:
            read_checked(folder, entry)
        return read_manifest(folder) == manifest and read_signature(folder) == signature
    except (BundleError, OSError):
        return False


def _fill(folder: Path, manifest: Manifest, source: Source, place: Root) -> tuple[int, int]:
    """Put every file of the bundle into `folder`; returns the bytes written and reused."""
    installed = _installed(place)
    missing = [
        entry.path
        for entry in manifest.files
        if entry.sha256 not in installed and not source.has(entry)
    ]
    if missing:
        raise DigestError(
            f"{source.where}: {missing[0]} ({len(missing)} of {len(manifest.files)} files) is left "
            f"out, and nothing that is installed in {place.path} has it; install the whole bundle"
        )
    new = [entry for entry in manifest.files if entry.sha256 not in installed]
    _refuse_full(place, sum(entry.bytes + _BLOCK for entry in new))
    written = reused = 0
    with Progress("Installing", len(manifest.files)) as progress:
        for entry in manifest.files:
            target = folder / entry.path
            for parent in reversed(Path(entry.path).parents[:-1]):
                if not (folder / parent).is_dir():
                    disk.mkdir(folder / parent)
            if _reuse(target, entry, installed, must=not source.has(entry)):
                reused += entry.bytes
            else:
                disk.write(target, source.read(entry))
                written += entry.bytes
            progress.step(entry.path)
    return written, reused


def _installed(
    place: Root, names: Sequence[str] | None = None
) -> dict[str, tuple[Path, FileEntry]]:
    """Files of these installed versions, or of all, by SHA-256."""
    found: dict[str, tuple[Path, FileEntry]] = {}
    for name in reversed(place.history().order if names is None else names):
        try:
            manifest = read_manifest(place.folder(name))
        except BundleError:
            continue
        found.update({entry.sha256: (place.folder(name), entry) for entry in manifest.files})
    return found


def _reuse(
    target: Path, entry: FileEntry, installed: dict[str, tuple[Path, FileEntry]], *, must: bool
) -> bool:
    """Link or copy an installed file, if one matches; returns whether one did.

    Raises:
        DigestError: none matches, and `must` is set.
    """
    if entry.sha256 not in installed:
        return False
    folder, known = installed[entry.sha256]
    try:
        content = read_checked(folder, replace(entry, path=known.path))
    except (DigestError, OSError) as error:
        if must:
            raise DigestError(f"{error}; the update leaves it out: install the whole one") from None
        return False
    try:
        disk.link(folder / known.path, target)
    except OSError:  # a file system without hard links; another failure will recur
        if not target.exists():
            disk.write(target, content)
    return True


def _refuse_full(place: Root, needed: int) -> None:
    free = shutil.disk_usage(place.path).free
    if free < needed + _SPARE:
        raise MachineError(
            f"{place.path}: {needed + _SPARE:,} bytes are needed and {free:,} are free; make room"
        )


def _prove(folder: Path, manifest: Manifest) -> int:
    """Answer the golden examples with as little memory as possible; returns their number."""
    with ExpertRuntime(folder, max_experts=1, strict=True) as runtime:
        return golden.check(runtime)


def _measure(place: Root, folder: Path, manifest: Manifest) -> str | None:
    """Measure the models' memory here, if not known; returns why it failed."""
    if measured_costs.cover(place.path, manifest):
        return None
    try:
        found = subprocesses.call(_costs, folder)
    except (BundleError, OSError) as error:  # without /proc, the manifest applies
        return str(error)
    measured_costs.record(place.path, manifest, found, _installed(place))
    return None


def _costs(folder: Path) -> dict[str, int]:
    """Memory of each model in bytes; runs in a separate process."""
    allocator.map_large_blocks()  # as the runtime does
    manifest = read_manifest(folder)
    task = open_task(manifest, read_features(folder, manifest.features), folder)
    arrays = {name: array[:1] for name, array in golden.read(folder).arrays.items()}
    arrays |= task.largest_state()
    return costs.measure(folder, manifest, arrays, task)


def _next(history: History, name: str, before: str | None) -> History:
    """History after `name` replaces `before`; versions that were rolled back are dropped."""
    order = history.order
    older = order[order.index(before) :] if before in order else order
    newest = max(history.newest or name, name, key=version_of)
    # An earlier folder of the same bundle was damaged or unsigned.
    other = (old for old in older if old.split(".")[0] != name.split(".")[0])
    return History(newest, (name, *other))


def _prune(place: Root, kept: Iterable[str]) -> str | None:
    """Remove other versions; returns the failure, which does not affect the new version."""
    try:
        place.discard(sorted(place.names() - set(kept)))
    except OSError as error:
        return str(error)
    return None

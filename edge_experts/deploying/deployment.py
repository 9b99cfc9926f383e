"""Deployment of a bundle to any number of boards at once."""

from __future__ import annotations

import contextlib
import re
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from ..errors import UsageError
from ..features import extras_of
from ..format.checked_files import read_checked, read_signature
from ..format.install_root import resolve
from ..format.manifest import MANIFEST, SIGNATURE
from ..format.manifest_parser import read_manifest
from ..progress import Progress
from ..updates import signing
from . import resolving
from .carrying import Plan, carry
from .outcome import Outcome
from .ssh import Link
from .wheels import Store

ROOT = "~/.local/share/edge-experts"


def deploy(
    bundle: str | Path,
    hosts: Sequence[str],
    *,
    root: str = ROOT,
    name: str | None = None,
    ssh: str = "ssh",
    python: str = "python3",
    wheels: str | Path | None = None,
    trust: Iterable[str | Path] = (),
    allow_older: bool = False,
    unit: int | None = None,
    benchmark: bool = True,
    dry_run: bool = False,
) -> list[Outcome]:
    """Install a bundle on boards over ssh, with the device part that it needs, and measure it.

    Each board has the old or the new bundle at every instant, whole. A failure of one board does
    not stop the others; its error is in its outcome.

    Args:
        bundle: a folder, or an install root.
        hosts: names as ssh takes them.
        root: the folder on each board for all files; see this package's documentation.
        name: of the bundle on the boards; its own by default.
        ssh: the command with its options, as for rsync's -e.
        python: the board's, 3.11 or later.
        wheels: a folder of wheels, where there is no network.
        trust: public keys, as for `install`.
        allow_older: also accept a version not above the newest ever installed there.
        unit: a port. If given, the server's packages are installed too, and a unit for systemd is
            written beside the bundle. The unit is not enabled.
        benchmark: also measure the bundle there.
        dry_run: only query the boards, and change nothing on them.

    Returns:
        An outcome for every host, in their order.

    Raises:
        BundleError: the bundle is damaged on this machine.
        UsageError: an argument is invalid.
        MissingExtraError: pip or packaging is not installed.
    """
    resolving.require()
    folder = resolve(Path(bundle))
    manifest = read_manifest(folder)
    for entry in manifest.files:
        read_checked(folder, entry)
    files = {entry.path: entry.bytes for entry in manifest.files}
    signed = [] if read_signature(folder) is None else [SIGNATURE]
    files |= {path: (folder / path).stat().st_size for path in (MANIFEST, *signed)}
    keys = tuple(Path(key) for key in trust)
    for key in keys:
        signing.read_public(key)
    plan = Plan(
        bundle=folder,
        files=files,
        name=_name(manifest.name if name is None else name, given=name is not None),
        root=root,
        python=python,
        trust=keys,
        allow_older=allow_older,
        port=unit,
        benchmark=benchmark,
        dry_run=dry_run,
        extras=extras_of(manifest.features.kind),
    )
    if not hosts or len(set(hosts)) < len(hosts):
        raise UsageError(
            f"name each board once, and one at least; got {', '.join(hosts) or 'none'}"
        )
    links = [Link(host, ssh) for host in hosts]
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as bars:
        store = Store(Path(work), None if wheels is None else Path(wheels))
        told = [bars.enter_context(Progress(host, plan.steps)) for host in hosts]
        with ThreadPoolExecutor(len(links)) as pool:
            try:
                futures = [
                    pool.submit(carry, link, plan, store, progress)
                    for link, progress in zip(links, told, strict=True)
                ]
                return [future.result() for future in futures]
            except BaseException:  # interrupted: end the commands that the threads wait for
                for link in links:
                    link.cancel()
                raise


def _name(name: str, *, given: bool) -> str:
    """Folder name on the board: the bundle's, without characters special to shells or systemd."""
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip(".-")
    if (given and kept != name) or not kept:
        raise UsageError(
            f"--name {name!r}: must be of letters, digits, '_', '-' and '.', and begin with a "
            "letter or digit"
        )
    return kept

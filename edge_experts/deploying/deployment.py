"""Deployment of a bundle to any number of boards at once."""

from __future__ import annotations

import contextlib
import functools
import re
import tempfile
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
from .deploy_options import DeployOptions
from .outcome import Outcome
from .ssh import Link
from .wheels import Store


@dataclass(frozen=True)
class Order:
    """A bundle for one board.

    Attributes:
        host: as ssh takes it.
        bundle: a folder, or an install root.
        name: of the bundle on the board; its own by default.
    """

    host: str
    bundle: Path
    name: str | None = None


def deploy(
    bundle: str | Path,
    hosts: Sequence[str],
    *,
    name: str | None = None,
    trust: Iterable[str | Path] = (),
    wheels: str | Path | None = None,
    **options: Any,
) -> list[Outcome]:
    """Install a bundle on boards over ssh, with the device part that it needs, and measure it.

    Each board has the old or the new bundle at every instant, whole. A failure of one board does
    not stop the others; its error is in its outcome.

    Args:
        bundle: a folder, or an install root.
        hosts: names as ssh takes them.
        name: of the bundle on the boards; its own by default.
        trust: public keys, as for `install`.
        wheels: a folder of wheels, where there is no network.
        options: the others of `DeployOptions`.

    Returns:
        An outcome for every host, in their order.

    Raises:
        BundleError: the bundle is damaged on this machine.
        UsageError: an argument is invalid.
        MissingExtraError: pip or packaging is not installed.
    """
    return deploy_each(
        [Order(host, Path(bundle), name) for host in hosts],
        DeployOptions(
            trust=tuple(Path(key) for key in trust),
            wheels=None if wheels is None else Path(wheels),
            **options,
        ),
    )


def deploy_each(orders: Sequence[Order], options: DeployOptions) -> list[Outcome]:
    """Run `deploy` where each board gets a bundle of its own; results and errors are the same."""
    resolving.require()
    hosts = [order.host for order in orders]
    if not hosts or len(set(hosts)) < len(hosts):
        raise UsageError(
            f"name each board once, and one at least; got {', '.join(hosts) or 'none'}"
        )
    for key in options.trust:
        signing.read_public(key)
    plan_of = functools.cache(functools.partial(_plan, options))
    plans = [plan_of(order.bundle, order.name) for order in orders]
    links = [Link(host, options.ssh) for host in hosts]
    with tempfile.TemporaryDirectory() as work, contextlib.ExitStack() as bars:
        store = Store(Path(work), options.wheels)
        told = [
            bars.enter_context(Progress(host, plan.steps))
            for host, plan in zip(hosts, plans, strict=True)
        ]
        with ThreadPoolExecutor(len(links)) as pool:
            try:
                futures = [
                    pool.submit(carry, link, plan, store, progress)
                    for link, plan, progress in zip(links, plans, told, strict=True)
                ]
                return [future.result() for future in futures]
            except BaseException:  # interrupted: end the commands that the threads wait for
                for link in links:
                    link.cancel()
                raise


def _plan(options: DeployOptions, bundle: Path, name: str | None) -> Plan:
    """Check a bundle on this machine, and describe its deployment."""
    folder = resolve(bundle)
    manifest = read_manifest(folder)
    for entry in manifest.files:
        read_checked(folder, entry)
    files = {entry.path: entry.bytes for entry in manifest.files}
    signed = [] if read_signature(folder) is None else [SIGNATURE]
    files |= {path: (folder / path).stat().st_size for path in (MANIFEST, *signed)}
    return Plan(
        **vars(options),
        bundle=folder,
        files=files,
        name=name_on_board(manifest.name) if name is None else _refuse_name(name),
        extras=extras_of(manifest.features.kind),
    )


def name_on_board(name: str) -> str:
    """Return a bundle's name without characters special to shells or systemd."""
    kept = re.sub(r"[^A-Za-z0-9_.-]+", "-", name).lstrip(".-")
    return kept or _refuse_name(name)


def _refuse_name(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]*", name):
        raise UsageError(
            f"--name {name!r}: must be of letters, digits, '_', '-' and '.', and begin with a "
            "letter or digit"
        )
    return name

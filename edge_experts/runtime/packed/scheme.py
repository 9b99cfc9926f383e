"""Choice of how a bundle's experts are loaded: slots, mapped sidecars, or plain interpreters."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from ...errors import EdgeExpertsError, UsageError
from ...format.manifest import Manifest
from .. import interpreter
from ..interpreter import Delegate, package
from ..models import Models

if TYPE_CHECKING:
    from .slot_pool import SlotPool

CHOICE = "EDGE_EXPERTS_RESIDENCY"  # environment variable that names one of these
SLOTS, MAPPED, PLAIN = "slots", "mapped", "plain"
NAMES = (SLOTS, MAPPED, PLAIN)
_CLEARLY = 1.25  # times as long: less may be other work on the machine


def setting(threads: int, requests: int) -> str:
    """Name what the time of a call depends on: threads of the kernels, and requests at a time.

    More than two of either are taken for two.
    """
    return f"threads {min(threads, 2)}, requests {min(requests, 2)}"


class Scheme(NamedTuple):
    """How experts are loaded.

    Attributes:
        name: "slots": packed weights are read into the memory of a live model; "mapped": a model
            is opened on them; "plain": an interpreter is opened on the original file.
        reason: why it is not an earlier one of these; empty for slots.
        is_forced: the environment demands it.
        times: as of `sidecars.Index`, measured at `install`.
    """

    name: str
    reason: str
    pool: SlotPool | None = None
    is_forced: bool = False
    times: Mapping[str, float] = MappingProxyType({})

    def faster_interpreters(self, threads: int, requests: int) -> Scheme | None:
        """Return the scheme of interpreters if they are clearly faster than slots; else None.

        Only where all experts are in memory: each load takes an interpreter many times as long.

        Args:
            threads: of the kernels.
            requests: at the same time.
        """
        found = setting(threads, requests)
        ratio = self.times.get(found, 1.0)
        if self.pool is None or self.is_forced or ratio < _CLEARLY:
            return None
        reason = (
            f"the memory budget holds all experts as interpreters, and a slot takes {ratio:.2f} "
            f"times as long ({found})"
        )
        return Scheme(PLAIN, reason, times=self.times)


NO_ROOM = Scheme(PLAIN, "the memory budget does not hold slots and what packing again takes")
IN_FORK = Scheme(PLAIN, "this process was forked: slots are its parent's")


def choose(
    folder: Path, manifest: Manifest, models: Models, threads: int, delegate: Delegate
) -> Scheme:
    """Choose the first scheme that gives the answers of the original files here.

    The bundle has packed experts if it was installed and packed on this very kind of machine.

    Raises:
        UsageError: the environment demands a scheme that is not possible.
    """
    wanted = os.environ.get(CHOICE)
    if wanted and wanted not in NAMES:
        raise UsageError(f"{CHOICE} must be one of {NAMES}, got {wanted!r}")
    if wanted == PLAIN:
        return Scheme(PLAIN, f"{CHOICE}={PLAIN}")
    problem = _problem(manifest, delegate)
    if not problem:
        found = _first_that_works(folder, manifest, models, threads, wanted)
        if found.pool is not None:
            return found
        problem = found.reason
    if wanted:
        raise UsageError(f"{CHOICE}={wanted} is not possible: {problem}")
    return Scheme(PLAIN, problem)


def _first_that_works(
    folder: Path, manifest: Manifest, models: Models, threads: int, wanted: str | None
) -> Scheme:
    from . import sidecars  # slow to import, and not for every bundle
    from .slot_pool import SlotPool

    root = folder.resolve().parent.parent
    index = sidecars.read(root)
    missing = [one.path for one in manifest.experts if one.sha256 not in index.files]
    if index.reason or missing:
        lacking = index.reason or f"{missing[0]} is not packed here; install the bundle again"
        return Scheme(PLAIN, lacking)
    reasons: list[str] = []
    for name in [one for one in (SLOTS, MAPPED) if wanted in (None, "", one)]:
        try:
            pool = SlotPool(root, manifest, models, index, threads=threads, reuse=name == SLOTS)
            pool.self_check()
        except (EdgeExpertsError, OSError, ImportError, AttributeError, TypeError) as error:
            reasons.append(f"{name}: {error}")  # another version of LiteRT may have other methods
            continue
        return Scheme(name, "; ".join(reasons), pool, bool(wanted), index.times)
    return Scheme(PLAIN, "; ".join(reasons))


def without_litert() -> str:
    """Say that the interpreter in use has no packed experts, and how another one is used."""
    return (
        f"{package()} has no packed experts, ai-edge-litert has; where both are installed, set "
        f"{interpreter.CHOICE}=ai_edge_litert"
    )


def _problem(manifest: Manifest, delegate: Delegate) -> str:
    if not manifest.layers:
        return "only experts of layers are packed"
    if delegate != "xnnpack":
        return f"delegate is {delegate!r}, and XNNPACK packs weights"
    if package() != "ai_edge_litert":
        return without_litert()
    return ""

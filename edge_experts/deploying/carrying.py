"""Deployment of one bundle to one board: facts, environment, files, install, benchmark."""

from __future__ import annotations

import json
import re
import shlex
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from shutil import copy
from typing import Any

from ..errors import BoardError, EdgeExpertsError, NetworkError
from ..progress import Progress
from . import unit as units
from .board_target import BoardTarget
from .deploy_options import DeployOptions
from .outcome import Outcome
from .ssh import Link
from .wheels import Store, Wheels

_SPARE = 20_000_000  # bytes reserved for other writes on the board
_COMPILED = 1.5  # an installed package has sources and bytecode
_IMAGES = "images"  # the extra with Pillow


@dataclass(frozen=True, kw_only=True)
class Plan(DeployOptions):
    """A bundle, and how it is deployed; see `deploy`.

    Attributes:
        files: sizes in bytes of the bundle's files, by relative path.
        name: of the bundle's folder on the board.
        extras: extras that the bundle's features need.
    """

    bundle: Path
    files: Mapping[str, int]
    name: str
    extras: tuple[str, ...] = ()

    @property
    def steps(self) -> int:
        """Number of progress steps of a successful `carry`."""
        return 3 if self.dry_run else 4 + self.benchmark


def carry(link: Link, plan: Plan, store: Store, progress: Progress) -> Outcome:
    """Deploy the bundle to the board, as far as possible; an error is in the outcome."""
    found: dict[str, Any] = {"host": link.host, "dry_run": plan.dry_run}
    try:
        _carry(link, plan, store, progress, found)
    except EdgeExpertsError as error:
        reason = str(error).removeprefix(f"{link.host}: ").partition("\n")[0]
        progress.note(f"failed: {reason}")
        found["error"] = error
    return Outcome(**found)


def _carry(link: Link, plan: Plan, store: Store, progress: Progress, found: dict[str, Any]) -> None:
    start = time.monotonic()
    facts = link.python(plan.python, "ask", plan.root)
    target = BoardTarget.of(facts, link.host)
    _refuse_unfit(facts, link.host)
    root = facts["root"]
    bundle, staging = f"{root}/bundles/{plan.name}", f"{root}/staging/{plan.name}"
    found |= {"board": str(target), "bundle": bundle}
    wheels = _wheels(store, target, plan, facts, link.host, found)
    progress.step(str(target))
    _environment(link, plan, wheels, facts, progress, found)
    progress.step("environment")
    found["bundle_bytes"] = link.send(
        plan.bundle,
        f"{staging}/bundle",
        files=list(plan.files),
        same=[f"{bundle}/versions/{version}" for version in facts["versions"].get(plan.name, ())],
        told=progress.note,
        dry_run=plan.dry_run,
    )
    progress.step("sent")
    if plan.unit is not None:
        found["unit"] = units.unit(link.host, facts["user"], root, plan.name, plan.unit)
    if not plan.dry_run:
        done = _install(link, plan, root, staging, _forwarded(progress))
        told = ("current", "previous", "changed", "golden_examples")
        found |= {name: done[name] for name in told}
        if plan.unit is not None:
            _write(link, found["unit"].path, found["unit"].text)
        progress.step("installed")
    found["seconds"] = round(time.monotonic() - start, 1)
    if plan.benchmark and not plan.dry_run:
        command = f"{_program(root)} benchmark {shlex.quote(bundle)} --json"
        found["benchmark"] = _json(link.run(command, told=_forwarded(progress)))
        progress.step("measured")


def _environment(
    link: Link,
    plan: Plan,
    wheels: Wheels,
    facts: dict[str, Any],
    progress: Progress,
    found: dict[str, Any],
) -> None:
    """Keep the environment if it is the right one; otherwise send its wheels and build it."""
    kept = (facts["environment"] or {}).get("digest") == wheels.entry["digest"]
    _refuse_full(facts, plan, None if kept else wheels, link.host)
    found |= {"environment": "kept" if kept else "built", "wheels_bytes": 0}
    if kept:
        return
    found["wheels_bytes"] = link.send(
        wheels.folder, f"{facts['root']}/wheels", told=progress.note, dry_run=plan.dry_run
    )
    if not plan.dry_run:
        progress.note("building the environment")
        link.python(plan.python, "build", facts["root"], json.dumps(wheels.entry))
        if units.service_name(plan.name) in facts["units"]:
            found["restart"] = units.restart(link.host, plan.name)


def _write(link: Link, path: str, text: str) -> None:
    """Write a file on the board atomically."""
    quoted = shlex.quote(path)
    link.run(f"cat > {quoted}.new && mv {quoted}.new {quoted}", stdin=text.encode())


def _install(
    link: Link, plan: Plan, root: str, staging: str, told: Callable[[str], None]
) -> dict[str, Any]:
    """Check, test and activate the sent bundle on the board; removes its staging folder."""
    options = ["--allow-older"] if plan.allow_older else []
    if plan.trust:
        with tempfile.TemporaryDirectory() as folder:
            for number, key in enumerate(plan.trust):
                copy(key, Path(folder, f"{number}.pub"))
                options += ["--trust", f"{staging}/trust/{number}.pub"]
            link.send(Path(folder), f"{staging}/trust")
    quoted = shlex.join([f"{staging}/bundle", f"{root}/bundles/{plan.name}", *options])
    return _json(
        link.run(
            f"mkdir -p {shlex.quote(root)}/bundles && {_program(root)} install {quoted} --json; "
            f"code=$?; rm -rf {shlex.quote(staging)}; exit $code",
            told=told,
        )
    )


def _wheels(
    store: Store,
    target: BoardTarget,
    plan: Plan,
    facts: dict[str, Any],
    host: str,
    found: dict[str, Any],
) -> Wheels:
    # The package index has no numpy and no Pillow for 32-bit ARM; Debian has.
    numpy = facts["numpy"] if target.machine == "armv7l" else None
    extras = _extras(plan, facts)
    if numpy is not None and _IMAGES in extras:
        extras.remove(_IMAGES)
        if not facts["pillow"]:
            found["image_files"] = f"ssh -t {host} sudo apt-get install python3-pil"
    try:
        return store.wheels(target, extras, facts["executable"], numpy=numpy)
    except NetworkError as error:
        lacks = target.machine == "armv7l" and numpy is None
        first = f"; first of all: ssh -t {host} sudo apt-get install python3-numpy" if lacks else ""
        raise NetworkError(f"{host}: {error}{first}") from None


def _extras(plan: Plan, facts: dict[str, Any]) -> set[str]:
    """Extras that the environment needs, and those of an earlier deployment."""
    extras = {"device", "cli", *plan.extras, *(facts["environment"] or {}).get("extras", ())}
    if plan.unit is not None:
        extras.add("serve")
    if plan.trust or plan.name in facts["trusting"]:
        extras.add("sign")
    return extras


def _refuse_unfit(facts: dict[str, Any], host: str) -> None:
    """Raise BoardError if the board lacks something that no wheel provides."""
    if facts["rsync"] is None:
        raise BoardError(f"{host}: has no rsync: ssh -t {host} sudo apt-get install rsync")
    if not facts["venv"]:
        raise BoardError(
            f"{host}: its Python has no module venv: "
            f"ssh -t {host} sudo apt-get install python3-venv"
        )
    if facts["foreign"]:
        raise BoardError(
            f"{host}: {facts['root']} holds {facts['foreign'][0]}, which edge-experts did not put "
            "there; name a folder of its own with --root"
        )
    if not facts["writable"]:
        raise BoardError(
            f"{host}: {facts['user']} cannot write to {facts['nearest']}; give it the right to, or "
            "name another folder with --root"
        )


def _refuse_full(facts: dict[str, Any], plan: Plan, wheels: Wheels | None, host: str) -> None:
    """Raise BoardError if the disk is too small, before anything is sent."""
    needed = _SPARE
    if wheels is not None:
        needed += wheels.wheel_bytes + int(_COMPILED * wheels.unpacked_bytes)
    if not facts["versions"].get(plan.name):
        needed += 2 * sum(plan.files.values())  # staged and installed
    if facts["free_bytes"] < needed:
        raise BoardError(
            f"{host}: {facts['nearest']}: {needed:,} bytes are needed and {facts['free_bytes']:,} "
            "are free; make room, or name another disk with --root"
        )


def _forwarded(progress: Progress) -> Callable[[str], None]:
    """Forward the progress lines of a remote command; its interpreter prints others."""

    def tell(line: str) -> None:
        if re.match(r"\w+: \d+/\d+ ", line):
            progress.note(line)

    return tell


def _program(root: str) -> str:
    return shlex.quote(f"{root}/environment/bin/edge-experts")


def _json(out: str) -> dict[str, Any]:
    """Parse the output of a command with --json; a login may print lines before it."""
    found: dict[str, Any] = json.loads(out[out.index("{\n") :])
    return found

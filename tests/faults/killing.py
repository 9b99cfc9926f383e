"""Kill -9 at random moments of the real `edge-experts install` and `rollback`.

python -m tests.faults.killing --times 500
"""

from __future__ import annotations

import argparse
import collections
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from edge_experts.updates.install import install
from tests.faults.conftest import leftovers, whole
from tests.tiny import tiny_bundle

_ROLLBACKS = 5  # of so many kills, one


def kill(times: int, seed: int = 0) -> collections.Counter[str]:
    """Kill so many commands; what each left.

    Raises:
        AssertionError: something else than the old or the new bundle is current, or the next
            install fails.
    """
    chance = random.Random(seed)
    found: collections.Counter[str] = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        base, root = Path(folder), Path(folder, "root")
        install(_bundle(base, 1), root)
        lasts = _measure(base)
        for version in range(2, times + 2):
            back = version % _ROLLBACKS == 0
            bundle = _bundle(base, version)
            if back:
                install(bundle, root)
            arguments = ("rollback", root) if back else ("install", bundle, root)
            ended = _killed(arguments, root, lasts, chance)
            left, now = bool(leftovers(root)), whole(root)
            assert now in (version - 1, version), f"{now} is current"
            old = now == (version if back else version - 1)
            state = "the old one, things half done" if left else "the old one"
            command = "rollback" if back else "install"
            found[f"{command}: {state if old else 'the new one'}{', ended' * ended}"] += 1
            install(bundle, root)
            assert whole(root) == version
            assert leftovers(root) == []
    return found


def _bundle(base: Path, version: int) -> Path:
    return tiny_bundle(base / str(version), version=version, seeds=(version % 64, 64))


def _measure(base: Path) -> tuple[float, float]:
    """Seconds that an install takes: up to its first change of the storage, and from there."""
    root, starts, rests = base / "measured", [], []
    for version in range(1, 6):
        bundle = tiny_bundle(base / f"measured-{version}", version=version, seeds=(version, 64))
        begin = time.monotonic()
        process = _start(("install", bundle, root))
        _await_change(process, root)
        changed = time.monotonic()
        assert process.wait() == 0
        starts.append(changed - begin)
        rests.append(time.monotonic() - changed)
    return sorted(starts)[2], sorted(rests)[2]


def _killed(
    arguments: tuple[object, ...], root: Path, lasts: tuple[float, float], chance: random.Random
) -> bool:
    """Start a command and kill it, most installs while they write; whether it had ended."""
    process = _start(arguments)
    if arguments[0] == "install" and chance.random() < 0.8:
        _await_change(process, root)
        time.sleep(chance.uniform(0, lasts[1]))
    else:
        time.sleep(chance.uniform(0, 1.1 * sum(lasts)))
    ended = process.poll() is not None
    process.kill()
    process.wait()
    return ended


def _await_change(process: subprocess.Popen[bytes], root: Path) -> None:
    """Until the install has begun to write, or has ended."""
    while process.poll() is None and not any(root.glob("versions/.*")):
        time.sleep(0.0005)


def _start(arguments: tuple[object, ...]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "edge_experts", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args()
    for state, count in sorted(kill(asked.times, asked.seed).items()):
        print(f"{count:5} {state}")
    print(f"{asked.times} kills; each time the old or the new bundle was whole, the next installed")

"""Comparison of trainings that are killed at random moments with an uninterrupted one."""

from __future__ import annotations

import json
import multiprocessing
import random
import shutil
import tempfile
import time
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from . import resume_process

_MODEL, _RUN = "model.keras", "run.json"
_CONTENT = ("config.json", "model.weights.h5")  # of model.keras; the rest says when it was saved


@dataclass(frozen=True)
class Resumed:
    """One training that was killed, and started again until it was done.

    Attributes:
        kills: of each, the seconds from its start, and its number of finished stages.
        differences: files of the run folder that differ from those of the undisturbed training.
    """

    kind: str
    kills: tuple[tuple[float, int], ...]
    differences: tuple[str, ...]


def measure(
    kinds: Sequence[str], kills: int, each: int, seed: int, told: Callable[[Resumed], None]
) -> tuple[list[Resumed], dict[str, float]]:
    """Measure resumed trainings, and the seconds of an uninterrupted one by kind of data.

    Args:
        kills: of all kinds together, evenly.
        each: kills that one training suffers, at most.
        seed: of the moments.
        told: is called with each result as it comes.
    """
    context = multiprocessing.get_context("forkserver")
    # TensorFlow is imported once, for all trainings.
    context.set_forkserver_preload([resume_process.__name__, "edge_experts.training"])
    done: list[Resumed] = []
    seconds: dict[str, float] = {}
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        for turn, kind in enumerate(kinds):
            trainer = _Trainer(context, kind, Path(place))
            begin = time.monotonic()
            trainer.start("whole").join()
            whole = trainer.result("whole")
            seconds[kind] = time.monotonic() - begin
            left = len(range(turn, kills, len(kinds)))
            while left:
                resumed = trainer.killed(min(each, left), seconds[kind], chance, whole)
                if resumed.kills:
                    done.append(resumed)
                    told(resumed)
                    left -= len(resumed.kills)
    return done, seconds


class _Trainer:
    def __init__(self, context: multiprocessing.context.ForkServerContext, kind: str, folder: Path):
        self._context, self._kind, self._folder = context, kind, folder

    def start(self, name: str) -> multiprocessing.context.ForkServerProcess:
        process = self._context.Process(
            target=resume_process.run,
            args=(self._kind, str(self._path(name)), str(self._path(f"{name}.log"))),
        )
        process.start()
        return process

    def result(self, name: str) -> Path:
        """Return the run folder of a finished training."""
        path = self._path(name)
        if not (path / _RUN).exists():
            raise RuntimeError(self._path(f"{name}.log").read_text()[-2000:])
        return path

    def killed(self, most: int, seconds: float, chance: random.Random, whole: Path) -> Resumed:
        """Kill a training at most `most` times, then let it end; fewer times if it ends earlier."""
        path, kills = self._path("killed"), list[tuple[float, int]]()
        while len(kills) < most:
            wait = chance.uniform(0, 2 * seconds / (1 + most))
            process = self.start("killed")
            process.join(wait)
            process.kill()
            process.join()
            if (path / _RUN).exists():
                break
            kills.append((round(wait, 2), self._stages()))
        if not (path / _RUN).exists():
            self.start("killed").join()
        found = differences(whole, self.result("killed"))
        shutil.rmtree(path)
        return Resumed(self._kind, tuple(kills), tuple(found))

    def _stages(self) -> int:
        """Count the finished stages of a killed training, including its teacher's."""
        left = self._path("killed.checkpoints")
        return sum(not file.name.endswith(".running.npz") for file in left.rglob("*.npz"))

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._kind}.{name}"


def differences(one: Path, other: Path) -> list[str]:
    """Return the names of contents that differ between two run folders.

    Compared are weights and networks, features, examples, and run.json with metrics and history;
    seconds and TensorBoard's files, which contain times, are ignored.
    """
    ours, theirs = dict(_contents(one)), dict(_contents(other))
    return sorted(name for name in {*ours, *theirs} if ours.get(name, b"") != theirs.get(name, b""))


def _contents(run: Path) -> Iterator[tuple[str, bytes]]:
    for path in sorted(run.iterdir()):
        if path.name == _MODEL:
            with zipfile.ZipFile(path) as archive:
                for name in _CONTENT:
                    yield f"{path.name}/{name}", archive.read(name)
        elif path.name == _RUN:
            described = json.loads(path.read_text())
            described["metrics"].pop("seconds", None)  # an extension has none
            yield path.name, json.dumps(described).encode()
        elif path.is_file():
            yield path.name, path.read_bytes()


def as_table(done: Sequence[Resumed], seconds: dict[str, float]) -> list[list[str]]:
    rows = [["data", "seconds", "kills", "after stages", "trainings", "identical"]]
    for kind, took in seconds.items():
        own = [resumed for resumed in done if resumed.kind == kind]
        stages = [count for resumed in own for _, count in resumed.kills]
        same = sum(not resumed.differences for resumed in own)
        reached = f"{min(stages)} to {max(stages)}"
        rows.append([kind, f"{took:.1f}", f"{len(stages)}", reached, f"{len(own)}", f"{same}"])
    return rows

"""Trainings that are killed at random moments, beside one that is not: the same bytes?"""

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
class Kill:
    """One training that was killed, and started again until it was done.

    Attributes:
        seconds: when it was killed, from its start.
        stages: what was done of it: finished stages of the model and of its teacher.
        differences: files of the run folder that differ from those of the undisturbed training.
    """

    kind: str
    seconds: float
    stages: tuple[str, ...]
    differences: tuple[str, ...]


def measure(
    kinds: Sequence[str], kills: int, seed: int, told: Callable[[Kill], None]
) -> tuple[list[Kill], dict[str, float]]:
    """Kill each kind of training so many times; also the seconds of an undisturbed one, by kind.

    Args:
        seed: of the moments.
        told: is called with each result as it comes.
    """
    context = multiprocessing.get_context("forkserver")
    # TensorFlow is imported once, for all trainings.
    context.set_forkserver_preload([resume_process.__name__])
    done: list[Kill] = []
    seconds: dict[str, float] = {}
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as place:
        for kind in kinds:
            trainer = _Trainer(context, kind, Path(place))
            begin = time.monotonic()
            trainer.start("whole").join()
            whole = trainer.result("whole")
            # A second one, since the first waits for the import.
            begin = time.monotonic()
            trainer.start("again").join()
            seconds[kind] = time.monotonic() - begin
            if found := differences(whole, trainer.result("again")):
                raise RuntimeError(f"{kind}: two undisturbed trainings differ in {found}")
            while sum(kill.kind == kind for kill in done) < kills:
                kill = trainer.killed(chance.uniform(0, seconds[kind]), whole)
                if kill is not None:
                    done.append(kill)
                    told(kill)
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
        """The run folder of a training that has ended."""
        path = self._path(name)
        if not (path / _RUN).exists():
            raise RuntimeError(self._path(f"{name}.log").read_text()[-2000:])
        return path

    def killed(self, seconds: float, whole: Path) -> Kill | None:
        """Kill a training, let another one go on; None where it was done before."""
        process = self.start("killed")
        process.join(seconds)
        process.kill()
        process.join()
        path = self._path("killed")
        if (path / _RUN).exists():
            shutil.rmtree(path)
            return None
        left = self._path("killed.checkpoints")
        stages = tuple(
            sorted(
                str(file.relative_to(left)).removesuffix(".npz")
                for file in left.rglob("*.npz")
                if not file.name.endswith(".running.npz")
            )
        )
        self.start("killed").join()
        found = differences(whole, self.result("killed"))
        shutil.rmtree(path)
        return Kill(self._kind, round(seconds, 2), stages, tuple(found))

    def _path(self, name: str) -> Path:
        return self._folder / f"{self._kind}.{name}"


def differences(one: Path, other: Path) -> list[str]:
    """Names of contents that differ between two run folders.

    Compared are weights and networks, features, examples, and run.json with metrics and history;
    left out are seconds, and TensorBoard's files, which hold times.
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
            described["metrics"].pop("seconds")
            yield path.name, json.dumps(described).encode()
        elif path.is_file():
            yield path.name, path.read_bytes()


def as_table(kills: Sequence[Kill], seconds: dict[str, float]) -> list[list[str]]:
    rows = [["data", "seconds", "killed", "stages reached", "identical"]]
    for kind in seconds:
        own = [kill for kill in kills if kill.kind == kind]
        reached = {len(kill.stages) for kill in own}
        same = sum(not kill.differences for kill in own)
        rows.append(
            [kind, f"{seconds[kind]:.1f}", str(len(own)), str(len(reached)), f"{same}/{len(own)}"]
        )
    return rows

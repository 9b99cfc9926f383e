"""State of an interrupted training, from which the same command resumes with the same result."""

from __future__ import annotations

import hashlib
import io
import json
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from ..format.atomic import write_whole
from .leaving import versions
from .randomness import reseed

LONG_EPOCH, EVERY = 600.0, 300.0  # seconds: length of epochs with saves within, and their interval
_SETTINGS = "settings.json"
_VALUES = "values"  # name of the array in a file that is JSON

Record = Mapping[str, Any]  # JSON: results of a stage beside its weights


@dataclass(frozen=True)
class Snapshot:
    """State of a stage: arrays by name, and JSON values."""

    arrays: Mapping[str, np.ndarray]
    values: Record


@dataclass(frozen=True)
class Snapshots:
    """File with the last snapshot of one stage; a write leaves the old or the new one."""

    path: Path

    def read(self) -> Snapshot | None:
        """Read the last snapshot; None if there is none, or it is damaged."""
        if not self.path.exists():
            return None
        try:
            with np.load(self.path) as stored:
                arrays = dict(stored)
            return Snapshot(arrays, json.loads(arrays.pop(_VALUES).tobytes()))
        except Exception as error:  # zipfile, numpy and JSON raise many kinds for damaged files
            print(f"{self.path}: damaged ({error}); this stage starts anew", file=sys.stderr)
            return None

    def write(self, snapshot: Snapshot) -> None:
        """Replace the last snapshot."""
        values = np.frombuffer(json.dumps(snapshot.values).encode(), np.uint8)
        content = io.BytesIO()  # in memory: on a full disk numpy raises a second error
        np.savez(content, **snapshot.arrays, **{_VALUES: values})
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(self.path, content.getvalue())

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


class Checkpoints:
    """A folder with the result of each stage, and the state of the one that runs.

    Args:
        folder: created at the first write; call `remove` when the training is done.
        settings: settings that must equal those of the folder's training to resume from it.
            Versions and this package's code are added. The state of another training is removed,
            and a line on stderr says why.
    """

    def __init__(self, folder: Path, settings: Mapping[str, Any]):
        self.folder = folder
        self._settings = {name: _digest(value) for name, value in settings.items()}
        self._settings |= {"versions": _digest(versions()), "code": code_digest()}
        if not (folder / _SETTINGS).exists():  # interrupted before the first save
            self.remove()
            return
        others = self._others()
        if others:
            print(
                f"{folder}: left by a training with other {' and '.join(others)}; this one starts "
                "anew",
                file=sys.stderr,
            )
            self.remove()

    def stage(
        self,
        name: str,
        model: tf_keras.Model,
        seed: int,
        work: Callable[[], object],
        history: dict[str, Any] | None = None,
    ) -> float:
        """Run a stage, or restore its final weights if it is done.

        Args:
            seed: seed of all random numbers of the stage.
            work: changes the model's weights, and adds to `history`.
            history: losses and scores by name of the fit; those of a restored stage are added.

        Returns:
            Duration of the stage in seconds, now or when it was run.
        """
        done = self._restored(name, model)
        if done is not None:
            print(f"Resumed after {name!r}", file=sys.stderr)
            record = done.values
        else:
            reseed(seed, name)
            begin = time.perf_counter()
            work()
            record = {"history": history, "seconds": round(time.perf_counter() - begin, 1)}
            self.save(name, model, record)
        if history is not None:
            history |= record["history"]
        reseed(seed, name, "done")
        seconds: float = record["seconds"]
        return seconds

    def restore(self, stage: str, model: tf_keras.Model) -> bool:
        """Restore the final weights of a stage; returns whether it is done."""
        return self._restored(stage, model) is not None

    def save(self, stage: str, model: tf_keras.Model, record: Record | None = None) -> None:
        """Save a stage's weights and its record."""
        self._begin()
        weights = {str(place): array for place, array in enumerate(model.get_weights())}
        self._results(stage).write(Snapshot(weights, record or {}))

    def epochs_of(self, stage: str) -> Snapshots:
        """State of a running stage, after its last epoch or within it."""
        self._begin()
        return Snapshots(self.folder / f"{stage}.running.npz")

    def of(self, part: str) -> Checkpoints:
        """Checkpoints of another model that is trained on the way."""
        self._begin()
        return Checkpoints(self.folder / part, self._settings)

    def remove(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def _results(self, stage: str) -> Snapshots:
        return Snapshots(self.folder / f"{stage}.npz")

    def _restored(self, stage: str, model: tf_keras.Model) -> Snapshot | None:
        found = self._results(stage).read()
        if found is None:
            return None
        weights = [found.arrays[str(place)] for place in range(len(found.arrays))]
        if [each.shape for each in weights] != [tuple(each.shape) for each in model.weights]:
            print(
                f"{self._results(stage).path}: of another network; this stage starts anew",
                file=sys.stderr,
            )
            return None
        model.set_weights(weights)
        return found

    def _begin(self) -> None:
        if not (self.folder / _SETTINGS).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / _SETTINGS, json.dumps(self._settings))

    def _others(self) -> list[str]:
        """Names of the settings in which the folder's training differs from this one."""
        try:
            found = json.loads((self.folder / _SETTINGS).read_text())
            return sorted(
                name
                for name in {*found, *self._settings}
                if found.get(name) != self._settings.get(name)
            )
        except (OSError, ValueError, AttributeError, TypeError):
            return ["versions"]


class EpochClock:
    """Decides when the state is saved within a long epoch."""

    def __init__(self, steps: int):
        self._steps = steps

    def begin(self, step: int) -> None:
        """Start or resume an epoch at a step."""
        self._first, self._begin = step, time.monotonic()
        self._last = self._begin

    def is_due(self, step: int) -> bool:
        """True if the state is to be saved after this step of the epoch."""
        now = time.monotonic()
        if step == self._steps or now - self._last < EVERY:
            return False
        each = (now - self._begin) / (step - self._first)
        if each * self._steps < LONG_EPOCH:
            return False
        self._last = now
        return True


@cache
def code_digest() -> str:
    """SHA-256 of this package's code that affects the result of a training."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for folder in ("features", "training"):
        for path in sorted((package / folder).rglob("*.py")):
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _digest(settings: Any) -> str:
    text = json.dumps(settings, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()

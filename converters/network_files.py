"""Converted files of a run's networks: each is made once, in a worker pool."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from edge_experts import run_folder
from edge_experts.errors import ConversionError
from edge_experts.format.manifest import sha256
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from .process import cache
from .process.error_messages import alternative, name_of
from .process.order import Order
from .process.pool import Workers
from .verify.keras_reference import KerasReference

_WORTH = 24  # conversions from which a second process saves more time than its start takes
_PREPARED = ("networks.json", "owners.npy", "seen.npz", "reference.npz")


@dataclass(frozen=True)
class File:
    """File to convert: its path in the bundle, recipe and kind of inputs and outputs."""

    path: str
    recipe: str
    io: str = "float"

    @property
    def network(self) -> str:
        """Name of its network for users."""
        return name_of(self.path)


@dataclass(frozen=True)
class Workload:
    """Networks of one run to convert, and examples to compare them on.

    Attributes:
        calibration: the calibration set, by name, (examples, ...).
        validation: inputs that Keras answers, by name, (examples, ...).
        networks: the number of files that a plain conversion makes.
        files: further files of the job, by name.
        base: files of the bundle that is extended, by (digest of the network, recipe).
    """

    order: Order
    calibration: Mapping[str, np.ndarray]
    validation: Mapping[str, np.ndarray]
    networks: int
    files: Mapping[str, bytes] = field(default_factory=dict)
    base: Mapping[tuple[str, str], bytes] = field(default_factory=dict)


class Making:
    """Conversion of one run's networks to files.

    Args:
        job: a folder of its own, which is filled here.
        run: the run folder.
        kept: the cache of converted files.
        processes: the most processes at once; by default the number of cores.
        workers: running processes, which are not ended here.
    """

    def __init__(
        self,
        job: Path,
        run: Path,
        work: Workload,
        *,
        kept: cache.Cache,
        processes: int | None = None,
        workers: Workers | None = None,
    ):
        self._job, self._kept, self._work = job, kept, work
        self._workers = workers or Workers(job, processes or os.cpu_count() or 1)
        self._own_workers = workers is None
        model = (run / run_folder.MODEL).resolve()
        (job / "job.json").write_text(json.dumps({"model": str(model), **work.order.to_json()}))
        (job / "made").mkdir()
        parts = {
            "calibration.npz": npz(**work.calibration),
            "validation.npz": npz(**work.validation),
        }
        for name, content in {**parts, **work.files}.items():
            (job / name).write_bytes(content)
        digests = [
            _digests(work.calibration),
            _digests(work.validation),
            sha256(model.read_bytes()),
        ]
        more = {name: sha256(content) for name, content in work.files.items()}
        self._key = cache.key("prepared", work.order.to_json(), digests, more)
        self.failed: dict[File, str] = {}  # files whose conversion failed, and the reasons
        self._networks: dict[str, dict[str, Any]] = {}

    def prepare(self) -> KerasReference:
        """Compute the answers of Keras to the validation inputs.

        Raises:
            ConversionError: the Keras model fails.
        """
        kept = self._kept.get(self._key)
        if kept is None:
            self._workers.start(1 + self._work.networks // _WORTH)
            failed = self._workers.run([{"do": "prepare", "job": str(self._job)}])
            if failed:
                raise ConversionError(f"the Keras model cannot be run: {failed[0]}; train again")
            self._kept.put(self._key, cache.packed(self._job, _PREPARED))
        else:
            cache.unpack(kept, self._job)
        self._networks = json.loads((self._job / "networks.json").read_text())
        return KerasReference(dict(np.load(self._job / "reference.npz")))

    @property
    def seen(self) -> Path:
        """Path of the experts' inputs for the calibration set, with the router's trunk (.npz)."""
        return self._job / "seen.npz"

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths of the bundle's files that are made here."""
        return tuple(self._networks)

    @property
    def digests(self) -> dict[str, str]:
        """Digest of the Keras network of each file, if it has one."""
        networks = {path: one["network"] for path, one in self._networks.items()}
        return {path: digest for path, digest in networks.items() if digest}

    def layers(self, path: str) -> frozenset[str]:
        """Return the kinds of layers in the Keras network of a file; see `worker.kinds_of`."""
        return frozenset(self._networks[path]["layers"])

    def place(self, file: File) -> Path:
        """Return the path of a file once it is made."""
        return self._job / "made" / self._key_of(file)

    def make(self, files: Iterable[File], what: str = "Converting") -> None:
        """Make missing files; `failed` records errors."""
        wanted = list(dict.fromkeys(files))
        with Progress(what, len(wanted)) as progress:
            missing = []
            for file in wanted:
                found = self._found(file)
                if found is None:
                    missing.append(file)
                else:
                    progress.step(f"{file.network}{found}")
            self._convert(missing, progress)

    def rest(self) -> None:
        """End idle processes to free their memory, until there is more to make."""
        self._workers.rest()

    def refuse_failed(self, files: Sequence[File]) -> None:
        """Raise ConversionError if the conversion of one of these failed."""
        if self.failed:
            lines = [
                f"{file.network}: TensorFlow's converter cannot make it {file.recipe}: {reason}; "
                f"{alternative(file.recipe, reason, self.layers(file.path))}"
                for file, reason in self.failed.items()
            ]
            made = len(files) - len(self.failed)
            if made:
                lines.append(f"The other {made} were converted, and are kept for the next time.")
            raise ConversionError("\n".join(lines))

    def _found(self, file: File) -> str | None:
        """Take a file from the base or the cache and describe which; None if it must be made."""
        place, digest = self.place(file), self._networks[file.path]["network"]
        if place.exists():
            return ""
        content, said = self._work.base.get((digest, file.recipe)), ", as in the base"
        if content is None:
            content, said = self._kept.get(place.name), ", as before"
        if content is None:
            return None
        place.write_bytes(content)
        return said

    def _convert(self, files: Sequence[File], progress: Progress) -> None:
        if not files:
            return  # without starting TensorFlow
        tasks = [
            {
                "do": "convert",
                "job": str(self._job),
                "path": file.path,
                "recipe": file.recipe,
                "io": file.io,
                "out": f"made/{self._key_of(file)}.partial",
                "name": file.network,
            }
            for file in files
        ]
        self._workers.start(1 + len(tasks) // _WORTH)
        failed = self._workers.run(tasks, lambda task: progress.step(task["name"]))
        for place, file in enumerate(files):
            if place not in failed:
                made = self._job / str(tasks[place]["out"])
                self._kept.put(self.place(file).name, made.read_bytes())
                made.rename(self.place(file))
        self.failed |= {files[place]: reason for place, reason in failed.items()}

    def _key_of(self, file: File) -> str:
        network = self._networks[file.path]
        unique = network["network"] or [self._key, file.path]
        order = self._work.order
        how = [order.networks, dict(order.settings), file.recipe, file.io]
        return cache.key("file", unique, network["calibration"], *how)

    def __enter__(self) -> Making:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._own_workers:
            self._workers.close()
        self._kept.trim()


def _digests(arrays: Mapping[str, np.ndarray]) -> dict[str, str]:
    return {
        name: sha256(f"{array.dtype}{array.shape}".encode() + np.ascontiguousarray(array).tobytes())
        for name, array in arrays.items()
    }

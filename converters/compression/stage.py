"""Compression of experts in child processes, each on its own inputs; the router is unchanged."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import run_folder
from edge_experts.compression import Compression
from edge_experts.datasets import Dataset, Split
from edge_experts.errors import ConversionError, UnsuitableError, UsageError
from edge_experts.features import Features, encode_all
from edge_experts.format.atomic import refuse_existing, staged
from edge_experts.progress import Progress

from ..process import cache
from ..process.pool import Workers

_SPLITS = ("train", "validation", "test")
WORKER = "edge_experts.converters.compression.compression_worker"
_UNSUITABLE = f"{UnsuitableError.__name__}: "  # prefix of workers' errors for unsuitable methods


def compress(
    run: str | Path,
    out: str | Path,
    compression: Compression,
    *,
    data: Dataset | None = None,
    teacher: str | Path | None = None,
    processes: int | None = None,
    kept: cache.Cache | None = None,
    workers: Workers | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Fine-tune the experts of a finished training while they are compressed.

    Each learns on the training examples that the router sends to it, completed by others if these
    are few, in a child process; the router is not changed.

    Args:
        run: a run folder: experts, or one dense network.
        out: the run folder to write, which `convert` accepts like any other.
        data: the run's training data; by default the up to 2,000 training examples in the run
            folder, which are too few for good fine-tuning.
        teacher: a run folder of the same features, on whose answers experts are tuned; by default
            their own former answers.
        processes: experts at once; by default the number of cores.
        kept: the cache; None for no cache.
        workers: running processes of `WORKER`, which are not ended here.
        force: replace `out` if it exists.

    Raises:
        UnsuitableError: the method does not support an expert, which the message names.
        ConversionError: the process of an expert died, which the message names.
        UsageError: an option or a path is invalid.
    """
    run, out = Path(run), Path(out)
    refuse_existing(out, force=force)
    described = run_folder.read_run(run)
    if described.combine != "top" and described.experts > 1:
        raise UnsuitableError(
            f"{run}: its experts' answers are summed, so that no expert has its own inputs for "
            "fine-tuning; train with a router (combine = 'top')"
        )
    _refuse_teacher(run, described, teacher)
    features = run_folder.read_features(run, described)
    splits = _splits(run, features, described, data)
    with tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        taught = None if teacher is None else Path(teacher) / run_folder.MODEL
        model = run / run_folder.MODEL
        order: dict[str, Any] = {
            "run": str(run.resolve()),
            "model": str(model.resolve()),
            "teacher": taught and str(taught.resolve()),
            "config": dict(described.config),
            "compression": compression.to_json(),
        }
        (job / "job.json").write_text(json.dumps(order))
        digests = _write(job, features, splits)
        models = [path and _digest(path) for path in (model, taught)]
        spec = described.task_spec and asdict(described.task_spec)
        key = ["compressed", models, digests, order["config"], order["compression"], spec]
        stage = _Stage(job, described.experts, key, kept or cache.Cache(None), compression)
        metrics = stage.run(processes or os.cpu_count() or 1, workers)
        with staged(out, force=force) as folder:
            shutil.copyfile(job / run_folder.MODEL, folder / run_folder.MODEL)
            for name in (run_folder.FEATURES, run_folder.EXAMPLES):
                if (run / name).exists():
                    shutil.copyfile(run / name, folder / name)
            run_folder.write_trained_rows(folder, run_folder.read_trained_rows(run))
            made = replace(
                described,
                metrics={**described.metrics, **metrics, "compression": compression.to_json()},
            )
            made.write(folder)
    return made


def _refuse_teacher(run: Path, described: run_folder.Run, teacher: str | Path | None) -> None:
    """Refuse a teacher whose outputs have another meaning than the run's."""
    if teacher is None:
        return
    theirs = run_folder.read_run(Path(teacher))
    if (theirs.task_type, theirs.task_spec) != (described.task_type, described.task_spec):
        raise UsageError(
            f"teacher {teacher}: it is for {theirs.task_type} or other targets than {run}; train "
            "it on the same data"
        )


class _Stage:
    """All experts of one job, made or taken from the cache, and assembled."""

    def __init__(
        self, job: Path, experts: int, key: list[Any], kept: cache.Cache, compression: Compression
    ):
        self._job, self._key, self._kept, self._compression = job, key, kept, compression
        self._experts = experts

    def run(self, processes: int, workers: Workers | None) -> Mapping[str, Any]:
        """Write the model to the job's folder; return its metrics."""
        whole = cache.key(*self._key)
        found = self._kept.get(whole)
        if found is None:
            with (
                nullcontext(workers) if workers else Workers(self._job, processes, WORKER) as ready
            ):
                self._make(ready)
                names = [_file(index) for index in range(self._experts)]
                failed = ready.run([self._task("assemble", experts=names, out=run_folder.MODEL)])
            if failed:
                raise ConversionError(f"the compressed model cannot be assembled: {failed[0]}")
            found = _zipped(self._job, (run_folder.MODEL, "metrics.json"))
            self._kept.put(whole, found)
        else:
            with zipfile.ZipFile(io.BytesIO(found)) as archive:
                archive.extractall(self._job)
        metrics: dict[str, Any] = json.loads((self._job / "metrics.json").read_text())
        return metrics

    def _task(self, do: str, **what: Any) -> dict[str, Any]:
        return {"do": do, "job": str(self._job), **what}

    def _make(self, workers: Workers) -> None:
        keys = [cache.key(*self._key, index) for index in range(self._experts)]
        tasks: list[dict[str, Any]] = []
        with Progress(f"Fine-tuning ({self._compression.name})", self._experts) as progress:
            for index, key in enumerate(keys):
                content = self._kept.get(key)
                if content is None:
                    folder = self._kept.unfinished(key)
                    tasks.append(
                        self._task(
                            "expert",
                            index=index,
                            out=_file(index),
                            checkpoints=folder and str(folder.resolve()),
                        )
                    )
                else:
                    (self._job / _file(index)).write_bytes(content)
                    progress.step(f"expert {index}, as before")
            workers.start(len(tasks))
            failed = workers.run(tasks, lambda task: progress.step(f"expert {task['index']}"))
        for place, task in enumerate(tasks):
            if task["checkpoints"]:
                shutil.rmtree(task["checkpoints"], ignore_errors=True)
            if place not in failed:
                self._kept.put(keys[task["index"]], (self._job / task["out"]).read_bytes())
        self._refuse({tasks[place]["index"]: reason for place, reason in failed.items()})

    def _refuse(self, failed: Mapping[int, str]) -> None:
        if not failed:
            return
        method = self._compression.method
        lines = [
            f"expert {index}: cannot be made smaller by {method}: "
            f"{reason.removeprefix(_UNSUITABLE)}"
            for index, reason in sorted(failed.items())
        ]
        if all(reason.startswith(_UNSUITABLE) for reason in failed.values()):
            raise UnsuitableError("\n".join(dict.fromkeys(lines)))
        lines.append("Try another --compress, or leave it away; what was made is kept")
        raise ConversionError("\n".join(lines))


def _splits(
    run: Path, features: Features, described: run_folder.Run, data: Dataset | None
) -> dict[str, Split]:
    if data is None:
        return run_folder.read_examples(run, features)
    if (data.task_type, data.labels) != (described.task_type, described.labels):
        raise UsageError(
            f"{data.name}: its labels or targets are not those that {run} was trained on; pass the "
            "same data"
        )
    return {name: getattr(data, name) for name in _SPLITS}


def _write(job: Path, features: Features, splits: Mapping[str, Split]) -> dict[str, str]:
    """Write the workers' inputs and targets; return digests of the files."""
    digests: dict[str, str] = {}
    for name in _SPLITS:
        np.savez(job / f"{name}.npz", **encode_all(features, splits[name].inputs))
        np.save(job / f"{name}.npy", splits[name].targets)
        digests |= {file: _digest(job / file) for file in (f"{name}.npz", f"{name}.npy")}
    return digests


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file(index: int) -> str:
    return f"expert-{index:03}.keras"


def _zipped(folder: Path, names: tuple[str, ...]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in names:
            archive.write(folder / name, name)
    return content.getvalue()

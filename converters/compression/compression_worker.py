"""Child process that compresses experts: `python -m ...compression.compression_worker JOB`.

Tasks come as JSON lines, as for the converters' worker.py:

    {"do": "expert", "index": number, "out": file name,         fine-tune one, to a .keras file
     "checkpoints": folder or null}                             to resume from, and to update
    {"do": "assemble", "experts": [file name, ...], "out": file name}     the whole model again

A task with a "job" is one of that folder instead of JOB. The folder holds

    job.json          {"run": path of the run folder, "model": path of model.keras, "teacher": path
                      or null, "config": the training's, "compression": its settings}
    train.npz, validation.npz, test.npz                          encoded inputs, by name
    train.npy, validation.npy, test.npy                          the targets

and receives, with the assembled model,

    metrics.json      its scores, and how many of its parameters are not zero
"""

from __future__ import annotations

import json
import sys
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.compression import Compression
from edge_experts.training import SparseExperts  # sets up Keras before TensorFlow is imported

import tf_keras  # isort: skip

from edge_experts.run_folder import read_run  # isort: skip
from edge_experts.training.checkpoints import Checkpoints  # isort: skip
from edge_experts.training.inference import predict  # isort: skip
from edge_experts.training.model_files import load_model  # isort: skip
from edge_experts.training.objectives.routed_task import RoutedTask  # isort: skip
from edge_experts.training.tasks import training_of  # isort: skip

from ..process.serving import serve  # isort: skip
from ..process.worker import Jobs  # isort: skip


class CompressionJob:
    """Model of a job, and its experts one by one."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._order = json.loads((folder / "job.json").read_text())

    def do(self, task: dict[str, Any]) -> None:
        if task["do"] == "expert":
            self._expert(task["index"], task["checkpoints"]).save(self.folder / task["out"])
        else:
            self._assemble([self.folder / name for name in task["experts"]], task["out"])

    def _expert(self, index: int, folder: str | None) -> tf_keras.Model:
        # tensorflow-model-optimization takes seconds to import.
        from edge_experts.training import compression as compressing

        compression = Compression(**self._order["compression"])
        checkpoints = folder and Checkpoints(Path(folder), {})
        tuning = self._lessons.of(index, checkpoints or None)
        return compressing.apply(self._model.experts[index], tuning, compression)

    def _assemble(self, experts: list[Path], out: str) -> None:
        options = self._model.get_config()
        del options["router"], options["experts"]
        made = [load_model(Path(path)) for path in experts]
        model = SparseExperts(self._model.router, made, **options)
        model.save(self.folder / out)
        metrics: dict[str, Any] = {
            f"{split}_{name}": value
            for split in ("validation", "test")
            for name, value in self._scores(model, split).items()
        }
        weights = [array for expert in made for array in expert.get_weights()]
        metrics["nonzero"] = sum(int(np.count_nonzero(array)) for array in weights)
        (self.folder / "metrics.json").write_text(json.dumps(metrics))

    def _scores(self, model: SparseExperts, split: str) -> dict[str, Any]:
        outputs = predict(model, self._inputs(split))
        return self._task.scores(outputs, self._targets(split))

    @cached_property
    def _task(self) -> RoutedTask:
        run = read_run(Path(self._order["run"]))
        return training_of(run.task_type).routed(run, "--compress")

    @cached_property
    def _model(self) -> SparseExperts:
        return load_model(Path(self._order["model"]))

    @cached_property
    def _lessons(self) -> Any:
        from edge_experts.training.compression.lessons import Lessons

        splits, teacher = ("train", "validation"), self._order["teacher"]
        return Lessons(
            self._model,
            {split: self._inputs(split) for split in splits},
            {split: self._targets(split) for split in splits},
            self._order["config"],
            teacher=teacher and load_model(Path(teacher)),
            epochs=self._order["compression"]["epochs"],
            task=self._task,
        )

    def _inputs(self, split: str) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / f"{split}.npz"))

    def _targets(self, split: str) -> np.ndarray:
        return np.load(self.folder / f"{split}.npy")


if __name__ == "__main__":
    serve(Jobs(Path(sys.argv[1]), CompressionJob).do)

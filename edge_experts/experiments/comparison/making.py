"""Production of one row for one seed: train or compress, convert, measure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ... import run_folder
from ...benchmarking import onnx
from ...benchmarking.contender import resident_bytes
from ...compression import Compression
from ...converters import compress, convert
from ...converters.onnx import export_onnx
from ...datasets import Dataset
from ...errors import ConversionError, MissingExtraError, ModelError, UnsuitableError
from ...features import encode_all
from ...training.config import TrainConfig, teacher_config
from ...training.inference import predict
from ...training.model_files import load_model
from ...training.trainer import train
from ...version import VERSION
from ..tasks import ComparedTask, ModelResult, Scores
from .contenders import CONTENDERS, DENSE_ACTIVE, MUST_HOLD, ComparedModel
from .records import Record, read
from .results import SeedResult

TEACHER = "teacher"
# Compressed networks are fine-tuned for this fraction of their epochs. Pruning at once, or learning
# ranges in one epoch, would make them too weak a baseline.
_QUARTER = 4


@dataclass(frozen=True)
class Maker:
    """Makes the rows of one seed in a folder.

    Args:
        data: the data set's name and digest, for the records.
        folder: folder of this seed; `shared` is for files that all seeds use.
        config: of the sparse experts; the other contenders' settings are derived from it.
    """

    dataset: Dataset
    data: Mapping[str, str]
    folder: Path
    shared: Path
    config: TrainConfig
    quantization: str
    task: ComparedTask

    def path(self, name: str) -> Path:
        """Path of a row's record."""
        return self.folder / f"{name}.json"

    def finished(self, contender: ComparedModel) -> Record | None:
        """Record of a row from an earlier comparison; unsuitable methods are tried again.

        Raises:
            UsageError: the record has other settings or other data.
        """
        found = read(self.path(contender.name), self.made_with(contender))
        left = self.run_of(contender).is_dir() and self.deployed_of(contender).is_dir()
        return found if found and found.measured and left else None

    def made_with(self, contender: ComparedModel) -> dict[str, Any]:
        """All settings and data that a row depends on."""
        return {
            **self._common(self._settings(contender)),
            "compress": contender.compress,
            "top_k": contender.top_k,
            "quantization": self._quantization(contender),
            "taught": self._teacher(contender) is not None,
            **({"onnx": True} if contender.onnx else {}),
        }

    def prepare(self, *, force: bool) -> None:
        """Train the teacher of all rows and seeds, if the configuration has one."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._teaches:
            return
        settings = teacher_config(replace(self.config, seed=0))
        made_with = self._common(settings)
        path = self._teacher_run.with_suffix(".json")
        if force or not read(path, made_with) or not self._teacher_run.is_dir():
            self._train(self._teacher_run, settings, None)
            Record(made_with, None).write(path)

    def make(self, contender: ComparedModel) -> SeedResult:
        """Make a row, with its run, and its bundle or files for ONNX Runtime.

        Raises:
            UnsuitableError: the method does not support the network; the message says why.
        """
        try:
            self.make_run(contender)
            return self._export(contender) if contender.onnx else self.deploy(contender)
        except (ConversionError, MissingExtraError, ModelError) as error:
            if contender.name in MUST_HOLD:
                raise
            raise UnsuitableError(str(error)) from None

    def make_run(self, contender: ComparedModel) -> None:
        """Train or compress a row's run folder; no-op for a row that uses another's.

        Raises:
            UnsuitableError: the method does not support the network; the message says why.
        """
        if contender.top_k is not None:
            self._refuse_top_k(contender.top_k)
        if contender.settings is not None:
            self._train(self.run_of(contender), self._settings(contender), self._teacher(contender))
        elif contender.compress is not None and contender.of is not None:
            active = run_folder.read_run(self.run_of(CONTENDERS[DENSE_ACTIVE]))
            base = self.run_of(CONTENDERS[contender.of])
            epochs = TrainConfig(**run_folder.read_run(base).config).all_epochs
            compress(
                base,
                self.run_of(contender),
                Compression(
                    contender.compress,
                    nonzero=active.metrics["parameters"],
                    epochs=max(1, epochs // _QUARTER),
                ),
                data=self.dataset,
                teacher=self._teacher(contender),
                force=True,
            )

    def deploy(self, contender: ComparedModel) -> SeedResult:
        """Convert the run of a row to its bundle, and measure it."""
        conversion = convert(
            self.run_of(contender),
            self.deployed_of(contender),
            quantization=self._quantization(contender),
            top_k=contender.top_k,
            max_accuracy_drop=100,  # the loss of accuracy is reported, not limited
            force=True,
        )
        manifest = conversion.manifest
        files = [conversion.bundle / entry.path for entry in manifest.files]
        outcome = self.task.converted(conversion, self.dataset)
        return SeedResult(
            scores=outcome.scores,
            float_scores=self._float_scores(contender),
            examples=outcome.examples,
            macs=round(manifest.provenance["macs"]["active"]),
            **_sizes(files),
            resident_bytes=resident_bytes(manifest),
            quantization=self._quantization(contender),
            losses=outcome.losses,
        )

    def _export(self, contender: ComparedModel) -> SeedResult:
        run = self.run_of(contender)
        made = export_onnx(run, self.deployed_of(contender), force=True)
        outcome, trained = self.task.exported(made.proof)
        return SeedResult(
            scores=outcome.scores,
            float_scores=trained,
            examples=outcome.examples,
            macs=round(run_folder.read_run(run).metrics["macs"]["active"]),
            **_sizes(onnx.files(made.folder)),
            resident_bytes=(made.folder / onnx.NETWORK).stat().st_size,
            quantization=self._quantization(contender),
        )

    def float_outcome(self, contender: ComparedModel) -> ModelResult:
        """Scores and losses of the row's Keras model on the whole test split."""
        folder = self.run_of(contender)
        run = run_folder.read_run(folder)
        model = load_model(folder / run_folder.MODEL)
        model.top_k = contender.top_k or model.top_k
        inputs = encode_all(run_folder.read_features(folder, run), self.dataset.test.inputs)
        return self.task.of_outputs(predict(model, inputs), self.dataset, run)

    def _float_scores(self, contender: ComparedModel) -> Scores:
        """Scores on the whole test split before conversion."""
        if contender.top_k is not None:
            return self.float_outcome(contender).scores
        return self.task.trained(run_folder.read_run(self.run_of(contender)).metrics)

    def _train(self, run: Path, config: TrainConfig, teacher: Path | None) -> None:
        train(
            self.dataset,
            run,
            config,
            name=f"{self.dataset.name}-{run.stem}",
            teacher=teacher,
            pictures=False,
            force=True,
        )

    def _common(self, settings: TrainConfig) -> dict[str, Any]:
        return {"edge_experts": VERSION, "data": self.data, "config": settings.to_json()}

    def _settings(self, contender: ComparedModel) -> TrainConfig:
        """Training settings of the row, or of the contender whose run it uses."""
        while contender.settings is None and contender.of is not None:
            contender = CONTENDERS[contender.of]
        assert contender.settings is not None
        return contender.settings(self.config)

    @property
    def _teaches(self) -> bool:
        return self.config.teacher_epochs > 0

    def _teacher(self, contender: ComparedModel) -> Path | None:
        return self._teacher_run if self._teaches and contender.taught else None

    @property
    def _teacher_run(self) -> Path:
        return self.shared / f"{TEACHER}.run"

    def run_of(self, contender: ComparedModel) -> Path:
        """Return the folder of the row's run."""
        own = contender.settings is not None or contender.compress is not None
        return self.folder / f"{contender.name if own else contender.of}.run"

    def deployed_of(self, contender: ComparedModel) -> Path:
        """Return the folder of the row's bundle, or of its files for ONNX Runtime."""
        return self.folder / f"{contender.name}.{'onnx' if contender.onnx else 'bundle'}"

    def _quantization(self, contender: ComparedModel) -> str:
        return contender.quantization or self.quantization

    def _refuse_top_k(self, top_k: int) -> None:
        if self.config.combine != "top":
            raise UnsuitableError("all experts answer and are summed; there is no routing")
        if self.config.experts < top_k:
            raise UnsuitableError(f"needs {top_k} experts, and there are {self.config.experts}")


def _sizes(files: Iterable[Path]) -> dict[str, Any]:
    """Size of the files in bytes, plain and deflated one by one."""
    contents = [path.read_bytes() for path in files]
    return {
        "total_bytes": sum(map(len, contents)),
        "compressed_bytes": sum(len(zlib.compress(content, 9)) for content in contents),
    }

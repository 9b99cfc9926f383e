"""Export of a dense run folder for ONNX Runtime, quantized with the int8 calibration set."""

from __future__ import annotations

import importlib.util
import json
import platform
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

from edge_experts import run_folder, subprocesses
from edge_experts.benchmarking import onnx
from edge_experts.errors import ConversionError, MissingExtraError, UnsuitableError
from edge_experts.features import Features, encode_all
from edge_experts.format.atomic import staged
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

from ..process.child_process import run_module
from ..tasks import open_conversion
from ..tasks.conversion_task import OF_ROWS, RowTask
from .forms import FORMS
from .onnx_proof import prove

_CALIBRATION = 300  # training examples, the first: the calibration set of TFLite's int8 files
_STEPS = 4
_NEEDED = ("onnx", "onnxruntime", "tf2onnx")


@dataclass(frozen=True)
class OnnxProof:
    """Scores of the faster quantized file, and of the network before quantization, by name.

    Attributes:
        microseconds: the median answer of each quantized file.
    """

    fastest: str
    microseconds: dict[str, float]
    scores: dict[str, Any]
    float_scores: dict[str, Any]
    examples: int

    @property
    def accuracy(self) -> float:
        return float(self.scores["accuracy"])

    @property
    def float_accuracy(self) -> float:
        return float(self.float_scores["accuracy"])


@dataclass(frozen=True)
class Exported:
    """Exported folder, and the results of its network."""

    folder: Path
    description: onnx.Description
    proof: OnnxProof
    bytes: int  # of all files


def export_onnx(run: str | Path, out: str | Path, *, force: bool = False) -> Exported:
    """Convert a dense network by tf2onnx, and quantize it by ONNX Runtime's static quantization.

    ONNX has two forms of quantized networks; the form that answers faster on this machine is kept.

    Args:
        run: the run folder of a dense network (`train --dense`).
        out: the folder to write; `force` replaces one that exists.

    Raises:
        MissingExtraError: a package that makes or runs ONNX files is not installed.
        UnsuitableError: the run has a router or several experts, or generates text.
        ConversionError: a tool refused the network.
    """
    run, out = Path(run), Path(out)
    require()
    description = run_folder.read_run(run)
    if description.experts != 1:
        raise UnsuitableError(
            f"{run}: has {description.experts} experts; ONNX Runtime is measured with dense "
            "networks: `edge-experts train --dense active` or `--dense all` make them"
        )
    if description.config.get("backbone"):
        raise UnsuitableError(
            f"{run}: is a head of a backbone, which ONNX files do not have; use `edge-experts "
            "convert`"
        )
    features = run_folder.read_features(run, description)
    conversion = open_conversion(description, features)
    if not conversion.options >= OF_ROWS:
        raise UnsuitableError(
            f"{run}: ONNX files are not supported for {conversion.name}; use `edge-experts convert`"
        )
    task = cast(RowTask, conversion)
    with staged(out, force=force) as folder, tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        proof = _make(run, task, features, job)
        shutil.copyfile(job / proof.fastest, folder / onnx.NETWORK)
        run_folder.write_features(folder, features)
        said = onnx.Description(
            name=description.name,
            labels=description.labels,
            feature_kind=features.kind,
            feature_settings=features.settings,
            quantization=f"int8, {FORMS[proof.fastest]}",
            accuracy=_rounded(proof.scores).get("accuracy"),
            scores=_rounded(proof.scores),
            examples=proof.examples,
            versions={**{name: version(name) for name in _NEEDED}, "machine": platform.machine()},
        )
        (folder / onnx.DESCRIPTION).write_text(said.to_json(), encoding="utf-8")
    return Exported(out, said, proof, sum(path.stat().st_size for path in onnx.files(out)))


def _rounded(scores: Mapping[str, Any]) -> dict[str, float]:
    return {name: round(one, 6) for name, one in scores.items() if isinstance(one, float)}


def require() -> None:
    """Raise MissingExtraError if a package of the extra `onnx` is not installed."""
    for name in _NEEDED:
        if importlib.util.find_spec(name) is None:
            raise MissingExtraError(name, "onnx")


def _make(run: Path, task: RowTask, features: Features, job: Path) -> OnnxProof:
    """Make the files in a job's folder, and measure them."""
    examples = run_folder.read_examples(run, features)
    calibration = encode_all(features, examples["train"].inputs[:_CALIBRATION])
    test, targets = encode_all(features, examples["test"].inputs), examples["test"].targets
    (job / "calibration.npz").write_bytes(npz(**calibration))
    (job / "test.npz").write_bytes(npz(**test))
    model = (run / run_folder.MODEL).resolve()
    (job / "job.json").write_text(json.dumps({"model": str(model)}))
    with Progress("Exporting to ONNX", _STEPS) as progress:
        run_module(f"{__package__}.onnx_worker", job, progress.step, _failure)
        found = subprocesses.call(prove, job)
        progress.step("proven in ONNX Runtime")
    return OnnxProof(
        found.fastest,
        found.microseconds,
        task.scores(task.of_outputs(found.outputs), targets),
        task.scores(task.of_outputs(found.float_outputs), targets),
        len(targets),
    )


def _failure(last: str, reason: str) -> ConversionError:
    """Create the error, from the process's last line and the reason of its end."""
    return ConversionError(f"the network cannot be made for ONNX Runtime, at {last!r}: {reason}")

"""Child process that makes ONNX files: `python -m edge_experts.converters.onnx.onnx_worker JOB`.

The folder contains job.json ({"model": path of model.keras}) and calibration.npz, the calibration
set by name. The process writes float.onnx, and the same network quantized in both of ONNX's forms,
FORMS, by ONNX Runtime's own static quantization.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported

import tf2onnx  # isort: skip
import tf_keras  # isort: skip
from onnxruntime.quantization import (  # isort: skip
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process  # isort: skip

from edge_experts.training.model_files import load_model  # isort: skip

from ..tflite.one_input import answering, signature  # isort: skip
from .forms import FLOAT, QDQ, QOPERATOR  # isort: skip

_OPSET = 17  # the newest that tf2onnx's developers tested and that ONNX Runtime 1.18 supports


class _Samples(CalibrationDataReader):
    """Calibration set, one input at a time, as ONNX Runtime requests it."""

    def __init__(self, samples: dict[str, np.ndarray]):
        self._rows = self._each(samples)

    def get_next(self) -> dict[str, np.ndarray] | None:
        return next(self._rows, None)

    @staticmethod
    def _each(samples: dict[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
        for row in range(len(next(iter(samples.values())))):
            yield {name: array[row : row + 1] for name, array in samples.items()}


def main(folder: Path) -> None:
    """Make the files of a job."""
    model = load_model(Path(json.loads((folder / "job.json").read_text())["model"]))
    print("float", flush=True)
    _to_onnx(model.experts[0], folder / FLOAT)
    prepared = folder / "prepared.onnx"
    # All dimensions are fixed; symbolic shape inference would need sympy.
    quant_pre_process(str(folder / FLOAT), str(prepared), skip_symbolic_shape=True)
    samples = dict(np.load(folder / "calibration.npz"))
    for name, form, activations in (
        (QDQ, QuantFormat.QDQ, QuantType.QInt8),
        # Recommended for this form by ONNX Runtime's documentation; signed, it is slow on x86.
        (QOPERATOR, QuantFormat.QOperator, QuantType.QUInt8),
    ):
        print(name, flush=True)
        quantize_static(
            str(prepared),
            str(folder / name),
            _Samples(samples),
            quant_format=form,
            per_channel=True,
            activation_type=activations,
            weight_type=QuantType.QInt8,
        )


def _to_onnx(network: tf_keras.Model, path: Path) -> None:
    """Convert one network, for one input at a time, like the TFLite files."""
    tf2onnx.convert.from_function(
        answering(network),
        input_signature=[signature(network)],
        opset=_OPSET,
        output_path=str(path),
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))

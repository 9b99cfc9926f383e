"""The child process that converts translators: `python -m ...translation.worker JOB`.

TensorFlow's converter can end the process that it runs in. JOB/job.json says {"model": path of
model.keras, "recipe": name, "beams": number}, and JOB/calibration.npz holds `source`, `mask` and
`target`, (examples, ...), and `expert`, (examples,). JOB/proven.npz and JOB/routed.npz, if it is
there, hold the features' arrays of examples. It says on stdout which network it is at, and leaves
JOB/made/000.tflite and so on, and router.tflite if there is a router; and JOB/keras.npz: for
proven.npz the `pieces` that Keras writes, by which of the `experts`, and the router's `confidence`
in them; for routed.npz the experts that its router picks, `routes`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from edge_experts import training  # noqa: F401  sets up Keras before TensorFlow is imported
from edge_experts.format.manifest import ROUTER, expert_path

import tensorflow as tf  # isort: skip
import tf_keras  # isort: skip

from edge_experts.runtime.tasks.translation.beam_search import no_text, write  # isort: skip
from edge_experts.training.translation.model import Translators  # isort: skip
from ..tflite import quantization  # isort: skip
from .functions import Functions, to_tflite  # isort: skip
from .routed import ASKED  # isort: skip


def main(job: Path) -> None:
    asked = json.loads((job / "job.json").read_text())
    model = tf_keras.models.load_model(asked["model"], compile=False)
    given = _read(job / "calibration.npz")
    (job / "made" / expert_path(0)).parent.mkdir(parents=True)
    for index, expert in enumerate(model.experts):
        print(f"expert {index}", flush=True)
        one = len(model.experts) == 1
        rows = [row for row, owner in enumerate(given["expert"]) if one or owner == index]
        samples = [
            {name: given[name][row : row + 1] for name in ("source", "mask", "target")}
            for row in rows
        ]
        made = to_tflite(expert, asked["recipe"], samples, asked["beams"])
        (job / "made" / expert_path(index)).write_bytes(made)
    if model.router is not None:
        print("the router", flush=True)
        made = quantization.to_tflite(model.router, asked["recipe"], given)
        (job / "made" / ROUTER).write_bytes(made)
    print("Keras's own translations", flush=True)
    np.savez(job / "keras.npz", **_translated(job, model, asked["beams"]))


def _translated(job: Path, model: Translators, beams: int) -> dict[str, np.ndarray]:
    """What keras.npz is to hold."""
    given = _read(job / "proven.npz")
    functions = [Functions(expert, beams) for expert in model.experts]
    never = no_text(len(np.unique(given["target"])))
    gates = _gates(model, given)
    experts = gates.argmax(axis=1)
    written = np.full((len(gates), functions[0].past[2]), -1, np.int32)
    for row, expert in enumerate(experts.tolist()):
        arrays = {name: given[name][row : row + 1] for name in ("source", "mask", "target")}
        pieces = write(functions[expert].run, arrays, functions[expert].past, never)[0]
        written[row, : len(pieces)] = pieces
    chances = tf_keras.activations.softmax(tf.constant(gates)).numpy().max(axis=1)
    found = {"pieces": written, "experts": experts, "confidence": chances}
    if (job / ASKED).exists():
        found["routes"] = _gates(model, _read(job / ASKED)).argmax(axis=1)
    return found


def _gates(model: Translators, given: dict[str, np.ndarray]) -> np.ndarray:
    """As the runtime's `named`: (examples, experts)."""
    if len(model.experts) == 1:
        return np.zeros((len(given["asked"]), 1), np.float32)
    if model.router is None:
        return given["asked"]
    inputs = {name: given[name] for name in ("source", "mask")}
    logits = model.router.predict(inputs, batch_size=1024, verbose=0)
    return np.where(given["asked"] < 0, given["asked"], logits)


def _read(path: Path) -> dict[str, np.ndarray]:
    with np.load(path) as arrays:
        return dict(arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

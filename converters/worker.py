"""The child process that converts: `python -m edge_experts.converters.worker JOB`.

TensorFlow's converter can end the process that it runs in (a GRU at batch 1 in int8 does), so it
runs here, says on stdout which network it is at, and leaves its results as files in JOB:

    job.json         {"model": path of model.keras, "quantization": name, "layout": name,
                      "top_k": number, "second": whether a second expert may be asked}
    calibration.npz  arrays of representative inputs, by the features' names
    validation.npz   arrays of the inputs to compare on, likewise
    router.tflite    written here, where the model has a router
    experts/*.tflite written here
    networks.json    written here: for each file the digest of the Keras network it came from
    reused/DIGEST    files of the base, each good for the network of this digest as it is
    reference.npz    written here: what Keras answers to the validation inputs: log_probabilities;
                     the router's first choice, experts, and its probability, confidence; and
                     second: log_probabilities with the second choice asked too
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from edge_experts.bundle import ROUTER, expert_path
from edge_experts.training import SparseExperts  # sets up Keras before TensorFlow is imported

import tensorflow as tf  # isort: skip
import tf_keras  # isort: skip

from .base import NETWORKS, REUSED  # isort: skip
from .layouts import IN_ONE_FILE  # isort: skip
from .quantization import Samples, to_tflite  # isort: skip

ENOUGH = 100  # representative inputs, below which an expert's own are filled up with others
_MOST = 300


def main(job: Path) -> None:
    order = json.loads((job / "job.json").read_text())
    model = tf_keras.models.load_model(order["model"], compile=False)
    calibration = dict(np.load(job / "calibration.npz"))
    validation = dict(np.load(job / "validation.npz"))
    quantization = order["quantization"]

    router, experts = model.router, model.experts
    if order["layout"] in IN_ONE_FILE:
        router, experts = None, [IN_ONE_FILE[order["layout"]](model)]
    count = len(next(iter(calibration.values())))
    everything = np.arange(count)
    owners = None if router is None else model.route(calibration)
    made_from: dict[str, str] = {}

    def convert(name: str, network: tf_keras.Model, path: str, rows: np.ndarray) -> None:
        if order["layout"] not in IN_ONE_FILE:
            made_from[path] = network_digest(network)
        reused = job / REUSED / made_from.get(path, "none")
        if reused.exists():
            _say(f"{name}, as in the base")
            content = reused.read_bytes()
        else:
            _say(name)
            content = to_tflite(network, quantization, _rows(calibration, rows))
        (job / path).write_bytes(content)

    if router is not None:
        convert("router", router, ROUTER, everything)
        calibration = model.expert_inputs(calibration)
    (job / "experts").mkdir()
    for index, expert in enumerate(experts):
        rows = everything if owners is None else representative(owners, index)
        convert(f"expert {index}", expert, expert_path(index), rows)
    (job / NETWORKS).write_text(json.dumps(made_from))

    _say("reference")
    model.top_k = order["top_k"]
    reference = {"log_probabilities": _predict(model, validation)}
    count = len(reference["log_probabilities"])
    reference |= {"experts": np.zeros(count, int), "confidence": np.ones(count)}
    if router is not None:
        gate = tf.nn.softmax(model.gate(validation)).numpy()
        reference |= {"experts": gate.argmax(axis=1), "confidence": gate.max(axis=1)}
    if order["second"]:
        pair = SparseExperts(model.router, model.experts, top_k=2)
        reference["second"] = _predict(pair, validation)
    np.savez(job / "reference.npz", **reference)


def _predict(network: tf_keras.Model, inputs: Samples) -> np.ndarray:
    return network.predict(inputs, batch_size=1024, verbose=0)


def network_digest(network: tf_keras.Model) -> str:
    """SHA-256 over a network's architecture and the bits of its weights."""
    digest = hashlib.sha256(json.dumps(network.get_config(), sort_keys=True, default=str).encode())
    for weight in network.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def representative(owners: np.ndarray, expert: int) -> np.ndarray:
    """Rows to calibrate an expert with: its own, filled up with others where it owns few."""
    own = np.flatnonzero(owners == expert)
    others = np.flatnonzero(owners != expert)
    return np.concatenate([own, others[: max(0, ENOUGH - len(own))]])


def _rows(samples: Samples, rows: np.ndarray) -> Samples:
    return {name: array[rows[:_MOST]] for name, array in samples.items()}


def _say(network: str) -> None:
    print(network, flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

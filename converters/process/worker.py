"""The child process that converts: `python -m edge_experts.converters.process.worker JOB`.

TensorFlow's converter can end the process that it runs in (a GRU at batch 1 in int8 does), so it
runs here. Tasks come as JSON lines on stdin, and each is answered by a JSON line on stdout,
{"failed": null or the reason}:

    {"do": "prepare"}
    {"do": "convert", "path": a file of the bundle, "recipe": name, "io": name, "out": file name}

A task with a "job" is one of that folder instead of JOB. The folder holds

    job.json         {"model": path of model.keras, "layout": name, "top_k": number,
                      "second": whether a second expert may be asked}
    calibration.npz  arrays of representative inputs, by the features' names
    validation.npz   arrays of the inputs to compare on, likewise

and what "prepare" makes of them, for all workers:

    networks.json    for each file of the bundle, digests of the Keras network that it is made from
                     and of its calibration inputs
    owners.npy       the expert that each calibration input is routed to; -1 without a router
    seen.npz         what the experts see of the calibration inputs: with the router's trunk
    reference.npz    what Keras answers to the validation inputs: log_probabilities; the router's
                     first choice, experts, and its probability, confidence; and second:
                     log_probabilities with the second choice asked too
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import traceback
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.format.manifest import ROUTER, expert_path
from edge_experts.training import SparseExperts  # sets up Keras before TensorFlow is imported
from edge_experts.training.inference import predict

import tensorflow as tf  # isort: skip
import tf_keras  # isort: skip

from ..tflite.layouts import IN_ONE_FILE  # isort: skip
from .error_messages import reason_of  # isort: skip
from ..tflite.quantization import Samples, to_tflite  # isort: skip

ENOUGH = 100  # representative inputs, below which an expert's own are filled up with others
_MOST = 300


class Job:
    """The model of a job, and what is asked of it."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def _order(self) -> dict[str, Any]:
        return json.loads((self.folder / "job.json").read_text())

    @cached_property
    def _model(self) -> SparseExperts:
        return tf_keras.models.load_model(self._order["model"], compile=False)

    @cached_property
    def _networks(self) -> dict[str, tf_keras.Model]:
        """The network of each file of the bundle."""
        model, layout = self._model, self._order["layout"]
        if layout in IN_ONE_FILE:
            return {expert_path(0): IN_ONE_FILE[layout](model)}
        router = {} if model.router is None else {ROUTER: model.router}
        return router | {expert_path(index): one for index, one in enumerate(model.experts)}

    @cached_property
    def _calibration(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / "calibration.npz"))

    @cached_property
    def _seen(self) -> dict[str, np.ndarray]:
        return dict(np.load(self.folder / "seen.npz"))

    @cached_property
    def _owners(self) -> np.ndarray:
        return np.load(self.folder / "owners.npy")

    def do(self, task: dict[str, Any]) -> None:
        """A task, as the module's docstring lists them."""
        if task["do"] == "prepare":
            self.prepare()
        else:
            self.convert(task["path"], task["recipe"], task["io"], task["out"])

    def convert(self, path: str, recipe: str, io: str, out: str) -> None:
        """Make one file of the bundle."""
        content = to_tflite(self._networks[path], recipe, self._samples(path), io)
        (self.folder / out).write_bytes(content)

    def prepare(self) -> None:
        """What all conversions need, and what they are compared with."""
        model, in_one_file = self._model, self._order["layout"] in IN_ONE_FILE
        routed = model.router is not None and not in_one_file
        owners = model.route(self._calibration) if routed else np.full(self._count(), -1)
        np.save(self.folder / "owners.npy", owners)
        seen = model.expert_inputs(self._calibration) if routed else self._calibration
        np.savez(self.folder / "seen.npz", **seen)
        networks = {
            path: {
                # A network in one file holds functions, which its configuration does not tell.
                "network": "" if in_one_file else network_digest(network),
                "calibration": _digest(self._samples(path)),
                "layers": sorted(kinds_of(network)),
            }
            for path, network in self._networks.items()
        }
        (self.folder / "networks.json").write_text(json.dumps(networks))
        np.savez(self.folder / "reference.npz", **self._reference(routed))

    def _count(self) -> int:
        return len(next(iter(self._calibration.values())))

    def _reference(self, routed: bool) -> dict[str, np.ndarray]:
        model, validation = self._model, dict(np.load(self.folder / "validation.npz"))
        model.top_k = self._order["top_k"]
        reference = {"log_probabilities": predict(model, validation)}
        count = len(reference["log_probabilities"])
        reference |= {"experts": np.zeros(count, int), "confidence": np.ones(count)}
        if routed:
            gate = tf.nn.softmax(model.gate(validation)).numpy()
            reference |= {"experts": gate.argmax(axis=1), "confidence": gate.max(axis=1)}
        if self._order["second"]:
            pair = SparseExperts(model.router, model.experts, top_k=2)
            reference["second"] = predict(pair, validation)
        return reference

    def _samples(self, path: str) -> Samples:
        """Representative inputs of a network."""
        if path == ROUTER:
            return _rows(self._calibration, np.arange(self._count()))
        if (self._owners < 0).all():
            return _rows(self._seen, np.arange(self._count()))
        expert = list(self._networks).index(path) - (ROUTER in self._networks)
        return _rows(self._seen, representative(self._owners, expert))


def network_digest(network: tf_keras.Model) -> str:
    """SHA-256 over a network's architecture and the bits of its weights."""
    digest = hashlib.sha256(json.dumps(network.get_config(), sort_keys=True, default=str).encode())
    for weight in network.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def kinds_of(network: tf_keras.Model) -> set[str]:
    """The kinds of layers in a network; recurrent ones that are not unrolled end in " loop"."""
    kinds = set()
    for layer in network.submodules:
        if isinstance(layer, tf_keras.layers.Layer):
            loop = isinstance(layer, tf_keras.layers.RNN) and not layer.unroll
            kinds.add(type(layer).__name__ + " loop" * loop)
    return kinds


def _digest(samples: Samples) -> str:
    digest = hashlib.sha256()
    for name, array in sorted(samples.items()):
        digest.update(f"{name}{array.dtype}{array.shape}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def representative(owners: np.ndarray, expert: int) -> np.ndarray:
    """Rows to calibrate an expert with: its own, filled up with others where it owns few."""
    own = np.flatnonzero(owners == expert)
    others = np.flatnonzero(owners != expert)
    return np.concatenate([own, others[: max(0, ENOUGH - len(own))]])


def _rows(samples: Samples, rows: np.ndarray) -> Samples:
    return {name: array[rows[:_MOST]] for name, array in samples.items()}


def _failure(do: Callable[[dict[str, Any]], None], task: dict[str, Any]) -> str | None:
    """Do a task; the reason where it failed."""
    try:
        do(task)
    except Exception as error:  # the converter's are of every kind, and the process is still good
        traceback.print_exc()
        return reason_of(error)
    return None


def serve(do: Callable[[dict[str, Any]], None]) -> None:
    """Do the tasks that come on stdin, one after the other, and answer each."""
    # TensorFlow may print: what it prints must not be taken for an answer.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        print(json.dumps({"failed": _failure(do, json.loads(line))}), file=answers, flush=True)


class Jobs:
    """The tasks of one job folder after the other; the last one's model is kept.

    Args:
        folder: of tasks that name no "job" of their own.
        kind: what does the tasks of a folder, which it is made of and keeps as its `folder`.
    """

    def __init__(self, folder: Path, kind: Callable[[Path], Any] = Job):
        self._folder, self._kind = folder, kind
        self._job: Any = None

    def do(self, task: dict[str, Any]) -> None:
        wanted = Path(task.get("job", self._folder))
        if self._job is None or wanted != self._job.folder:
            tf_keras.backend.clear_session()  # the last job's graphs would stay
            self._job = self._kind(wanted)
        self._job.do(task)


if __name__ == "__main__":
    serve(Jobs(Path(sys.argv[1])).do)

"""Child process that converts: `python -m edge_experts.converters.process.worker JOB`.

TensorFlow's converter can crash its process (a GRU at batch 1 in int8 does), so it runs here. Tasks
are JSON lines on stdin, and each is answered by a JSON line on stdout, {"failed": null or the
reason}:

    {"do": "prepare"}
    {"do": "convert", "path": a file of the bundle, "recipe": name, "io": name, "out": file name}

A task with a "job" is one of that folder instead of JOB. The folder holds

    job.json         {"model": path of model.keras, and the fields of `Order`}
    calibration.npz  arrays of representative inputs, by the features' names
    validation.npz   arrays of the inputs to compare on, likewise

and the results of "prepare" for all workers:

    networks.json    for each file of the bundle, digests of the Keras network that it is made from
                     and of its calibration inputs, and its kinds of layers
    owners.npy       the expert that each calibration input is routed to; -1 without a router
    seen.npz         the experts' inputs for the calibration set, with the router's trunk
    reference.npz    answers of Keras to the validation inputs; see verify/keras_reference.py
"""

from __future__ import annotations

import hashlib
import json
import pkgutil
import sys
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported

import tf_keras  # isort: skip

from edge_experts.training.model_files import load_model  # isort: skip

from .order import Order  # isort: skip
from .serving import serve  # isort: skip

if TYPE_CHECKING:
    from ..tflite.quantization import Samples


class ConversionJob:
    """Model of a job, and its task's networks."""

    def __init__(self, folder: Path):
        self.folder = folder

    @cached_property
    def _networks(self) -> Any:
        order = json.loads((self.folder / "job.json").read_text())
        kind = pkgutil.resolve_name(order["networks"])  # imports the model's classes
        model = load_model(Path(order.pop("model")))
        return kind(model, Order(**order))

    @cached_property
    def _calibration(self) -> dict[str, np.ndarray]:
        return self._arrays("calibration")

    @cached_property
    def _seen(self) -> dict[str, np.ndarray]:
        return self._arrays("seen")

    @cached_property
    def _owners(self) -> np.ndarray:
        return np.load(self.folder / "owners.npy")

    def do(self, task: dict[str, Any]) -> None:
        """Run a task; the module's docstring lists them."""
        if task["do"] == "prepare":
            self.prepare()
        else:
            self.convert(task["path"], task["recipe"], task["io"], task["out"])

    def convert(self, path: str, recipe: str, io: str, out: str) -> None:
        """Make one file of the bundle."""
        content = self._networks.to_tflite(path, recipe, self._samples(path), io)
        (self.folder / out).write_bytes(content)

    def prepare(self) -> None:
        """Write the files that all conversions need, and the answers of Keras for comparison."""
        owners, seen = self._networks.route(self._calibration)
        np.save(self.folder / "owners.npy", owners)
        np.savez(self.folder / "seen.npz", **seen)
        networks = {
            path: {
                "network": network_digest(network) if self._networks.identified else "",
                "calibration": _digest(self._samples(path)),
                "layers": sorted(kinds_of(network)),
            }
            for path, network in self._networks.files.items()
        }
        (self.folder / "networks.json").write_text(json.dumps(networks))
        reference = self._networks.reference(self._arrays("validation"), self.folder)
        np.savez(self.folder / "reference.npz", **reference)

    def _samples(self, path: str) -> Samples:
        """Return the calibration set of a network."""
        return self._networks.samples(path, self._calibration, self._seen, self._owners)

    def _arrays(self, name: str) -> dict[str, np.ndarray]:
        with np.load(self.folder / f"{name}.npz") as arrays:
            return dict(arrays)


def network_digest(network: tf_keras.Model) -> str:
    """Compute SHA-256 over a network's architecture and the bits of its weights."""
    digest = hashlib.sha256(json.dumps(network.get_config(), sort_keys=True, default=str).encode())
    for weight in network.get_weights():
        digest.update(f"{weight.dtype}{weight.shape}".encode())
        digest.update(weight.tobytes())
    return digest.hexdigest()


def kinds_of(network: tf_keras.Model) -> set[str]:
    """Return the kinds of layers in a network; recurrent ones not unrolled end in " loop"."""
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


class Jobs:
    """Tasks of several job folders; the model of the last one is kept.

    Args:
        folder: of tasks without a "job" of their own.
        kind: class that runs the tasks of a folder; it is created with the folder, its `folder`.
    """

    def __init__(self, folder: Path, kind: Callable[[Path], Any] = ConversionJob):
        self._folder, self._kind = folder, kind
        self._job: Any = None

    def do(self, task: dict[str, Any]) -> None:
        wanted = Path(task.get("job", self._folder))
        if self._job is None or wanted != self._job.folder:
            tf_keras.backend.clear_session()  # otherwise the last job's graphs would stay
            self._job = self._kind(wanted)
        self._job.do(task)


if __name__ == "__main__":
    serve(Jobs(Path(sys.argv[1])).do)

"""Dense network in ONNX Runtime: a baseline to measure beside a bundle.

`edge-experts export-onnx` writes the folder:

    onnx.json        the fields of `Description`
    network.onnx     the network, quantized
    features.npz     arrays of the features, if they have any

It is only a baseline for measurements and not meant for use on a board: its files have no digests.
"""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .. import features
from ..errors import BundleError, MissingExtraError, ModelError
from ..format.bounded_read import read_at_most
from ..format.limits import LIMITS
from ..format.npz import plain_arrays
from ..format.strict_json import Reader, strict_json

DESCRIPTION, NETWORK, FEATURES = "onnx.json", "network.onnx", "features.npz"
FORMAT_VERSION = "1.0"

Ask = Callable[[Mapping[str, np.ndarray]], np.ndarray]


@dataclass(frozen=True)
class Description:
    """Contents of onnx.json.

    Attributes:
        quantization: types of stored and computed numbers, and which of ONNX's two forms it is.
        accuracy: on the test examples, by ONNX Runtime on the exporting machine; None if the task
            has none.
        examples: number of these examples.
    """

    name: str
    labels: tuple[str, ...]
    feature_kind: str
    feature_settings: Mapping[str, Any]
    quantization: str
    accuracy: float | None
    examples: int
    versions: Mapping[str, str]
    scores: Mapping[str, float] = field(default_factory=dict)  # on the same examples, by name
    format_version: str = FORMAT_VERSION

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def is_onnx(folder: Path) -> bool:
    """Test if the folder is an exported network, not a bundle."""
    return (folder / DESCRIPTION).is_file()


def read(folder: Path) -> Description:
    """Read onnx.json; raises BundleError if `export-onnx` did not write the folder."""
    path = folder / DESCRIPTION
    try:
        reader = Reader(strict_json(_read(path, LIMITS.manifest_bytes)), str(path))
        said, made = reader.content, reader.object("feature_settings").content
        return Description(
            name=reader.text("name"),
            labels=tuple(map(str, reader.items("labels", 1, LIMITS.labels))),
            feature_kind=reader.text("feature_kind"),
            feature_settings=made,
            quantization=reader.text("quantization"),
            accuracy=None if said.get("accuracy") is None else reader.number("accuracy", 0, 1),
            examples=reader.whole("examples"),
            versions=reader.object("versions").content,
            scores=reader.object("scores").content if "scores" in said else {},
        )
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: not what `edge-experts export-onnx` writes ({error})") from None


def files(folder: Path) -> list[Path]:
    """List all files that a board would need."""
    return [path for name in (DESCRIPTION, NETWORK, FEATURES) if (path := folder / name).is_file()]


def runtime() -> Any:
    """Import ONNX Runtime.

    Raises:
        MissingExtraError: it is not installed.
    """
    if importlib.util.find_spec("onnxruntime") is None:
        raise MissingExtraError("ONNX Runtime", "onnx")
    import onnxruntime

    return onnxruntime


class OnnxNetwork:
    """Network that answers without checks, like the reference loop.

    Raises:
        BundleError: the folder is not what `export-onnx` writes.
        ModelError: ONNX Runtime refuses the network.
    """

    def __init__(self, folder: Path, *, threads: int = 1):
        said, arrays = read(folder), {}
        if (folder / FEATURES).is_file():
            try:
                arrays = plain_arrays(_read(folder / FEATURES, LIMITS.array_file_bytes))
            except ValueError as error:
                raise BundleError(f"{folder / FEATURES}: not an .npz of arrays: {error}") from None
        self._encode = features.restore(said.feature_kind, said.feature_settings, arrays).encode
        self._labels = said.labels
        self._run = session(folder / NETWORK, threads)

    def predict(self, example: Any) -> str:
        """Predict the label."""
        label: str = self._labels[self._run(self._encode(example)).argmax()]
        return label


def session(path: Path, threads: int = 1) -> Ask:
    """Create a function from named arrays, each with a leading 1, to logits, (1, labels).

    Raises:
        ModelError: ONNX Runtime refuses the network.
    """
    onnxruntime = runtime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    try:
        made = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # its error classes have no common base
        raise ModelError(f"{path}: ONNX Runtime refuses it: {error!s:.200}") from None
    names = [one.name for one in made.get_inputs()]

    def ask(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        logits: np.ndarray = made.run(None, {name: arrays[name] for name in names})[0]
        return logits

    return ask


def _read(path: Path, most: int) -> bytes:
    content = read_at_most(path, most)
    if content is None or len(content) > most:
        raise BundleError(f"{path}: missing, or larger than {most:,} bytes")
    return content

"""The run folder: a finished training with all inputs of a conversion. Read without TensorFlow.

model.keras      the SparseExperts model
run.json         configuration, metrics, seed, versions
features.npz     arrays of the features, where they have any
examples.npz     calibration, validation and test examples for a conversion
trained_rows/    hashes of the training rows
logs/            TensorBoard
pictures/        charts of the results
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from . import features
from .datasets import Split
from .errors import RunFolderError
from .format.manifest import MANIFEST, TaskSpec
from .format.npz import npz
from .format.trained_rows import FOLDER as TRAINED_ROWS
from .format.trained_rows import rows_path

MODEL, RUN, FEATURES, EXAMPLES, LOGS, PICTURES = (
    "model.keras",
    "run.json",
    "features.npz",
    "examples.npz",
    "logs",
    "pictures",
)
FORMAT_VERSION = "1.0"


@dataclass(frozen=True)
class Run:
    """Content of run.json."""

    name: str
    task: str
    labels: tuple[str, ...]
    combine: str
    top_k: int
    experts: int
    origin: str
    feature_kind: str
    feature_settings: Mapping[str, Any]
    config: Mapping[str, Any]
    metrics: Mapping[str, Any]
    versions: Mapping[str, str]
    extends: Mapping[str, Any] | None = None  # the run that this one extends, and what changed
    task_spec: TaskSpec | None = None  # None for classification and translation
    format_version: str = FORMAT_VERSION
    columns: Mapping[str, Any] | None = None  # of the file: see datasets.Columns

    @property
    def task_type(self) -> str:
        """The name of the run's task in the registries of tasks."""
        if self.task_spec is not None:
            return self.task_spec.type
        return "translation" if self.feature_kind == "pieces" else "classification"

    def write(self, folder: Path) -> None:
        content = asdict(self)
        if self.task_spec is None:
            del content["task_spec"]
        if self.columns is None:
            del content["columns"]
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (folder / RUN).write_text(text + "\n", encoding="utf-8")


def read_run(folder: Path) -> Run:
    """Read run.json of a run folder.

    Raises:
        RunFolderError: the folder is not a finished run of this format.
    """
    path = folder / RUN
    try:
        content = json.loads(path.read_text(encoding="utf-8-sig"))
        spec = content.get("task_spec")
        if spec is not None and (type(spec["type"]), type(spec["config"])) != (str, dict):
            raise ValueError("task_spec must be a text `type` and an object `config`")
        known = {"labels": tuple(content["labels"]), "task_spec": spec and TaskSpec(**spec)}
        run = Run(**{**content, **known})
    except (FileNotFoundError, NotADirectoryError):
        hint = "`edge-experts train` makes run folders"
        if (folder / MANIFEST).exists():
            hint = "it is a bundle: name the run folder that it was converted from"
        raise RunFolderError(f"{folder}: not a run folder, it has no {RUN}; {hint}") from None
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise RunFolderError(f"{path}: not what training writes ({error}); train again") from None
    if run.format_version.split(".")[0] != FORMAT_VERSION.split(".")[0]:
        raise RunFolderError(f"{path}: format {run.format_version!r} is not {FORMAT_VERSION}")
    return run


def read_features(folder: Path, run: Run) -> features.Features:
    path = folder / FEATURES
    arrays = _arrays(path) if path.exists() else {}
    return features.restore(run.feature_kind, run.feature_settings, arrays)


def write_features(folder: Path, made: features.Features) -> None:
    if made.arrays:
        (folder / FEATURES).write_bytes(npz(**made.arrays))


def write_trained_rows(folder: Path, contents: Iterable[bytes]) -> None:
    """Write hashes of training rows, one file for each training."""
    (folder / TRAINED_ROWS).mkdir()
    for index, content in enumerate(contents):
        (folder / rows_path(index)).write_bytes(content)


def read_trained_rows(folder: Path) -> list[bytes]:
    """Contents of these files, the first training first; none in a run folder of 0.1.0."""
    found: list[bytes] = []
    while (path := folder / rows_path(len(found))).is_file():
        found.append(path.read_bytes())
    return found


def write_examples(folder: Path, made: features.Features, splits: Mapping[str, Split]) -> None:
    arrays = {}
    for name, split in splits.items():
        arrays[f"{name}_inputs"] = made.pack(list(split.inputs))
        arrays[f"{name}_targets"] = split.targets
    (folder / EXAMPLES).write_bytes(npz(**arrays))


def read_examples(folder: Path, made: features.Features) -> dict[str, Split]:
    """Read the examples of each split: "train", "validation" and "test"."""
    arrays = _arrays(folder / EXAMPLES)
    return {
        name: Split(made.unpack(arrays[f"{name}_inputs"]), arrays[f"{name}_targets"])
        for name in ("train", "validation", "test")
    }


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return dict(arrays)
    except (ValueError, OSError, EOFError) as error:
        raise RunFolderError(f"{path}: cannot be read ({error}); train again") from None

"""Task: the loop that makes an answer of a bundle's router and experts.

A task is chosen once, when a bundle is opened. It owns its loop: the runtime gives it routers and
experts, checked and within the memory budget, and does not know how often an input is routed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np

from ...features import Features
from ...format.manifest import Manifest
from ..access import Access
from ..answer import Answer, Predictions
from ..fit import Shapes
from ..interpreter import Delegate, Expert

Arrays = Mapping[str, np.ndarray]
Tensor = tuple[str, str, tuple[int, ...]]  # name, datatype (KServe), shape without the batch
SCORE_TOLERANCE = 0.05  # of scores: integer kernels of processors differ in the last bits


class GoldenAnswer(NamedTuple):
    """An answer that a bundle was published with.

    Attributes:
        scores: (labels,).
        expert: -1 where all experts are summed.
        of_task: the task's own arrays of this example, by name.
    """

    scores: np.ndarray
    expert: Any  # a number of the file, of any type
    of_task: Arrays


class Deployed(NamedTuple):
    """Scores of a bundle's own files, by name, on so many examples, where it was made."""

    scores: Mapping[str, float]
    examples: int


class Column(NamedTuple):
    """A column of the table in `inspect` that compares a bundle with its Keras networks.

    Attributes:
        key: of the number in the manifest's `provenance.parity`.
        form: its format specification.
    """

    title: str
    key: str
    form: str
    width: int


class Task(Protocol):
    """Everything that differs between tasks on a device.

    Attributes:
        name: its key in the registry.
        watched: whether `monitor` can compare its answers with those to validation examples.
        labels_are: what the manifest's labels name, such as "labels" or "outputs".
        parity: columns for `inspect`.
    """

    name: str
    watched: bool
    labels_are: str
    parity: Sequence[Column]

    def __init__(self, manifest: Manifest, features: Features):
        """Raises ManifestError, naming the field, where the manifest breaks a rule of the task."""

    def check_features(self, folder: Path) -> None:
        """Raises BundleError, naming the folder, where the features do not fit the task."""

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Expert:
        """Opens the checked bytes of an expert's file.

        Raises:
            ModelError: the interpreter refuses it, or it is no expert of this task.
        """

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        """Raises ModelError where an expert does not take `shapes`, or gives something else."""

    def prefix(self, index: int) -> str:
        """What errors put before the path of an expert's file; may be empty."""

    def pick(
        self, arrays: dict[str, np.ndarray], models: Access
    ) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """The gate of an encoded input, and the experts that it is routed to first.

        It may add arrays that experts build on.
        """

    def run(self, example: Any, models: Access) -> Answer:
        """Answers one example: the task's loop over `models.route` and `models.expert`."""

    def run_many(self, examples: Iterable[Any], models: Access) -> list[Answer]:
        """Answers examples; loads each expert once for all of them where that is possible."""

    def run_arrays(self, arrays: Arrays, models: Access) -> Predictions:
        """Answers many encoded examples, without an object for each.

        Raises:
            UsageError: answers of this task are no rows of an array.
        """

    def parts(self, example: Any) -> list[Any]:
        """Splits an example into examples that can each be encoded: a text into sentences."""

    def joined(self, answers: Sequence[Answer]) -> Answer:
        """Joins the answers to an example's parts into one."""

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Arrays of golden answers beside scores and experts, by name, (examples, ...)."""

    def read_golden(self, stored: Arrays, count: int) -> dict[str, np.ndarray]:
        """Takes those arrays out of a golden file.

        Raises:
            KeyError, ValueError: they are missing, or not of so many examples.
        """

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Says how an answer differs from the published one; None where it is the same."""

    def outputs(self) -> list[Tensor]:
        """Tensors of an answer over HTTP, the most important one first."""

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Values of one of these tensors, of all answers, as JSON holds them."""

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Scores of many outputs of experts, (examples, ...) to (examples, labels)."""

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        """Numbers that `monitor` counts in bins, (examples, labels) to (examples,)."""

    @staticmethod
    def deployed(manifest: Manifest) -> Deployed | None:
        """Scores as deployed; None where the manifest does not say, or says what makes no sense."""

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        """A row of `inspect`: metrics as deployed, from what the manifest says of them."""

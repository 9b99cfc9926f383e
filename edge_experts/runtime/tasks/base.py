"""Task: the loop that makes answers from a bundle's routers and experts.

The task is chosen once, when a bundle is opened. It owns its loop: the runtime provides routers and
experts, checked and within the memory budget, and does not know how often an input is routed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from ...features import Features
from ...format.manifest import Manifest
from ..access import Access
from ..answer import Answer, Predictions
from ..fit import Shapes
from ..interpreter import Delegate, Expert
from ..memory.policy import Policy

if TYPE_CHECKING:
    from ..routing_options import RoutingOptions

Arrays = Mapping[str, np.ndarray]
Tensor = tuple[str, str, tuple[int, ...]]  # name, datatype (KServe), shape without the batch
SCORE_TOLERANCE = 0.05  # integer kernels of different processors differ in the last bits


class GoldenAnswer(NamedTuple):
    """Published answer to a golden example.

    Attributes:
        scores: (labels,).
        expert: the expert's index; -1 if all experts are summed.
        of_task: the task's own arrays of this example, by name.
    """

    scores: np.ndarray
    expert: Any  # a number read from a file, of any type
    of_task: Arrays


class DeployedScores(NamedTuple):
    """Scores of a bundle's converted files, by name, and the number of examples."""

    scores: Mapping[str, float]
    examples: int


class Traffic(NamedTuple):
    """Use of experts by answers that need them many times.

    Attributes:
        tokens: number of tokens.
        hits, loads: uses of experts that were in memory, and that had to be loaded.
        bytes_read: bytes of the loaded files.
    """

    tokens: int
    hits: int
    loads: int
    bytes_read: int


class Column(NamedTuple):
    """Column of the table in `inspect` that compares a bundle with its Keras networks.

    Attributes:
        key: the number's key in the manifest's `provenance.parity`.
        form: the number's format specification.
    """

    title: str
    key: str
    form: str
    width: int


class Stream(Protocol):
    """An answer in parts: iterate over the texts, some of them empty, as they are written."""

    def __iter__(self) -> Iterator[str]: ...

    def answer(self) -> Answer:
        """Return the answer; writes what is left of it."""

    def close(self) -> None:
        """End early, and free what the answer holds."""


class Task(Protocol):
    """Everything that differs between tasks on a device.

    Attributes:
        name: its key in the registry.
        watched: True if `monitor` can compare its answers with those to validation examples.
        labels_are: the kind of the manifest's labels in words, such as "labels" or "outputs".
        parity: columns for `inspect`.
        needs_all: True if the memory budget must hold each expert, at least alone: answers would
            otherwise depend on the budget.
        routing: those of `RoutingOptions` that are set, by their names.
    """

    name: str
    watched: bool
    labels_are: str
    parity: Sequence[Column]
    needs_all: bool
    routing: Mapping[str, float]

    def __init__(self, manifest: Manifest, features: Features):
        """Raise ManifestError with the field's name if the manifest breaks a rule of the task."""

    def initial_state(self) -> dict[str, np.ndarray]:
        """Create a request's state before its first step: arrays to add to the features.

        Routers and experts may take them beside the features' arrays. They are created anew for
        each request and are local to its loop: threads share the task, so it stores no request.
        """

    def largest_state(self) -> dict[str, np.ndarray]:
        """Create such arrays of the largest size, to measure the memory that models take."""

    def reserve(self, context: int | None, sequences: int) -> Mapping[str, int]:
        """Reserve memory for requests; return its bytes by what takes them.

        Args:
            context, sequences: see `ExpertRuntime`.

        Raises:
            UsageError: the task has no context, or it is too large.
        """

    def route_by(self, options: RoutingOptions) -> None:
        """Route by these options, before the first request.

        Raises:
            UsageError: one is set that the task, or this bundle, does not have.
        """

    def policy(self) -> Policy | None:
        """Create the eviction policy for experts; None: least recently used."""

    def check_features(self, folder: Path) -> None:
        """Raise BundleError with the folder's name if the features do not fit the task."""

    def open_part(
        self,
        path: str,
        content: Any,
        name: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Any:
        """Open a router, or a dense part.

        Args:
            path: its path in the manifest.
            content: checked bytes; of a dense part that is no model, its open file.
            name: for errors.

        Raises:
            ModelError: the interpreter refuses the file, or it is no part of this task.
        """

    def open_expert(
        self,
        index: int,
        content: bytes,
        path: str,
        threads: int = 1,
        delegate: Delegate = "xnnpack",
    ) -> Expert:
        """Open the checked bytes of an expert's file.

        Raises:
            ModelError: the interpreter refuses the file, or it is not an expert of this task.
        """

    def check_expert(self, expert: Expert, shapes: Shapes) -> None:
        """Raise ModelError if an expert does not take `shapes`, or its output does not fit."""

    def prefix(self, index: int) -> str:
        """Return the prefix of an expert's path in errors; may be empty."""

    def pick(
        self, arrays: dict[str, np.ndarray], models: Access
    ) -> tuple[np.ndarray | None, tuple[int, ...]]:
        """Return the gate of an encoded input and the experts that it is routed to first.

        It may add arrays that experts take as input.
        """

    def run(self, example: Any, models: Access) -> Answer:
        """Answer one example: the task's loop over `models.route` and `models.expert`."""

    def run_many(self, examples: Iterable[Any], models: Access) -> list[Answer]:
        """Answer examples; load each expert once for all of them if possible."""

    def stream(self, example: Any, models: Access) -> Stream:
        """Answer one example in parts; UsageError if answers of this task have none."""

    def run_arrays(self, arrays: Arrays, models: Access) -> Predictions:
        """Answer many encoded examples, without an object for each.

        Raises:
            UsageError: answers of this task are not rows of an array.
        """

    def parts(self, example: Any) -> list[Any]:
        """Split an example into examples that can each be encoded: a text into sentences."""

    def joined(self, answers: Sequence[Answer]) -> Answer:
        """Join the answers to an example's parts into one."""

    def traffic(self, answer: Answer) -> Traffic | None:
        """Return an answer's use of experts; None if it needs each of them once."""

    def golden_arrays(self, answers: Sequence[Answer]) -> dict[str, np.ndarray]:
        """Return arrays of golden answers beside scores and experts, by name, (examples, ...)."""

    def read_golden(self, stored: Arrays, count: int) -> dict[str, np.ndarray]:
        """Read those arrays from a golden file.

        Raises:
            KeyError, ValueError: they are missing, or not of `count` examples.
        """

    def golden_difference(self, answer: Answer, wanted: GoldenAnswer) -> str | None:
        """Describe how an answer differs from the published one; None if it is the same."""

    def measured(self, given: Arrays, models: Access) -> dict[str, np.ndarray]:
        """Compute what a conversion compares beside answers, from arrays that it wrote."""

    def outputs(self) -> list[Tensor]:
        """List the tensors of an answer over HTTP, the most important one first."""

    def tensor(self, name: str, answers: Iterable[Answer]) -> list[Any]:
        """Return the values of one of these tensors for all answers, as JSON values."""

    def scores(self, outputs: np.ndarray) -> np.ndarray:
        """Compute the scores of many outputs of experts, (examples, ...) to (examples, labels)."""

    @staticmethod
    def drift_values(scores: np.ndarray) -> np.ndarray:
        """Compute the numbers that `monitor` counts in bins, (examples, labels) to (examples,)."""

    @staticmethod
    def deployed(manifest: Manifest) -> DeployedScores | None:
        """Read the scores as deployed; None if they are missing or invalid in the manifest."""

    @staticmethod
    def deployed_score(manifest: Manifest) -> str:
        """Format a row of `inspect`: metrics as deployed, from the manifest."""

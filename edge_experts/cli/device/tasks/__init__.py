"""Task-specific parts of commands: output of `run`, and scores of `evaluate`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ....errors import DataError, ThresholdError, UsageError
from ....registry import Registry

if TYPE_CHECKING:
    from ....datasets import Dataset, Split
    from ....format.manifest import Manifest
    from ....runtime import ExpertRuntime
    from ....runtime.installed import InstalledRuntime
    from ....runtime.tasks import Task
    from ..watch import Watch

COMMANDS = Registry(
    "edge_experts.commands",
    {
        "classification": f"{__name__}.classification",
        "translation": f"{__name__}.translation",
        "regression": f"{__name__}.regression",
        "language-model": f"{__name__}.language_model",
        "multi-label": f"{__name__}.multi_label",
        "anomaly": f"{__name__}.anomaly",
    },
)


@dataclass(frozen=True)
class Evaluation:
    """Result of `evaluate`, as JSON and as lines of text.

    Attributes:
        unknown: why scores that are None are unknown, for an error.
    """

    found: Mapping[str, Any]
    lines: Sequence[str]
    unknown: str = ""


class TaskCommands(Protocol):
    """Module of one task.

    Attributes:
        OPTIONS: options of `run`, `evaluate` and `serve` for this task only. The value is the key
            of the score for a threshold, and empty for other options.
    """

    OPTIONS: Mapping[str, str]

    def run(
        self,
        runtime: ExpertRuntime | InstalledRuntime,
        texts: Sequence[str] | None,
        path: Path | None,
        options: Mapping[str, Any],
        watch: Watch,
        *,
        json: bool,
    ) -> None:
        """Print the answer to each input as it comes.

        Args:
            options: values of `OPTIONS` by their names; None if they are not given.
        """

    def unknown_labels(self, dataset: Dataset, manifest: Manifest) -> set[str]:
        """Labels of the data that the bundle does not have."""

    def evaluate(
        self,
        runtime: ExpertRuntime,
        dataset: Dataset,
        split: Split,
        *,
        name: str,
        show: int,
        seed: int,
    ) -> Evaluation:
        """Evaluate the bundle on a split; shows `show` of its examples, drawn by the seed."""


def commands_of(task: Task) -> TaskCommands:
    """Return the module of a bundle's task."""
    commands: TaskCommands = COMMANDS.get(task.name)
    return commands


def has_option(task: str, option: str) -> bool:
    """Test if a task has one of the options that not all tasks have."""
    return COMMANDS.has(task) and option in COMMANDS.get(task).OPTIONS


def check_options(commands: TaskCommands, name: str, given: Mapping[str, object]) -> None:
    """Reject options that the task does not have.

    Args:
        given: values by option; None, the integer 0 and False mean that it is not given.

    Raises:
        UsageError: an option of another task is given.
    """
    for option, value in given.items():
        is_given = value if isinstance(value, bool | int) else value is not None
        if is_given and option not in commands.OPTIONS:
            others = [task for task in COMMANDS.names if option in COMMANDS.get(task).OPTIONS]
            raise UsageError(
                f"{option} is for bundles of {', '.join(others)}; this one is of {name}"
            )


def check_thresholds(
    commands: TaskCommands, evaluation: Evaluation, given: Mapping[str, object]
) -> None:
    """Compare scores with the values of their options.

    Raises:
        ThresholdError: a score is below.
        DataError: a score is unknown.
    """
    for option, least in given.items():
        key = commands.OPTIONS.get(option)
        if not key or not isinstance(least, float):
            continue
        score = evaluation.found[key]
        if score is None:
            raise DataError(f"{option}: {evaluation.unknown}")
        if score < least:
            raise ThresholdError(f"{key} {score:.4f} is below {option} {least:g}")

"""Tasks: loops that make answers from a bundle's experts, one for each kind of answer."""

from __future__ import annotations

from pathlib import Path

from ...errors import ManifestError
from ...features import Features
from ...format.manifest import MANIFEST, Manifest
from ...registry import Registry
from .base import Task

__all__ = ["TASKS", "Task", "open_task", "task_class"]

TASKS = Registry(
    "edge_experts.tasks",
    {
        "classification": f"{__name__}.classification:Classification",
        "translation": f"{__name__}.translation:Translation",
        "regression": f"{__name__}.regression:Regression",
        "language-model": f"{__name__}.language_model:LanguageModel",
        "multi-label": f"{__name__}.multi_label:MultiLabel",
        "anomaly": f"{__name__}.anomaly:Anomaly",
    },
)


def task_class(manifest: Manifest) -> type[Task]:
    """Return the task class of a bundle.

    Raises:
        MissingPartError: no installed package provides the task.
    """
    task: type[Task] = TASKS.get(manifest.task_type)
    return task


def open_task(manifest: Manifest, features: Features, folder: Path | None = None) -> Task:
    """Create the task of a bundle, with the features of its inputs.

    Args:
        folder: the bundle's, for errors.

    Raises:
        ManifestError: the manifest breaks a rule of the task.
        MissingPartError: no installed package provides the task.
    """
    try:
        return task_class(manifest)(manifest, features)
    except ManifestError as error:
        where = MANIFEST if folder is None else folder / MANIFEST
        raise ManifestError(f"{where}: {error}") from None

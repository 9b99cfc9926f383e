"""Tasks: the loops that make an answer of a bundle's experts, one for each kind of answer."""

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
    },
)


def task_class(manifest: Manifest) -> type[Task]:
    """The task of a bundle.

    Raises:
        MissingPartError: no installed package has it.
    """
    task: type[Task] = TASKS.get(manifest.task_type)
    return task


def open_task(manifest: Manifest, features: Features, folder: Path | None = None) -> Task:
    """The task of a bundle, with the features of its inputs.

    Args:
        folder: the bundle's, for errors.

    Raises:
        ManifestError: the manifest breaks a rule of the task.
        MissingPartError: no installed package has the task.
    """
    try:
        return task_class(manifest)(manifest, features)
    except ManifestError as error:
        where = MANIFEST if folder is None else folder / MANIFEST
        raise ManifestError(f"{where}: {error}") from None

"""Tasks: the loops that make an answer of a bundle's experts, one for each kind of answer."""

from __future__ import annotations

from ...features import Features
from ...format.manifest import Manifest
from .base import Task
from .classification import Classification
from .translation import Translation

__all__ = ["TASKS", "Task", "open_task", "task_class"]

TASKS: dict[str, type[Task]] = {task.name: task for task in (Classification, Translation)}


def task_class(manifest: Manifest) -> type[Task]:
    """The task of a bundle: the one place where a manifest is asked for its task."""
    return TASKS["classification" if manifest.generation is None else "translation"]


def open_task(manifest: Manifest, features: Features) -> Task:
    """The task of a bundle, with the features of its inputs."""
    return task_class(manifest)(manifest, features)

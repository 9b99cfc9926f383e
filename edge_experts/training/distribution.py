"""Training on several processors or machines, by tf.distribute."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager

import tensorflow as tf

from ..errors import UsageError


@contextmanager
def scope(kind: str) -> Iterator[bool]:
    """Set the strategy for training in the block; yields whether this process writes the results.

    Args:
        kind: "none"; "mirrored", all processors that TensorFlow finds on this machine; "workers",
            the machines in the environment variable TF_CONFIG, with the same command on each.

    Raises:
        UsageError: TF_CONFIG is missing or invalid.
    """
    if kind == "none":
        yield True
        return
    if kind == "mirrored":
        strategy: tf.distribute.Strategy = tf.distribute.MirroredStrategy()
    else:
        _task()
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    with strategy.scope():
        yield _task().get("index", 0) == 0 if kind == "workers" else True


def place() -> str:
    """Suffix of the files of this worker, distinct from those of others on the same disk."""
    return f".{_task()['index']}" if os.environ.get("TF_CONFIG") else ""


def _task() -> dict[str, object]:
    try:
        config = json.loads(os.environ.get("TF_CONFIG", ""))
        task: dict[str, object] = config["task"]
        task["index"], config["cluster"]["worker"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            "distribute 'workers' needs the environment variable TF_CONFIG on every machine: "
            '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}'
            f" ({error})"
        ) from None
    return task

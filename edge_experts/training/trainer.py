"""Entry point of training: from a data set to a run folder."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import run_folder
from ..datasets import Dataset
from .config import TrainConfig
from .default_settings import config_of
from .tasks import training_of


def train(
    dataset: Dataset,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    name: str | None = None,
    teacher: str | Path | None = None,
    force: bool = False,
    pictures: bool = True,
) -> run_folder.Run:
    """Train, evaluate and write the run folder `out`, which appears whole or not at all.

    The data set's task owns the training (`tasks/`); `config_of` has the defaults for a kind of
    data. An interrupted training leaves OUT.checkpoints. Started again with the same data, settings
    and versions it resumes from there, with the same result bit for bit.

    Args:
        name: name of the bundle; that of the data set by default.
        teacher: run folder of the teacher. Without it, the configuration determines whether a dense
            teacher is trained first.
        force: replace `out` if it exists.
        pictures: draw charts of the results.
    """
    out = Path(out)
    try:
        return training_of(dataset.task_type).train(
            dataset,
            out,
            config or config_of(dataset),
            name=name,
            teacher=None if teacher is None else Path(teacher),
            force=force,
            pictures=pictures,
        )
    except KeyboardInterrupt:
        left = out.with_name(f"{out.name}.checkpoints")
        if left.exists():
            print(f"{left}: the same command resumes from here", file=sys.stderr)
        raise

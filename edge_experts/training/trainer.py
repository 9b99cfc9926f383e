"""Train a sparse expert model on a data set, and leave a run folder."""

from __future__ import annotations

import sys
from pathlib import Path

from .. import run_folder
from ..datasets import Dataset
from .config import TrainConfig
from .recipes import config_of
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

    The data set's task owns the training (`tasks/`); `config_of` knows what suits a kind of data. A
    training that is killed leaves OUT.checkpoints. Started again with the same data, settings and
    versions it goes on from there, and ends with the same bits as if it had not been killed.

    Args:
        name: what the bundle will be called; the data set's name by default.
        teacher: a run folder whose model teaches this one; without it the configuration says
            whether a dense network is trained first for that.
        force: replace `out` if it exists.
        pictures: draw what came of it, for a person; where many models are trained, too many.
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
            print(f"{left}: the same command goes on from here", file=sys.stderr)
        raise

"""Fine-tuning of a run that is one network, on new data alone: the baseline of `extend`."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

from ... import run_folder
from ...datasets import Dataset
from ...errors import UsageError
from ...format.atomic import refuse_existing, staged
from ..backbone import joining
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..leaving import versions
from ..randomness import reseed
from ..tasks import training_of
from .run_parts import digest, encoded, features_of, fitting, read_model
from .teaching import EPOCHS, Teaching, score


def fine_tune(
    run: str | Path,
    dataset: Dataset,
    out: str | Path,
    *,
    epochs: int = EPOCHS,
    seed: int = 0,
    force: bool = False,
) -> run_folder.Run:
    """Train all weights of a network further on new data, as `extend` trains a copied expert.

    Nothing reminds the network of its old data, so it may forget; `extend` adds an expert instead.

    Args:
        run: the run folder of one network, such as one that was trained with `dense`.
        dataset: the new data, of the same kind and task; its labels must be among the run's.
        out: the run folder to write. It keeps examples of the new data.
        epochs: at most. 10, the default, is with few examples as many as 500 steps take.

    Raises:
        UsageError: the run has several experts, or the data does not fit it.
    """
    run, out = Path(run), Path(out)
    refuse_existing(out, force=force)
    earlier = run_folder.read_run(run)
    if earlier.experts != 1:
        raise UsageError(
            f"{run}: fine-tuning needs a run with one network, and this one has {earlier.experts} "
            "experts; add an expert with `extend`"
        )
    task = training_of(earlier.task_type).routed(earlier, "fine-tune")
    features = run_folder.read_features(run, earlier)
    splits = fitting(task, dataset, run, earlier)
    parts = encoded(features, splits, dataset.name, run)
    model, body = read_model(run), None
    if joining.is_joined(model):
        body, model = joining.taken_apart(model)
        parts = features_of(body, parts)
    reseed(seed)
    checkpoints = Checkpoints(
        out.with_name(f"{out.name}.checkpoints"),
        {
            "run": [digest(run / run_folder.MODEL), earlier.config],
            "data": dataset.fingerprint(),
            "settings": ["fine-tuning", epochs, seed],
        },
    )
    settings = {**asdict(TrainConfig()), **earlier.config}
    with staged(out, force=force) as folder:
        teaching = Teaching(
            model,
            task,
            {},
            parts,
            epochs=epochs,
            batch_size=settings["batch_size"],
            learning_rate=settings["learning_rate"],
            seed=seed,
            logs=folder / run_folder.LOGS,
            checkpoints=checkpoints,
        )
        model = teaching.fine_tuned()
        whole = model if body is None else joining.joined(body, model)
        whole.save(folder / run_folder.MODEL)
        run_folder.write_features(folder, features)
        run_folder.write_examples(folder, features, splits)
        made = replace(
            earlier,
            origin=f"{earlier.origin}; fine-tuned on {dataset.origin}",
            metrics={
                **earlier.metrics,
                **{
                    f"{name}_{task.primary}": round(score(task, model, parts[name]), 5)
                    for name in ("validation", "test")
                },
                "history": teaching.history,
            },
            versions=versions(),
        )
        made.write(folder)
    checkpoints.remove()
    return made

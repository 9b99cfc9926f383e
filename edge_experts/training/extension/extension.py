"""Adds an expert to a finished training, or retrains one; all others stay bit for bit the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import run_folder
from ...datasets import Dataset, Split
from ...datasets.row_hashes import trained_rows
from ...errors import ThresholdError, UsageError
from ...format.atomic import refuse_existing, staged
from .. import cost
from ..backbone import joining
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..gains import gain
from ..leaving import CALIBRATION_ROWS, KEPT_EXAMPLES, versions
from ..model import SparseExperts
from ..objectives.routed_task import RoutedTask
from ..randomness import reseed
from ..report.reporting import expert_usage
from ..tasks import training_of
from .first_router import with_router
from .run_parts import digest, encoded, features_of, fitting, read_model
from .teaching import EPOCHS, Part, Teaching, answers, score


@dataclass(frozen=True)
class ScoreChange:
    """The task's primary score on the same test examples, before and after."""

    before: float
    after: float
    examples: int

    @classmethod
    def between(
        cls, task: RoutedTask, before: SparseExperts, after: SparseExperts, test: Part
    ) -> ScoreChange:
        return cls(score(task, before, test), score(task, after, test), len(test.targets))


def extend(
    run: str | Path,
    dataset: Dataset,
    out: str | Path,
    *,
    retrain: int | None = None,
    old_data: Dataset | None = None,
    epochs: int = EPOCHS,
    seed: int = 0,
    max_forgetting: float | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Train one more expert on new data, and the router to route such inputs to it.

    The features stay unchanged, because all experts depend on them. The new expert is the better,
    on the new validation examples, of a fine-tuned copy of the expert that is best on the new data,
    and of a fresh one. The router gets one more output. It is trained to route old examples as
    before, and new ones to the new expert. Where it separates them, old answers stay unchanged.
    Otherwise some old inputs are routed to the new expert; the run records the loss. It also
    records the gain on the test examples, with an interval (`extends["gain"]`); with few examples
    it may be zero.

    An interrupted extension leaves OUT.checkpoints, and resumes from there.

    Args:
        run: run folder to extend; it is only read.
        dataset: new data, of the same kind and task; its labels must be among the run's.
        out: run folder to write, with examples of both.
        retrain: train this expert further instead of adding one, on the new data and on its own
            part of the old.
        old_data: training data of the run, against forgetting; by default the examples in the run
            folder, up to 2,000.
        epochs: most epochs of the expert; the router has three times as many. The default of 10 is
            raised to 500 steps for few examples.
        max_forgetting: largest loss on the old test examples, in points (hundredths) of accuracy
            or R2.

    Raises:
        UsageError: the run cannot be extended, or the data does not fit it.
        ThresholdError: the loss is above `max_forgetting`; nothing was written.
    """
    run, out = Path(run), Path(out)
    refuse_existing(out, force=force)
    earlier = run_folder.read_run(run)
    training = training_of(earlier.task_type)
    own = training.extend(
        run,
        dataset,
        out,
        retrain=retrain,
        old_data=old_data,
        epochs=None if epochs == EPOCHS else epochs,
        seed=seed,
        max_forgetting=max_forgetting,
        force=force,
    )
    if own is not None:
        return own
    task = training.routed(earlier, "extend")
    _refuse(run, earlier, retrain)
    features = run_folder.read_features(run, earlier)
    old, new = run_folder.read_examples(run, features), fitting(task, dataset, run, earlier)
    if old_data is not None:
        old["train"] = fitting(task, old_data, run, earlier)["train"]
    old_parts = encoded(features, old, f"the old data of {run}", run)
    new_parts = encoded(features, new, dataset.name, run)
    reseed(seed)
    model, body = read_model(run), None
    if joining.is_joined(model):
        body, before = joining.taken_apart(model)
        old_parts, new_parts = features_of(body, old_parts), features_of(body, new_parts)
    else:
        before = with_router(model, dataset.kind, features.settings, old_parts["train"].inputs)
    checkpoints = Checkpoints(
        out.with_name(f"{out.name}.checkpoints"),
        {
            "run": [digest(run / run_folder.MODEL), earlier.config],
            "data": dataset.fingerprint(),
            "old data": old_data and old_data.fingerprint(),
            "settings": [retrain, epochs, seed],
        },
    )
    with staged(out, force=force) as folder:
        settings = {**asdict(TrainConfig()), **earlier.config}
        teaching = Teaching(
            before,
            task,
            old_parts,
            new_parts,
            epochs=epochs,
            batch_size=settings["batch_size"],
            learning_rate=settings["learning_rate"],
            seed=seed,
            logs=folder / run_folder.LOGS,
            checkpoints=checkpoints,
        )
        after, start = teaching.added() if retrain is None else teaching.retrained(retrain)
        changes = {
            "old": ScoreChange.between(task, before, after, old_parts["test"]),
            "new": ScoreChange.between(task, before, after, new_parts["test"]),
        }
        try:
            _refuse_forgetting(task, changes["old"], max_forgetting)
        except ThresholdError:
            checkpoints.remove()  # the same command would fail again
            raise
        gains = {
            name: _gain(task, before, after, parts["test"])
            for name, parts in (("old", old_parts), ("new", new_parts))
        }
        metrics, first = _metrics(task, after, old_parts, new_parts), None
        if body is not None:
            after = joining.joined(body, after)
            first = _calibration(run_folder.read_examples(run, features)["train"], earlier)
            metrics |= {
                "macs": cost.active(after),
                "parameters": int(after.count_params()),
                "backbone": {**earlier.metrics["backbone"], "calibration_rows": len(first)},
            }
        after.save(folder / run_folder.MODEL)
        run_folder.write_features(folder, features)
        run_folder.write_examples(folder, features, _kept(old, new, seed, first))
        known = run_folder.read_trained_rows(run)
        if known:  # if the old rows are not known, the union is not known either
            added = trained_rows(features, dataset).to_bytes()
            run_folder.write_trained_rows(folder, [*known, added])
        made = replace(
            earlier,
            experts=len(after.experts),
            origin=f"{earlier.origin}; extended with {dataset.origin}",
            config={**earlier.config, "experts": len(after.experts)},
            metrics={**metrics, "history": teaching.history},
            versions=versions(),
            extends={
                "name": earlier.name,
                "model": digest(run / run_folder.MODEL),
                "data": dataset.origin,
                "added": [earlier.experts] if retrain is None else [],
                "retrained": [] if retrain is None else [retrain],
                "kept": [index for index in range(earlier.experts) if index != retrain],
                "router": "retrained",
                "started_from": start,
                "taught_rows": len(new_parts["train"].targets),
                "gain": gains,
                "seed": seed,
                "score": task.primary,
                task.primary: {name: asdict(change) for name, change in changes.items()},
            },
        )
        made.write(folder)
    checkpoints.remove()
    return made


def _refuse(run: Path, earlier: run_folder.Run, retrain: int | None) -> None:
    """Raise UsageError if no router could route inputs to one expert."""
    if earlier.combine != "top":
        raise UsageError(
            f"{run}: sums all its experts, so new inputs cannot be routed to one of "
            "them; train it again on the old and the new data together"
        )
    if earlier.experts == 1 and (retrain is not None or earlier.feature_kind == "tokens"):
        raise UsageError(
            f"{run}: is one network, so there is no expert to retrain beside others; remove "
            "--retrain to add an expert, or train it again on the old and the new data together"
        )
    if retrain is not None and not 0 <= retrain < earlier.experts:
        raise UsageError(
            f"{run}: there is no expert {retrain} to retrain; it must be from 0 to "
            f"{earlier.experts - 1}"
        )


def _gain(
    task: RoutedTask, before: SparseExperts, after: SparseExperts, test: Part
) -> dict[str, float]:
    """Gain on test examples.

    On validation examples, by which the best epoch was chosen, even random labels show a gain.
    """
    old, new = (task.points(answers(model, test.inputs), test.targets) for model in (before, after))
    return {**gain(new - old).to_json(), "examples": len(test.targets)}


def _refuse_forgetting(task: RoutedTask, change: ScoreChange, most: float | None) -> None:
    lost = 100 * (change.before - change.after)
    if most is not None and lost > most:
        raise ThresholdError(
            f"{lost:.2f} points of {task.primary_words} on {change.examples:,} old test examples "
            f"were forgotten ({change.before:.4f} to {change.after:.4f}); --max-forgetting allows "
            f"{most}. Nothing was written; give the old data again with --old-data"
        )


def _calibration(train: Split, run: run_folder.Run) -> Split:
    """The examples that calibrate the file of the backbone, for all extensions of a run.

    With the same examples it gets the same integers: an update ships the gate, not the backbone,
    and experts get the same features as before.
    """
    rows = run.metrics["backbone"].get("calibration_rows", CALIBRATION_ROWS)
    return Split(train.inputs[:rows], train.targets[:rows])


def _kept(
    old: dict[str, Split], new: dict[str, Split], seed: int, first: Split | None = None
) -> dict[str, Split]:
    """Sample both, as many as for one training, in random order.

    At most that many are drawn from either: the old examples are a sample already, and must not be
    displaced by a larger number of new ones.

    Args:
        first: examples that come first in the training split.
    """
    random = np.random.default_rng(seed)
    kept = {}
    for name, most in KEPT_EXAMPLES.items():
        chosen = [
            (split.inputs[row], split.targets[row])
            for split in (old[name], new[name])
            for row in random.permutation(len(split))[:most]
        ]
        rows = random.permutation(len(chosen))[:most]
        picked = [chosen[row] for row in rows]
        if first is not None and name == "train":
            picked = [*zip(first.inputs, first.targets, strict=True), *picked][:most]
        kept[name] = Split([pick[0] for pick in picked], np.array([pick[1] for pick in picked]))
    return kept


def _metrics(
    task: RoutedTask, model: SparseExperts, old: Mapping[str, Part], new: Mapping[str, Part]
) -> dict[str, Any]:
    """Metrics of a training for the model, on the old and the new examples together."""
    both = {name: old[name].with_more(new[name]) for name in ("validation", "test")}
    scores = {
        f"{split}_{name}": value
        for split, part in both.items()
        for name, value in task.scores(answers(model, part.inputs), part.targets).items()
    }
    router, expert = cost.macs(model.router), cost.macs(model.experts[0])
    return {
        **scores,
        "expert_usage": expert_usage(model, both["validation"].inputs),
        "macs": {"router": router, "expert": expert, "active": router + model.top_k * expert},
        "parameters": int(model.count_params()),
    }

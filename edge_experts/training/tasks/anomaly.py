"""Training of anomaly detection: an autoencoder for each regime of normal examples."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ...datasets import Dataset, Split
from ...datasets.targets.anomaly_scores import enough_for
from ...errors import DataError, UsageError
from ...features import Features, encode_all
from ...run_folder import Run
from ..config import TrainConfig
from ..encoding import fit_features
from ..objectives.routed_task import RoutedTask
from ..report.ownership import column_names
from .reconstruction import Reconstruction
from .routed_training import RoutedTraining

_KINDS = ("table", "window")
_MOST = 1024  # numbers of an encoded example
_CONSTANT = 1e20  # deviation from which a column is constant; see `TableFeatures`


class AnomalyTraining:
    """Training of anomaly detection; see `TrainingTask`."""

    def settings(self, dataset: Dataset) -> Mapping[str, Any]:
        """Regimes found by k-means, before there are experts; each then learns its own inputs.

        A trunk would let an expert see its inputs past the narrow layer.
        """
        return {
            "experts": 4,
            "router": "kmeans",
            "trunk": False,
            "router_epochs": 10,
            "epochs": 30,
            "choice_epochs": 0,
            "tune_epochs": 0,
            "false_alarms": 0.01,
        }

    def train(
        self,
        dataset: Dataset,
        out: Path,
        config: TrainConfig,
        *,
        name: str | None,
        teacher: Path | None,
        force: bool,
        pictures: bool,
    ) -> Run:
        _refuse(dataset, config, teacher)
        features = fit_features(dataset)
        task = Reconstruction(*units_of(features), config.false_alarms)
        few = len(dataset.validation)
        if few < enough_for(config.false_alarms):
            print(
                f"Warning: {dataset.name}: {few:,} normal validation examples are too few for a "
                f"false-alarm rate of {config.false_alarms:g}, which needs "
                f"{enough_for(config.false_alarms):,}; the threshold is their largest error.",
                file=sys.stderr,
            )
        training = RoutedTraining(task, lambda run, outputs: outputs, given=dataset)
        return training.train(
            reconstructed(dataset, features, task.names),
            out,
            config,
            name=name,
            teacher=None,
            force=force,
            pictures=pictures,
        )

    def summary(self, run: Run) -> str:
        metrics = run.metrics
        alarms, area = metrics["test_false_alarm_rate"], metrics["test_auroc"]
        told = "" if alarms is None else f"false alarms on {alarms:.2%} of the normal test examples"
        if area is not None:
            told = (
                f"AUROC {area:.4f}, {metrics['test_detection_rate']:.1%} of the anomalous test "
                f"examples found, {told}"
            )
        return f"{told} (float, {run.experts} regime(s))"

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Accept all settings: `compare`, which asks, is not for anomaly detection."""

    def adopted(self, dataset: Dataset) -> RoutedTask:
        raise DataError(
            f"{dataset.name}: adopt is for networks that classify: thresholds of an autoencoder "
            "need its training data; train it with --model MODULE:FUNCTION"
        )

    def extend(self, run: Path, dataset: Dataset, out: Path, **options: Any) -> Run | None:
        raise UsageError(
            f"{run}: extend is not for anomaly detection: the router and the thresholds of all "
            "regimes depend on each other; train again on the old and the new data together"
        )

    def routed(self, run: Run, command: str) -> RoutedTask:
        assert run.task_spec is not None, "a run of anomaly detection has one"
        config = run.task_spec.config
        mean, scale = (np.array(config[key], float) for key in ("mean", "scale"))
        return Reconstruction(run.labels, mean, scale, config["false_alarms"])


def _refuse(dataset: Dataset, config: TrainConfig, teacher: Path | None) -> None:
    """Reject data and settings that anomaly detection does not have."""
    if dataset.kind not in _KINDS:
        raise DataError(
            f"{dataset.name}: anomaly detection is for tables and windows of sensors, not for "
            f"{dataset.kind}"
        )
    if config.combine != "top" or config.top_k != 1:
        raise UsageError(
            "--combine sum and --top-k: anomaly detection has one expert for each regime; remove "
            "the option"
        )
    if config.router == "clusters":
        raise UsageError(
            "router 'clusters' groups labels that a teacher confuses, and all examples are normal; "
            "use 'kmeans'"
        )
    if teacher is not None or config.teacher_epochs:
        raise UsageError("--teacher: anomaly detection is trained without a teacher")
    if config.backbone is not None:
        raise UsageError("--backbone is for photos; remove it")
    if config.trunk:
        raise UsageError(
            "--trunk: experts would see their inputs past the narrow layer; remove the option"
        )
    if not 0 < config.false_alarms < 1:
        raise UsageError(
            f"--false-alarms must be more than 0 and less than 1, got {config.false_alarms:g}"
        )


def units_of(features: Features) -> tuple[list[str], np.ndarray, np.ndarray]:
    """Names, means and scales of the numbers of an encoded example, in the data's units."""
    ((_, *shape), _) = features.shapes["x"]
    width = int(np.prod(shape))
    mean, scale = (features.arrays[name].astype(np.float64) for name in ("mean", "deviation"))
    if "columns" in features.settings:
        more = width - len(mean)  # values of categories: 0 or 1
        mean, scale = np.append(mean, np.zeros(more)), np.append(scale, np.ones(more))
        return column_names(features, width), mean, np.where(scale > _CONSTANT, 1.0, scale)
    names = [f"column {place}" for place in range(width)]
    stream = getattr(features, "stream", None)
    if len(shape) > 1:
        channels = [f"channel {place}" for place in range(shape[-1])]
        channels = channels if stream is None else list(stream.channels)
        names = [f"{channel} [{step}]" for step in range(shape[0]) for channel in channels]
    mean, scale = (np.broadcast_to(each, shape).ravel() for each in (mean, scale))
    return names, mean, scale


def reconstructed(dataset: Dataset, features: Features, names: Sequence[str]) -> Dataset:
    """The data set with its encoded examples as targets; see `AnomalyTargets`.

    Raises:
        DataError: an encoded example has too many numbers.
    """
    if len(names) > _MOST:
        raise DataError(
            f"{dataset.name}: an example has {len(names):,} numbers; at most {_MOST:,} are "
            "reconstructed. Use fewer columns (--drop) or a shorter --window"
        )

    def split(one: Split) -> Split:
        x = encode_all(features, one.inputs)["x"].reshape(len(one), -1)
        targets = np.column_stack([x.astype(np.float64), one.targets])
        return replace(one, targets=targets)

    return replace(
        dataset,
        labels=tuple(names),
        train=split(dataset.train),
        validation=split(dataset.validation),
        test=split(dataset.test),
    )


TRAINING = AnomalyTraining()

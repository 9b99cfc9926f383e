"""AUROC of experts by regime, of one autoencoder, and of distances to the mean."""

from __future__ import annotations

import contextlib
import io
import json
import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from edge_experts.datasets import Dataset
from edge_experts.datasets.targets.anomaly_scores import auroc, detection_scores, thresholds_of
from edge_experts.features import encode_all
from edge_experts.training import train
from edge_experts.training.default_settings import config_of
from edge_experts.training.encoding import fit_features

from .. import output
from .anomaly_results import ACTIVE, ALL, EXPERTS, MAHALANOBIS, MODELS, Result
from .anomaly_sets import SETS

_DENSE = {EXPERTS: None, ACTIVE: "active", ALL: "all"}
_RIDGE = 1e-3  # added to the variances, of standardized features


def measure(names: Sequence[str], seeds: int, regimes: int, out: Path) -> list[Result]:
    """Measure all models on the sets; results that the file has are not measured again."""
    kept = _read(out)
    for name in names:
        for seed in range(seeds):
            missing = [one for one in MODELS if (name, one, seed) not in kept]
            if not missing:
                continue
            dataset = SETS[name].load(seed)
            for model in missing:
                found = (
                    _trained(dataset, name, model, seed, regimes)
                    if model in _DENSE
                    else _distance(dataset, name, model, seed)
                )
                kept[name, model, seed] = found
                with out.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(asdict(found)) + "\n")
                output.warn(f"{name}, seed {seed}, {model}: AUROC {found.auroc:.4f}")
    wanted = [(name, model, seed) for name in names for model in MODELS for seed in range(seeds)]
    return [kept[key] for key in wanted]


def _read(path: Path) -> dict[tuple[str, str, int], Result]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8").splitlines()
    found = [Result(**json.loads(line)) for line in lines]
    return {(one.set, one.model, one.seed): one for one in found}


def _trained(dataset: Dataset, name: str, model: str, seed: int, regimes: int) -> Result:
    """Train with the default settings; scores are of the Keras model with hard routing."""
    config = config_of(dataset, seed=seed, experts=regimes, dense=_DENSE[model])
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        metrics = train(dataset, Path(folder) / "run", config, pictures=False).metrics
    return Result(
        name,
        model,
        seed,
        metrics["test_auroc"],
        metrics["test_detection_rate"],
        metrics["test_false_alarm_rate"],
        metrics["macs"]["active"],
        metrics["parameters"],
    )


def _distance(dataset: Dataset, name: str, model: str, seed: int) -> Result:
    """Distance to the mean of the training examples; its threshold is set as for experts."""
    features = fit_features(dataset)
    x = {
        split: encode_all(features, getattr(dataset, split).inputs)["x"].astype(np.float64)
        for split in ("train", "validation", "test")
    }
    flat = {split: array.reshape(len(array), -1) for split, array in x.items()}
    mean, train_rows = flat["train"].mean(axis=0), flat["train"]
    weights = np.diag(1 / (train_rows.var(axis=0) + _RIDGE))
    if model == MAHALANOBIS:
        covariance = np.cov(train_rows, rowvar=False)
        weights = np.linalg.inv(covariance + _RIDGE * np.eye(len(mean)))
    apart = {split: rows - mean for split, rows in flat.items()}
    errors = {
        split: np.sqrt(np.maximum(((rows @ weights) * rows).sum(axis=1), 0))
        for split, rows in apart.items()
    }
    share = config_of(dataset).false_alarms
    one = np.zeros(len(errors["validation"]), int)
    (threshold,) = thresholds_of(errors["validation"], one, 1, share)
    anomalous = dataset.test.targets > 0
    found = detection_scores(errors["test"] / threshold, anomalous)
    area = auroc(errors["test"], anomalous)
    assert area is not None, "every set has anomalous test examples"
    return Result(name, model, seed, area, found["detection_rate"], found["false_alarm_rate"])

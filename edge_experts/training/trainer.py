"""Train a sparse expert model on a data set, and leave a run folder."""

from __future__ import annotations

import importlib.metadata
import platform
from dataclasses import replace
from pathlib import Path

import numpy as np
import tf_keras

from .. import run_folder
from ..datasets import Dataset, Split
from ..errors import UsageError
from ..features import ArrayFeatures, Features, TableFeatures, TextFeatures, encode_all
from ..folders import refuse_existing, staged
from . import activations, networks
from .config import TrainConfig
from .model import SparseExperts
from .recipes import config_for
from .stages import Stages

KEPT_EXAMPLES = {"train": 2000, "validation": 5000, "test": 10000}


def train(
    dataset: Dataset,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    name: str | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Train, evaluate and write the run folder `out`, which appears whole or not at all.

    One expert is trained alone and copied into all; then the router and all experts are trained
    as a mixture; then the router is frozen, and each expert is trained on what is routed to it,
    with the mixture, or a dense network, as its teacher. Which of these stages there are, and how
    long, is the configuration's; `config_for` knows what suits a kind of data.

    Args:
        name: what the bundle will be called; the data set's name by default.
        force: replace `out` if it exists.
    """
    config = config or config_for(dataset.kind)
    if dataset.kind != "text" and config.router_epochs and config.dense is None:
        raise UsageError(
            f"router_epochs must be 0 for a data set of kind {dataset.kind!r}: kinds of inputs are "
            f"found among texts only; config_for({dataset.kind!r}) has the settings that suit it"
        )
    out = Path(out)
    refuse_existing(out, force=force)
    tf_keras.utils.set_random_seed(config.seed)
    features = fit_features(dataset)
    data = {
        name: encode_all(features, getattr(dataset, name).inputs)
        for name in ("train", "validation", "test")
    }
    shapes = networks.Shapes(
        dataset.kind,
        {name: (array.shape[1:], str(array.dtype)) for name, array in data["train"].items()},
        len(dataset.labels),
        features.settings,
        activations.BY_NAME[config.activation],
    )
    with staged(out, force=force) as folder:
        model = build(shapes, config)
        teacher = _teacher(shapes, config)
        stages = Stages(model, teacher, config, dataset, data, folder / run_folder.LOGS)
        stages.run()
        metrics = stages.metrics()
        model.save(folder / run_folder.MODEL)
        run_folder.write_features(folder, features)
        run_folder.write_examples(folder, features, _kept(dataset, config.seed))
        run = run_folder.Run(
            name=name or dataset.name,
            task=dataset.task,
            labels=dataset.labels,
            combine=model.combine,
            top_k=model.top_k,
            experts=len(model.experts),
            origin=dataset.origin,
            feature_kind=features.kind,
            feature_settings=features.settings,
            config=config.to_json(),
            metrics=metrics,
            versions=versions(),
        )
        run.write(folder)
    return run


def fit_features(dataset: Dataset) -> Features:
    """The features for a kind of data, with what they learn from the training split."""
    train = dataset.train
    if dataset.kind == "text":
        return TextFeatures.fit(list(train.inputs), train.targets)
    if not isinstance(train.inputs, np.ndarray):
        return TableFeatures.fit(train.inputs)
    channels = not (dataset.kind == "image" and train.inputs.ndim == 3)
    return ArrayFeatures.fit(train.inputs, channels=channels)


def build(shapes: networks.Shapes, config: TrainConfig) -> SparseExperts:
    """The untrained model that a configuration describes."""
    if config.dense is not None:
        return SparseExperts(None, [_rival(shapes, config)], decay=config.decay)
    ours, count, width = networks.BY_KIND[shapes.kind], config.experts, config.width
    return SparseExperts(
        ours.router(shapes, count)
        if config.router_model is None
        else networks.users.router(config.router_model, shapes, count),
        [ours.expert(shapes, width) for _ in range(count)]
        if config.model is None
        else networks.users.experts(config.model, shapes, count, width),
        combine=config.combine,
        top_k=config.top_k,
        balance=config.balance,
        decay=config.decay,
        tie=config.tie,
    )


def _rival(shapes: networks.Shapes, config: TrainConfig) -> tf_keras.Model:
    """The dense network of an expert's size, or of all experts'."""
    ours, active, width = networks.BY_KIND[shapes.kind], config.dense == "active", config.width
    if config.model is None:
        build = ours.dense_active if active else ours.dense_all
        return build(shapes, config.experts, width)
    if active:
        return networks.users.experts(config.model, shapes, 1, width)[0]
    return networks.users.dense_all(config.model, shapes, config.experts, width)


def _teacher(shapes: networks.Shapes, config: TrainConfig) -> SparseExperts | None:
    """Our dense network as large as all experts, where the configuration asks for a teacher."""
    if not config.teacher_epochs or not config.tune_epochs or config.dense is not None:
        return None
    return build(shapes, replace(config, dense="all", model=None))


def versions() -> dict[str, str]:
    packages = ("edge-experts", "tensorflow", "tf-keras", "numpy")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def _kept(dataset: Dataset, seed: int) -> dict[str, Split]:
    """A sample of every split, so that conversion needs the run folder only."""
    random = np.random.default_rng(seed)
    kept = {}
    for name, most in KEPT_EXAMPLES.items():
        split: Split = getattr(dataset, name)
        rows = np.sort(random.permutation(len(split))[:most])
        kept[name] = Split([split.inputs[row] for row in rows], split.targets[rows])
    return kept

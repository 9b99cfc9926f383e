"""Train a sparse expert model on a data set, and leave a run folder."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import tf_keras

from .. import run_folder
from ..datasets import Dataset
from ..errors import UsageError
from ..features import ArrayFeatures, Features, TableFeatures, TextFeatures, encode_all
from ..features.text import TextSettings
from ..format.atomic import refuse_existing, staged
from . import activations, checks, distribution, networks
from .building import build
from .checkpoints import Checkpoints
from .config import TrainConfig
from .inference import predict
from .leaving import leave
from .recipes import config_of
from .report.conclusion import conclude
from .stages import Stages

_FINE_BITS = 14
_TAUGHT = ("train", "validation")  # the splits that a teacher answers


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

    `stages.py` says what is trained, and in which order; `config_of` knows what suits a kind of
    data. A training that is killed leaves OUT.checkpoints, and goes on from there when it is
    started again with the same data and settings.

    Args:
        name: what the bundle will be called; the data set's name by default.
        teacher: a run folder whose model teaches this one; without it the configuration says
            whether a dense network is trained first for that.
        force: replace `out` if it exists.
        pictures: draw what came of it, for a person; where many models are trained, too many.
    """
    config = config or config_of(dataset)
    if dataset.kind == "translation":
        from . import translation

        return translation.train(dataset, out, config, name=name, force=force)
    checks.refuse(dataset, config)
    out = Path(out)
    refuse_existing(out, force=force)
    with distribution.scope(config.distribute) as chief:
        tf_keras.utils.set_random_seed(config.seed)
        features = fit_features(dataset, fine=config.model is None)
        data = {
            name: encode_all(features, getattr(dataset, name).inputs)
            for name in ("train", "validation", "test")
        }
        checks.warn(dataset, config, features, data["train"])
        shapes = networks.Shapes(
            dataset.kind,
            {name: (array.shape[1:], str(array.dtype)) for name, array in data["train"].items()},
            len(dataset.labels),
            features.settings,
            activations.BY_NAME[config.activation],
        )
        checkpoints = Checkpoints(
            out.with_name(f"{out.name}.checkpoints{distribution.place()}"),
            {
                "config": config.to_json(),
                "data": dataset.fingerprint(),
                "teacher": teacher and asdict(run_folder.read_run(Path(teacher))),
            },
        )
        with staged(out, force=force) if chief else tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            model = build(shapes, config, data["train"])
            taught = _taught(dataset, data, shapes, config, teacher, checkpoints, folder)
            logs = folder / run_folder.LOGS
            stages = Stages(model, config, dataset, data, taught, logs, checkpoints)
            stages.run()
            metrics = stages.metrics() | conclude(
                model, dataset, features, data["validation"], config, folder, pictures=pictures
            )
            run = leave(
                folder,
                model,
                features,
                dataset,
                name=name or dataset.name,
                seed=config.seed,
                config=config.to_json(),
                metrics=metrics,
            )
    checkpoints.remove()
    return run


def fit_features(dataset: Dataset, *, fine: bool = False) -> Features:
    """The features for a kind of data, with what they learn from the training split.

    Args:
        fine: whether ids of n-grams may lie beyond their buckets, as our own networks take them; a
            user's may look them up in a table of just so many rows.
    """
    train = dataset.train
    if dataset.kind == "text":
        settings = TextSettings(fine_bits=_FINE_BITS if fine else 0)
        return TextFeatures.fit(list(train.inputs), train.targets, settings)
    if not isinstance(train.inputs, np.ndarray):
        return TableFeatures.fit(train.inputs)
    channels = not (dataset.kind == "image" and train.inputs.ndim == 3)
    return ArrayFeatures.fit(train.inputs, channels=channels)


def _taught(
    dataset: Dataset,
    data: Mapping[str, Mapping[str, np.ndarray]],
    shapes: networks.Shapes,
    config: TrainConfig,
    given: str | Path | None,
    checkpoints: Checkpoints,
    folder: Path,
) -> dict[str, np.ndarray]:
    """A teacher's logits for the training and the validation examples; empty without one."""
    if given is not None:
        return _answers_of(Path(given), dataset)
    if not config.teacher_epochs or config.dense is not None:
        return {}
    alone = teacher_config(config)
    model = build(shapes, alone, data["train"])
    logs = folder / run_folder.LOGS / "teacher"
    Stages(model, alone, dataset, data, {}, logs, checkpoints.of("teacher")).run()
    return {split: predict(model, data[split]) for split in _TAUGHT}


def _answers_of(run: Path, dataset: Dataset) -> dict[str, np.ndarray]:
    """What the model of a run folder answers, by its own features.

    Raises:
        RunFolderError: it is none.
        UsageError: it knows other labels, or another kind of data.
    """
    described = run_folder.read_run(run)
    if described.labels != dataset.labels:
        raise UsageError(
            f"teacher {run}: it knows the labels {', '.join(described.labels[:5])} ..., and not "
            f"those of {dataset.name}; train it on the same data"
        )
    features = run_folder.read_features(run, described)
    model = tf_keras.models.load_model(run / run_folder.MODEL, compile=False)
    try:
        return {
            split: predict(model, encode_all(features, getattr(dataset, split).inputs))
            for split in _TAUGHT
        }
    except (ValueError, TypeError, UsageError) as error:
        raise UsageError(
            f"teacher {run}: it does not take the inputs of {dataset.name} ({error}); train it on "
            "the same data"
        ) from None


def teacher_config(config: TrainConfig) -> TrainConfig:
    """The settings that a teacher is trained with, for any model that the configuration describes.

    Our own dense network as large as all experts: a user's may have no width.
    """
    return replace(
        config,
        dense="teacher",
        model=None,
        activation="relu",
        width=1.0,
        dense_epochs=config.teacher_epochs,
        teacher_epochs=0,
        patience=0,
    )

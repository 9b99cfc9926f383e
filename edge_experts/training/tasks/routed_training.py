"""Training loop of tasks with a router and experts that answer with one vector each."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import run_folder
from ...datasets import Dataset
from ...errors import UsageError
from ...features import encode_all
from ...format.atomic import refuse_existing, staged
from .. import checks, distribution, networks
from ..augmentation import AUGMENTED, Change, augmentation
from ..backbone import stated
from ..backbone.finishing import Finishing
from ..checkpoints import Checkpoints
from ..choosing import Trained, choose
from ..config import TrainConfig, teacher_config
from ..inference import predict
from ..leaving import leave
from ..model_builder import build
from ..model_files import load_model
from ..objectives.routed_task import RoutedTask
from ..randomness import reseed
from ..report.conclusion import conclude
from ..second_split import EncodedExamples
from ..stages import Stages
from .network_inputs import Splits, encoded_by, network_inputs

_TAUGHT = ("train", "validation")  # splits with outputs of a teacher
_SHOWN_LABELS = 5


@dataclass(frozen=True)
class RoutedTraining:
    """One training of a routed task.

    Attributes:
        task: task, fitted to the data's training split.
        read_teacher: converts outputs of a finished run's model to those of this training's.
        given: the data set as it was loaded, if that to train on has other targets; its rows are
            recorded as trained.
    """

    task: RoutedTask
    read_teacher: Callable[[run_folder.Run, np.ndarray], np.ndarray]
    given: Dataset | None = None

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
    ) -> run_folder.Run:
        """Train, evaluate and write the run folder; `stages.py` has the stages."""
        checks.refuse(dataset, config)
        refuse_existing(out, force=force)
        backbone = stated.read(config, dataset)
        if config.augment:
            print(f"{dataset.name}: {AUGMENTED[dataset.kind]}.", file=sys.stderr)
        task = self.task
        with distribution.scope(config.distribute) as chief:
            features, encoded = encoded_by(task, dataset, config, backbone)
            checks.warn(task, dataset, config, features, encoded["train"])
            inputs = network_inputs(task, dataset, config, backbone, features, encoded)
            inputs.refuse_unusable(config)
            # What is trained on: the inputs, or a backbone's features of them.
            source, data, shapes, trunk = inputs.dataset, inputs.data, inputs.shapes, inputs.trunk
            classes, train = task.classes(source.train.targets), data["train"]
            change = None
            if config.augment:
                change = augmentation(dataset, features, encoded["train"]["x"])
            # Features of a backbone are of changed inputs already.
            augment = change if trunk is None else None
            checkpoints = Checkpoints(
                out.with_name(f"{out.name}.checkpoints{distribution.place()}"),
                {
                    "config": config.to_json(),
                    "data": dataset.fingerprint(),
                    "teacher": teacher and asdict(run_folder.read_run(teacher)),
                    "networks": networks.user_networks.source_of(config.model, config.router_model),
                    **({} if trunk is None else {"backbone": trunk.to_json()}),
                },
            )
            with staged(out, force=force) if chief else tempfile.TemporaryDirectory() as place:
                folder = Path(place)
                taught = self._taught(
                    dataset, source, data, shapes, config, teacher, checkpoints, folder, augment
                )

                examples = EncodedExamples(source, data, taught)

                def trained(config: TrainConfig, part: str, again: bool = False) -> Trained:
                    # Each candidate starts as if it were the only one.
                    reseed(config.seed)
                    model = build(shapes, config, train)
                    logs = folder / run_folder.LOGS / part
                    own = checkpoints.of(part) if part else checkpoints
                    split = examples.split_again(classes, config.seed + 1) if again else examples
                    # A dense network is trained with a given teacher only, not with the default
                    # one.
                    learned = {} if config.dense is not None and teacher is None else split.taught
                    stages = Stages(
                        model, config, task, split.dataset, split.data, learned, logs, own, augment
                    )
                    stages.run()
                    validation = split.dataset.validation
                    outputs = predict(model, split.data["validation"])
                    points = task.points(outputs, validation.targets)
                    if validation.groups is not None:  # sorts examples by group
                        points = points[np.argsort(validation.groups, kind="stable")]
                    return Trained(config, model, stages, points)

                choice = choose(config, len(dataset.train), trained)
                chosen = choice.chosen
                model, judged, replaced = chosen.model, (chosen.model, data), dict[str, Any]()
                if trunk is not None:
                    logs = folder / run_folder.LOGS / "fine-tuning"
                    finishing = Finishing(trunk, task, dataset, encoded, logs, checkpoints, change)
                    model, replaced = finishing.model(chosen.model, chosen.config)
                    judged = (model, encoded) if config.fine_tune else judged
                task = task.fitted(*judged, dataset)
                found = conclude(
                    judged[0],
                    task,
                    dataset,
                    features,
                    judged[1]["validation"],
                    chosen.config,
                    folder,
                    pictures=pictures,
                )
                if text := choice.as_text(task.primary_words):
                    print(text, file=sys.stderr)
                run = leave(
                    folder,
                    model,
                    features,
                    dataset,
                    name=name or dataset.name,
                    seed=config.seed,
                    config=chosen.config.to_json(),
                    metrics=chosen.stages.metrics(task) | found | choice.to_json() | replaced,
                    task_spec=task.task_spec,
                    given=self.given,
                )
        checkpoints.remove()
        return run

    def refuse_unusable(self, dataset: Dataset, config: TrainConfig) -> None:
        """Try custom networks, untrained, and build those of all dense baselines; as `train` does.

        Raises:
            UsageError: one would fail later.
        """
        backbone = stated.read(config, dataset)
        features, encoded = encoded_by(self.task, dataset, config, backbone)
        inputs = network_inputs(self.task, dataset, config, backbone, features, encoded)
        inputs.refuse_unusable(config)
        for dense in ("active", "all"):
            build(inputs.shapes, replace(config, dense=dense), inputs.data["train"])

    def _taught(
        self,
        dataset: Dataset,
        source: Dataset,
        data: Splits,
        shapes: networks.Shapes,
        config: TrainConfig,
        given: Path | None,
        checkpoints: Checkpoints,
        folder: Path,
        augment: Change | None,
    ) -> dict[str, np.ndarray]:
        """A teacher's outputs for the training and validation examples; empty without one.

        Args:
            source: the data set, with changed copies of its photos where features are trained on.
        """
        if given is not None:
            answers = self._answers_of(given, dataset)
            times = len(source.train) // len(dataset.train)
            return {**answers, "train": np.concatenate([answers["train"]] * times)}
        if not config.teacher_epochs or config.dense is not None:
            return {}
        alone = teacher_config(config)
        model = build(shapes, alone, data["train"])
        logs = folder / run_folder.LOGS / "teacher"
        own = checkpoints.of("teacher")
        Stages(model, alone, self.task, source, data, {}, logs, own, augment).run()
        return {split: predict(model, data[split]) for split in _TAUGHT}

    def _answers_of(self, run: Path, dataset: Dataset) -> dict[str, np.ndarray]:
        """Outputs of a run folder's model, with its own features.

        Raises:
            RunFolderError: the folder is not a finished run.
            UsageError: the run has other labels, another task, or another kind of data.
        """
        described = run_folder.read_run(run)
        if described.task_type != dataset.task_type:
            raise UsageError(
                f"teacher {run}: it was trained for {described.task_type}, and {dataset.name} is "
                f"for {dataset.task_type}; train it on the same data"
            )
        if described.labels != dataset.labels:
            raise UsageError(
                f"teacher {run}: its labels ({_first(described.labels)}) differ from those of "
                f"{dataset.name} ({_first(dataset.labels)}); train it on the same data"
            )
        features = run_folder.read_features(run, described)
        model = load_model(run / run_folder.MODEL)
        try:
            outputs: dict[str, Any] = {
                split: predict(model, encode_all(features, getattr(dataset, split).inputs))
                for split in _TAUGHT
            }
        except (ValueError, TypeError, UsageError) as error:
            raise UsageError(
                f"teacher {run}: it does not take the inputs of {dataset.name} ({error}); train it "
                "on the same data"
            ) from None
        return {split: self.read_teacher(described, each) for split, each in outputs.items()}


def _first(labels: Sequence[str]) -> str:
    more = ", ..." if len(labels) > _SHOWN_LABELS else ""
    return ", ".join(labels[:_SHOWN_LABELS]) + more

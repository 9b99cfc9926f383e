"""Train a sparse expert model on a data set, and leave a run folder."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import tf_keras

from .. import run_folder
from ..datasets import Dataset, Split
from ..errors import UsageError
from ..features import TextFeatures, encode_all
from ..folders import refuse_existing, staged
from ..progress import Progress
from . import cost, networks
from .losses import Distillation
from .model import SparseExperts
from .partition import text_kinds
from .reporting import Report, expert_usage
from .selection import KINDS as SELECTIONS
from .selection import ExpertSelection, copy_parameters

ROUTERS = ("learned",)
DENSE = ("active", "all")
_KEPT_EXAMPLES = {"train": 2000, "validation": 5000, "test": 10000}


@dataclass(frozen=True)
class TrainConfig:
    """All that training can be told; `--config` reads these names from a TOML file.

    Raises:
        UsageError: a value that cannot be used.
    """

    experts: int = 4
    router: str = "learned"
    select: str = "none"
    select_epochs: int = 2  # how many epochs of the mixture end with a selection
    dense: str | None = None  # "active" or "all": instead of experts, the dense rival
    combine: str = "top"
    top_k: int = 1
    epochs: int = 8  # of the mixture
    warm_epochs: int = 6  # before it: one expert alone, whose parameters all experts start from
    router_epochs: int = 5  # before the mixture: the router learns kinds of inputs
    freeze_router: bool = False
    tune_epochs: int = 3  # after it: each expert on the inputs routed to it
    patience: int = 2  # epochs without a better validation accuracy before a stage ends
    batch_size: int = 256
    learning_rate: float = 0.03
    balance: float = 0.05
    tie: float = 3e-5  # weight of the squared distance of experts from their mean
    distillation: float = 0.7  # the teacher's share while experts are tuned
    perturb: float = 0.1  # noise on copies of an expert, in standard deviations
    seed: int = 0
    model: str | None = None

    def __post_init__(self) -> None:
        choices = {"router": ROUTERS, "select": SELECTIONS, "combine": ("top", "sum")}
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if self.dense not in (None, *DENSE):
            raise UsageError(f"dense must be one of {DENSE}, got {self.dense!r}")
        least = {"experts": 1, "top_k": 1, "epochs": 1, "batch_size": 1}
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, int | float) and value < least.get(field.name, 0):
                raise UsageError(
                    f"{field.name} must be at least {least.get(field.name, 0)}, got {value}"
                )
        if self.top_k > self.experts:
            raise UsageError(f"top_k must be at most {self.experts} (experts), got {self.top_k}")


Arrays = Mapping[str, np.ndarray]


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
    with the mixture as its teacher.

    Args:
        name: what the bundle will be called; the data set's name by default.
        force: replace `out` if it exists.
    """
    config = config or TrainConfig()
    out = Path(out)
    refuse_existing(out, force=force)
    tf_keras.utils.set_random_seed(config.seed)
    features = TextFeatures.fit(list(dataset.train.inputs), dataset.train.targets)
    data = {
        name: encode_all(features, getattr(dataset, name).inputs)
        for name in ("train", "validation", "test")
    }
    shapes = networks.Shapes(
        {name: (array.shape[1:], str(array.dtype)) for name, array in data["train"].items()},
        len(dataset.labels),
        features.settings,
    )
    with staged(out, force=force) as folder:
        model = build(shapes, config)
        trainer = _Trainer(model, config, dataset, data, folder / run_folder.LOGS)
        trainer.run()
        metrics = trainer.metrics()
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
            config=asdict(config),
            metrics=metrics,
            versions=versions(),
        )
        run.write(folder)
    return run


def build(shapes: networks.Shapes, config: TrainConfig) -> SparseExperts:
    """The untrained model that a configuration describes."""
    if config.dense is not None:
        width = config.experts if config.dense == "all" else 1
        return SparseExperts(None, [networks.text_expert(shapes, width)])
    make = networks.users_builder(config.model) if config.model else networks.text_expert
    return SparseExperts(
        networks.text_router(shapes, config.experts),
        [make(shapes) for _ in range(config.experts)],
        combine=config.combine,
        top_k=config.top_k,
        balance=config.balance,
        tie=config.tie,
    )


class _Trainer:
    """The stages of one training."""

    def __init__(
        self,
        model: SparseExperts,
        config: TrainConfig,
        dataset: Dataset,
        data: Mapping[str, Arrays],
        logs: Path,
    ):
        self.model, self.config, self.logs = model, config, logs
        self.data = data
        self.targets = {name: getattr(dataset, name).targets for name in data}
        self.random = np.random.default_rng(config.seed)
        self.history: dict[str, dict[str, list[float]]] = {}

    def run(self) -> None:
        config, experts = self.config, self.model.experts
        if len(experts) == 1:
            self._fit(self.model, "One expert", config.warm_epochs + config.epochs)
            return
        if config.warm_epochs and self.model.router is not None:
            self._fit(SparseExperts(None, experts[:1]), "One expert", config.warm_epochs)
            copy_parameters(experts[0], experts[1:], config.perturb, self.random)
        if self.model.router is not None and config.router_epochs:
            self._start_router(self.model.router)
        self._fit(self.model, "Router and experts", config.epochs, *self._selection())
        if self.model.router is not None and config.tune_epochs:
            self._tune()

    def metrics(self) -> dict[str, Any]:
        router = self.model.router
        parts = {"router": 0 if router is None else cost.macs(router)}
        parts["expert"] = cost.macs(self.model.experts[0])
        parts["active"] = parts["router"] + self.model.top_k * parts["expert"]
        return {
            "validation_accuracy": self._accuracy("validation"),
            "test_accuracy": self._accuracy("test"),
            "expert_usage": expert_usage(self.model, self.data["validation"]),
            "macs": parts,
            "parameters": int(self.model.count_params()),
            "history": self.history,
        }

    def _fit(
        self, model: tf_keras.Model, what: str, epochs: int, *more: tf_keras.callbacks.Callback
    ) -> None:
        inputs, targets = self.data["train"], self.targets["train"]
        steps = max(1, -(-len(targets) // self.config.batch_size)) * epochs
        model.compile(
            _optimizer(self.config.learning_rate, steps),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=[
                "accuracy",
                # The loss alone, without the penalties that Keras adds to what it calls loss.
                tf_keras.metrics.SparseCategoricalCrossentropy(
                    name="cross_entropy", from_logits=True
                ),
            ],
        )
        validation = self.data["validation"]
        stopping = tf_keras.callbacks.EarlyStopping(
            __import__("os").environ.get("MON","val_cross_entropy"), patience=self.config.patience, restore_best_weights=True
        )
        board = tf_keras.callbacks.TensorBoard(
            str(self.logs / what.lower().replace(" ", "_")), write_graph=False, profile_batch=0
        )
        made = model.fit(
            inputs,
            targets,
            batch_size=self.config.batch_size,
            epochs=epochs,
            verbose=0,
            validation_data=(validation, self.targets["validation"]),
            callbacks=[*more, Report(what, epochs, validation), board, stopping],
        )
        self.history[what] = {
            key: [round(float(value), 5) for value in values]
            for key, values in made.history.items()
        }

    def _start_router(self, router: tf_keras.Model) -> None:
        """Teach the router kinds of inputs found without labels, before experts exist."""
        config, data = self.config, self.data["train"]
        kinds = text_kinds(data["ids"], data["weights"], config.experts, config.seed)
        steps = -(-len(kinds) // config.batch_size) * config.router_epochs
        student = tf_keras.Model(router.inputs, router.outputs)
        student.compile(
            _optimizer(config.learning_rate, steps),
            tf_keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            metrics=["accuracy"],
        )
        student.fit(
            data,
            kinds,
            batch_size=config.batch_size,
            epochs=config.router_epochs,
            verbose=0,
            callbacks=[Report("Router on kinds of inputs", config.router_epochs, None)],
        )
        router.trainable = not config.freeze_router

    def _selection(self) -> list[ExpertSelection]:
        config = self.config
        if config.select == "none":
            return []
        return [
            ExpertSelection(
                config.select,
                self.data["validation"],
                self.targets["validation"],
                epochs=config.select_epochs,
                perturb=config.perturb,
                seed=config.seed,
            )
        ]

    def _tune(self) -> None:
        """Train each expert on what the frozen router sends to it, the mixture as its teacher."""
        config, model = self.config, self.model
        packed = {
            split: np.column_stack(
                [self.targets[split], model.predict(self.data[split], batch_size=1024, verbose=0)]
            ).astype(np.float32)
            for split in ("train", "validation")
        }
        owners = {split: model.route(self.data[split]) for split in packed}
        with Progress("Experts on their own inputs", len(model.experts)) as progress:
            for index, expert in enumerate(model.experts):
                rows = {split: np.flatnonzero(owners[split] == index) for split in packed}
                parts = {split: _take(self.data[split], rows[split]) for split in packed}
                if len(rows["train"]) < config.batch_size or not len(rows["validation"]):
                    progress.step(f"expert {index}: too few inputs, left as it is")
                    continue
                steps = -(-len(rows["train"]) // config.batch_size) * config.tune_epochs
                # The same layers in another model, so that what is saved does not need our loss.
                student = tf_keras.Model(expert.inputs, expert.outputs)
                student.compile(
                    _optimizer(config.learning_rate / 3, steps), Distillation(config.distillation)
                )
                validation = (parts["validation"], packed["validation"][rows["validation"]])
                before = (expert.get_weights(), student.evaluate(*validation, verbose=0))
                student.fit(
                    parts["train"],
                    packed["train"][rows["train"]],
                    verbose=0,
                    batch_size=config.batch_size,
                    epochs=config.tune_epochs,
                )
                after = student.evaluate(*validation, verbose=0)
                if after > before[1]:
                    expert.set_weights(before[0])
                kept = "kept" if after <= before[1] else "not better, left as it was"
                progress.step(f"expert {index}: loss {before[1]:.4f} to {after:.4f}, {kept}")

    def _accuracy(self, split: str) -> float:
        answers = self.model.predict(self.data[split], batch_size=1024, verbose=0)
        return round(float(np.mean(answers.argmax(axis=1) == self.targets[split])), 5)


def _optimizer(learning_rate: float, steps: int) -> tf_keras.optimizers.Optimizer:
    return tf_keras.optimizers.Adam(tf_keras.optimizers.schedules.CosineDecay(learning_rate, steps))


def _take(arrays: Arrays, rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: array[rows] for name, array in arrays.items()}


def versions() -> dict[str, str]:
    packages = ("edge-experts", "tensorflow", "tf-keras", "numpy")
    return {
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in packages},
    }


def _kept(dataset: Dataset, seed: int) -> dict[str, run_folder.Examples]:
    """A sample of every split, so that conversion needs the run folder only."""
    random = np.random.default_rng(seed)
    kept = {}
    for name, most in _KEPT_EXAMPLES.items():
        split: Split = getattr(dataset, name)
        rows = np.sort(random.permutation(len(split))[:most])
        kept[name] = run_folder.Examples([split.inputs[row] for row in rows], split.targets[rows])
    return kept

"""Stages of a training: one expert, the router, both jointly, each expert on its inputs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras

from ..datasets import Dataset
from . import batches, cost
from .augmentation import Change
from .checkpoints import Checkpoints
from .config import TrainConfig
from .expert_batching import bank_of
from .fitting import Fit
from .inference import predict
from .learner import Learner, Objective
from .model import SparseExperts, asked, gate_of
from .objectives.losses import AnswerLoss
from .objectives.outputs import COMBINATIONS
from .objectives.routed_task import RoutedTask
from .report.reporting import Report, expert_usage
from .routers import hashing, partition
from .routers.selection import ExpertSelection, copy_parameters

Arrays = Mapping[str, np.ndarray]
_WIDE = ("all", "teacher")  # dense networks with a separate learning rate
_ROUTER_EPOCHS = 10  # default for a router that is trained on given groups
_TUNED_AT_ONCE = 32  # examples of a batch when a backbone is fine-tuned
_TUNING = 1 / 3  # factor on the learning rate for experts after joint training


class Stages:
    """The stages of one training.

    Args:
        task: objective, and targets in the form for networks.
        teacher: outputs of a dense network for the training and the validation examples,
            (examples, labels or outputs) by split; empty without one.
        logs: folder of TensorBoard's files.
        augment: changes the inputs of a batch; None: unchanged.
    """

    def __init__(
        self,
        model: SparseExperts,
        config: TrainConfig,
        task: RoutedTask,
        dataset: Dataset,
        data: Mapping[str, Arrays],
        teacher: Mapping[str, np.ndarray],
        logs: Path,
        checkpoints: Checkpoints,
        augment: Change | None = None,
    ):
        self.model, self.config, self.data, self.teacher = model, config, data, teacher
        self.task, self.augment = task, augment
        self.logs, self.checkpoints = logs, checkpoints
        self.wanted = {name: getattr(dataset, name).targets for name in data}
        self.batch_size = batches.batch_size(len(self.wanted["train"]), config.batch_size)
        self.history: dict[str, dict[str, list[float]]] = {}
        self.seconds: dict[str, float] = {}  # duration of each stage

    def run(self) -> None:
        """Run all stages of the configuration in turn; finished ones are restored."""
        for stage in self._plan():
            name, seed = stage.__name__.strip("_").replace("_", " "), self.config.seed
            self.seconds[name] = self.checkpoints.stage(name, self.model, seed, stage, self.history)

    def _plan(self) -> list[Callable[[], None]]:
        config = self.config
        if len(self.model.experts) == 1:
            return [self._dense]
        if self.model.router is None:
            return [self._sum]
        plan = {
            self._router: config.router in partition.KINDS
            or (config.learned and config.router_epochs),
            self._one_expert: config.warm_epochs,
            self._mixture: config.learned and config.epochs,
            self._choice: config.learned and config.choice_epochs,
            self._own_inputs: config.own_epochs,
        }
        return [stage for stage, epochs in plan.items() if epochs]

    def metrics(self, task: RoutedTask) -> dict[str, Any]:
        """Metrics for run.json; the scores are those of the task, fitted to the trained model."""
        return {
            **self._scores(task, "validation"),
            **self._scores(task, "test"),
            "expert_usage": expert_usage(self.model, self.data["validation"]),
            "macs": cost.active(self.model),
            "parameters": int(self.model.count_params()),
            "history": self.history,
            "seconds": self.seconds,
        }

    def _dense(self) -> None:
        config = self.config
        rate = config.wide_learning_rate if config.dense in _WIDE else config.learning_rate
        name = "teacher" if config.dense == "teacher" else "dense"
        self._fit(name, config.all_epochs, rate, objective={"decay": config.decay})

    def _sum(self) -> None:
        config = self.config
        rate = config.mixture_learning_rate
        self._fit("sum", config.all_epochs, rate, callbacks=self._selection())

    def _one_expert(self) -> None:
        """Train one expert alone; all start from its parameters."""
        config, experts = self.config, self.model.experts
        self._fit(
            "one expert",
            config.warm_epochs,
            config.learning_rate,
            model=SparseExperts(None, experts[:1], output_kind=self.model.output_kind),
            data={name: self.model.expert_inputs(arrays) for name, arrays in self.data.items()},
            objective={"decay": config.decay},
        )
        random = np.random.default_rng(config.seed)
        copy_parameters(experts[0], experts[1:], config.perturb, random)

    def _router(self) -> None:
        """Train the router alone, on groups of inputs that are found before experts exist."""
        config, router = self.config, self.model.router
        kinds = partition.kinds(config, router, self.data, self.wanted, self.teacher)
        self._fit(
            "router",
            config.router_epochs or _ROUTER_EPOCHS,
            config.learning_rate,
            model=SparseExperts(None, [gate_of(router)]),
            targets={split: kind[:, None].astype(np.float32) for split, kind in kinds.items()},
            answers=AnswerLoss(),
        )

    def _mixture(self) -> None:
        """Train router and experts by the likelihood of the mixture."""
        config = self.config
        self._fit(
            "mixture",
            config.epochs,
            config.mixture_learning_rate,
            objective={"balance": config.balance, "decay": config.decay, "tie": config.tie},
            callbacks=self._selection(),
        )

    def _choice(self) -> None:
        """Train router and experts by the expected loss, while the gate becomes a hard choice."""
        config = self.config
        self._fit(
            "choice",
            config.choice_epochs,
            config.mixture_learning_rate,
            objective={
                "kind": "expectation",
                "balance": config.balance,
                "gate_temperature": (1.0, config.gate_temperature),
                "decay": config.decay,
                "tie": config.tie,
            },
        )

    def _own_inputs(self) -> None:
        """Train each expert on the inputs that are routed to it.

        The router is frozen; an expert that gets worse on its own validation examples is restored.
        Only the trunk of a router without other training is trained, for all experts.
        """
        config, model = self.config, self.model
        owners = {split: model.route(self.data[split]) for split in ("train", "validation")}
        targets = self._targets(self.teacher or (self._mixed() if config.learned else {}))
        trunk = config.router in hashing.KINDS
        before = self._own_losses(targets["validation"], owners["validation"])
        kept = [expert.get_weights() for expert in model.experts]
        self._fit(
            "own inputs",
            config.own_epochs,
            config.learning_rate * (_TUNING if config.learned else 1),
            targets=targets,
            objective={"kind": "own"},
            owners=owners["train"],
            # From scratch, as many steps as for a dense network.
            batch_size=None
            if config.learned
            else batches.shared_out(self.batch_size, len(model.experts)),
            trains_router=trunk,
        )
        after = self._own_losses(targets["validation"], owners["validation"])
        for expert, weights, worse in zip(model.experts, kept, after > before, strict=True):
            if worse and not trunk:
                expert.set_weights(weights)

    def fine_tune(self) -> None:
        """Train a backbone together with its gate and experts, at a low rate."""
        name, seed = "fine tuning", self.config.seed
        work = self._fine_tuning
        self.seconds[name] = self.checkpoints.stage(name, self.model, seed, work, self.history)

    def _fine_tuning(self) -> None:
        config = self.config
        self._fit(
            "fine tuning",
            config.fine_tune,
            config.fine_tune_learning_rate,
            objective={
                "kind": "expectation",
                "balance": config.balance,
                "gate_temperature": (config.gate_temperature, config.gate_temperature),
            },
            batch_size=min(self.batch_size, _TUNED_AT_ONCE),
        )

    def _fit(
        self,
        what: str,
        epochs: int,
        learning_rate: float,
        *,
        objective: Mapping[str, Any] | None = None,
        answers: Any = None,
        model: SparseExperts | None = None,
        data: Mapping[str, Arrays] | None = None,
        targets: Mapping[str, np.ndarray] | None = None,
        owners: np.ndarray | None = None,
        batch_size: int | None = None,
        trains_router: bool = True,
        callbacks: Sequence[tf_keras.callbacks.Callback] = (),
    ) -> None:
        """Train a model, by default that of these stages on their data and targets."""
        config, model, data = self.config, model or self.model, data or self.data
        targets = targets or self._targets(self.teacher)
        answers = answers or self._answers()
        drawn = batches.draw(
            data["train"],
            targets["train"],
            batch_size or self.batch_size,
            epochs,
            seed=config.seed,
            owners=owners,
            experts=len(model.experts),
        )
        steps = epochs * drawn.steps
        goal = Objective(answers, steps=steps, augment=self.augment, **(objective or {}))
        learner = Learner(model, goal, trains_router=trains_router)
        name = what.replace(" ", "-")
        fit = Fit(
            epochs=epochs,
            learning_rate=learning_rate,
            weight_decay=config.weight_decay,
            averaging=config.averaging,
            patience=config.patience,
            logs=self.logs / name,
            backup=self.checkpoints.epochs_of(name),
        )
        score, patience = learner.answers.best, config.patience
        report = Report(what, epochs, model, data["validation"], score=score, patience=patience)
        validation = (dict(data["validation"]), targets["validation"])
        self.history[what] = fit.run(learner, drawn, validation, [*callbacks, report])
        learner.finish(model)

    def _answers(self, share: float | None = None) -> Any:
        share = self.config.distillation if share is None else share
        return self.task.answers(share, self.config.distillation_temperature)

    def _targets(self, teacher: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Targets, followed by the teacher's outputs for the splits that have them."""
        packed = {}
        for split in ("train", "validation"):
            own = self.task.network_targets(self.wanted[split])
            parts = [own, teacher[split]] if split in teacher else [own]
            packed[split] = np.concatenate(parts, axis=1).astype(np.float32)
        return packed

    def _selection(self) -> list[tf_keras.callbacks.Callback]:
        if self.config.select == "none":
            return []
        data = self.data["validation"]
        targets = self.task.network_targets(self.wanted["validation"]).astype(np.float32)
        answers = self._answers(share=0.0)
        return [ExpertSelection(self.config, self.model, data, targets, answers)]

    def _each(self, split: str) -> tuple[np.ndarray, np.ndarray]:
        """The gate's log-probabilities, (examples, experts), and every expert's logits."""
        bank = bank_of(self.model.experts)
        router = self.model.router

        def answers(inputs: Arrays, training: bool) -> tuple[tf.Tensor, tf.Tensor]:
            gate, inputs = asked(router, inputs)
            return tf.nn.log_softmax(gate), tf.transpose(bank(inputs), (1, 0, 2))

        gate, logits = predict(answers, self.data[split])
        return gate, logits

    def _mixed(self) -> dict[str, np.ndarray]:
        """Outputs of the mixture of all experts, a teacher too expensive for a device."""
        return {
            split: COMBINATIONS[self.model.output_kind]
            .mixture(gate, np.swapaxes(logits, 0, 1))
            .numpy()
            for split in ("train", "validation")
            for gate, logits in [self._each(split)]
        }

    def _own_losses(self, targets: np.ndarray, owners: np.ndarray) -> np.ndarray:
        """Mean loss of each expert on the validation examples that are routed to it."""
        _, logits = self._each("validation")
        mine = logits[np.arange(len(owners)), owners]
        losses = self._answers().of(mine, targets).numpy()
        totals = np.bincount(owners, losses, len(self.model.experts))
        return totals / np.maximum(np.bincount(owners, minlength=len(totals)), 1)

    def _scores(self, task: RoutedTask, split: str) -> dict[str, Any]:
        outputs = predict(self.model, self.data[split])
        scores = task.scores(outputs, self.wanted[split])
        return {f"{split}_{name}": value for name, value in scores.items()}

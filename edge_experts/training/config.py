"""Settings of a training."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from types import NoneType
from typing import Any

from ..errors import UsageError
from ..format.manifest import COMBINE
from .language_settings import LanguageSettings

ACTIVATIONS = ("relu", "sparse_step")
SELECTIONS = ("greedy", "random", "none")
ROUTERS = ("learned", "kmeans", "clusters", "hash", "random")
SELECT_INTO = ("all", "weakest", "unused")
BACKBONE_INPUTS = ("unchanged", "0..1", "-1..1", "standardized")
DENSE = ("active", "all", "buckets", "one", "teacher")
STRATEGIES = ("none", "mirrored", "workers")

Builder = Callable[..., Any]
Trial = Callable[..., None]


@dataclass(frozen=True)
class TrainConfig:
    """Settings of a training; `--config` reads these names from a TOML file.

    Raises:
        UsageError: a value is invalid.
    """

    experts: int = 4  # number of experts
    activation: str = "relu"  # of experts' hidden layers; "relu" or "sparse_step"
    width: float = 1.0  # factor on the units or filters of an expert's hidden layers
    router: str = "learned"  # or "kmeans", "clusters", "hash", "random"
    trunk: bool = False  # experts use the router's hidden layer
    select: str = "none"  # expert that is copied: "greedy" the best one, "random" any
    select_epochs: int = 2  # number of mixture epochs that end with a selection
    select_into: str = "all"  # experts that get the parameters of the selected one
    perturb: float = 0.1  # noise on copies of an expert, in standard deviations
    # A dense baseline instead of experts: of active size ("active"), of the size of all experts
    # ("all", or for texts "buckets"), or one expert with the router's trunk ("one"); or a
    # "teacher".
    dense: str | None = None
    combine: str = "top"  # or "sum": all experts, without a router
    top_k: int = 1  # experts that run for one input
    teacher_epochs: int = 0  # of a dense teacher; 0: no teacher
    warm_epochs: int = 10  # of one expert alone; all experts start from its parameters
    router_epochs: int = 5  # of the router alone, on groups of inputs
    epochs: int = 6  # of router and experts, with the likelihood of the mixture
    choice_epochs: int = 0  # of both, while the gate becomes a hard choice
    tune_epochs: int = 3  # of each expert, on the inputs routed to it
    dense_epochs: int = 0  # of a dense baseline; 0: as many as an expert has in all
    patience: int = 4  # epochs without a better validation score before a stage ends; 0: unlimited
    batch_size: int = 256  # largest batch; a fiftieth of a small data set
    learning_rate: float = 0.05  # of one expert or the router, trained alone
    wide_learning_rate: float = 0.003  # of the dense baseline of all experts; higher rates overfit
    mixture_learning_rate: float = 0.01  # in joint training
    weight_decay: float = 0.0  # of every weight, times the learning rate
    averaging: bool = True  # of the weights over the last steps
    balance: float = 0.05  # weight of the loss against unequal use of the experts
    gate_temperature: float = 0.2  # at the end of the choice epochs; 1 before them
    decay: float = 3e-5  # weight of the squared mean of the experts' parameters
    tie: float = 5e-5  # weight of the squared distance of experts from that mean
    # Number of tokens of the vocabulary, beside those of a batch, in the loss of translators; 0:
    # all.
    drawn_pieces: int = 0
    distillation: float = 0.7  # share of the teacher in the loss
    distillation_temperature: float = 2.0  # the teacher's logits are divided by it
    distribute: str = "none"  # or "mirrored", "workers": the tf.distribute strategy
    seed: int = 0  # of splits, weights and batches
    # Network of an expert, as "module:function"; see networks/user_networks.py.
    model: str | Builder | None = None
    router_model: str | Builder | None = None  # of the router, likewise
    # If above 0, validation examples choose among one network, `experts` and this number.
    most_experts: int = 0
    # Sizes of a language model, and settings of its training.
    language_model: LanguageSettings = field(default_factory=LanguageSettings)
    measure_gain: bool = False  # also train one network, to measure the gain of experts over it
    augment: bool = False  # train on changed copies of photos; see augmentation.py
    backbone: str | None = None  # file of a Keras network whose features experts use
    backbone_layer: str | None = None  # layer that gives the features; None: before the classifier
    backbone_input: str | None = None  # scale of its inputs; None: it scales them itself
    fine_tune: int = 0  # epochs of backbone, gate and experts together, at the end
    fine_tune_learning_rate: float = 1e-4  # of these epochs
    # Tries the conversion of custom networks before they are trained; see network_checks.py.
    trial: Trial | None = None
    # Share of normal examples that may be answered as anomalous, for anomaly detection.
    false_alarms: float = 0.01

    @property
    def learned(self) -> bool:
        """True if the router learns which expert is best, False if it learns given groups."""
        return self.router == "learned"

    @property
    def own_epochs(self) -> int:
        """Epochs of each expert on its own inputs; all epochs, if the router is trained before."""
        return self.tune_epochs + (0 if self.learned else self.epochs + self.choice_epochs)

    @property
    def all_epochs(self) -> int:
        """Epochs of a dense baseline."""
        return self.dense_epochs or (
            self.warm_epochs + self.epochs + self.choice_epochs + self.tune_epochs
        )

    def __post_init__(self) -> None:
        kinds: dict[str, Any] = {
            "int": int,
            "bool": bool,
            "float": (int, float),
            "str": str,
            "str | None": (str, NoneType),
            "str | Builder | None": (str, NoneType, Callable),
            "Trial | None": (NoneType, Callable),
            "LanguageSettings": LanguageSettings,
        }
        if isinstance(self.language_model, dict):  # a table of a TOML file
            object.__setattr__(self, "language_model", _language_settings(self.language_model))
        for one in fields(self):
            value = getattr(self, one.name)
            if not isinstance(value, kinds[str(one.type)]) or (
                isinstance(value, bool) and one.type != "bool"
            ):
                raise UsageError(f"{one.name} must be of type {one.type}, got {value!r}")
        choices: dict[str, tuple[str, ...]] = {
            "router": ROUTERS,
            "select": SELECTIONS,
            "select_into": SELECT_INTO,
            "distribute": STRATEGIES,
            "combine": COMBINE,
            "activation": ACTIVATIONS,
        }
        for name, allowed in choices.items():
            if getattr(self, name) not in allowed:
                raise UsageError(f"{name} must be one of {allowed}, got {getattr(self, name)!r}")
        if self.dense not in (None, *DENSE):
            raise UsageError(f"dense must be one of {DENSE}, got {self.dense!r}")
        if self.backbone_input not in (None, *BACKBONE_INPUTS):
            raise UsageError(
                f"backbone_input must be one of {BACKBONE_INPUTS}, got {self.backbone_input!r}"
            )
        self._refuse_without_backbone()
        least = {"experts": 1, "top_k": 1, "epochs": 1, "batch_size": 1}
        for one in fields(self):
            value = getattr(self, one.name)
            if isinstance(value, int | float) and value < least.get(one.name, 0):
                raise UsageError(
                    f"{one.name} must be at least {least.get(one.name, 0)}, got {value}"
                )
        if self.width <= 0:
            raise UsageError(f"width must be more than 0, got {self.width}")
        if self.top_k > self.experts:
            raise UsageError(f"top_k must be at most {self.experts} (experts), got {self.top_k}")

    def _refuse_without_backbone(self) -> None:
        if self.backbone is not None:
            if self.combine != "top":
                raise UsageError("a backbone is for experts that are routed: combine must be 'top'")
            return
        for name in ("backbone_layer", "backbone_input", "fine_tune"):
            if getattr(self, name):
                raise UsageError(f"{name} is for a backbone: state `backbone` too, or remove it")

    def to_json(self) -> dict[str, Any]:
        """Settings that change the result, as JSON; functions by name."""

        def plain(value: Any) -> Any:
            return f"{value.__module__}:{value.__qualname__}" if callable(value) else value

        return {name: plain(value) for name, value in asdict(self).items() if name != "trial"}


def teacher_config(config: TrainConfig) -> TrainConfig:
    """Settings of the teacher, for any model of the configuration.

    The teacher is the default dense network of all experts' size, since a custom network may have
    no width.
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


def _language_settings(table: dict[str, Any]) -> LanguageSettings:
    known = [one.name for one in fields(LanguageSettings)]
    unknown = sorted(set(table) - set(known))
    if unknown:
        raise UsageError(
            f"language_model has no setting {', '.join(unknown)}; it has {', '.join(known)}"
        )
    return LanguageSettings(**table)

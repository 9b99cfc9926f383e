"""Which settings suit which kind of data; what the user sets wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..datasets import Dataset
from .config import TrainConfig
from .tasks import training_of

_FROM_SCRATCH: dict[str, Any] = {
    # Independent experts from the start, drawn a little to their mean. The gate turns into a choice
    # while they learn, and they build on what it has computed.
    "trunk": True,
    "warm_epochs": 0,
    "router_epochs": 0,
    "tie": 1e-4,
    "decay": 0.0,
    "learning_rate": 2e-3,
    "wide_learning_rate": 2e-3,
    "mixture_learning_rate": 2e-3,
    "epochs": 16,
    "choice_epochs": 32,
    "tune_epochs": 0,
    "patience": 0,
}

RECIPES: dict[str, dict[str, Any]] = {
    "text": {},
    # Networks of one hidden layer bear a higher rate than convolutions; at a lower one they end
    # before they have learned what they can, a dense network more than experts.
    "table": {
        **_FROM_SCRATCH,
        "learning_rate": 5e-3,
        "wide_learning_rate": 5e-3,
        "mixture_learning_rate": 5e-3,
    },
    # Our own networks for images are convolutions: an epoch of all experts takes long, so that they
    # get fewer, and some on their own inputs.
    "image": {
        **_FROM_SCRATCH,
        "teacher_epochs": 12,
        "epochs": 6,
        "choice_epochs": 12,
        "tune_epochs": 6,
    },
    "window": _FROM_SCRATCH,
    # One network for all pairs, then each expert with its own; batches are counted in pieces. Small
    # ones: networks of this size learn as much from 512 pieces as from eight times as many.
    "translation": {
        "warm_epochs": 5,
        "tune_epochs": 9,
        "batch_size": 512,
        "learning_rate": 4e-3,
    },
}
_OF_A_MODEL = {  # of the user's own
    "image": {**_FROM_SCRATCH, "teacher_epochs": 12},
}

# Experts that the default tries beside the recipe's; convolutions of many take hours.
_MOST_EXPERTS = {"table": 16, "image": 4, "window": 4, "text": 4}
_OF_EXPERTS = ("experts", "most_experts", "dense", "router", "router_model", "select", "top_k")


def config_for(kind: str, **settings: Any) -> TrainConfig:
    """The settings for a kind of data, with the user's in place of the recipe's.

    Raises:
        UsageError: a setting that cannot be used.
    """
    recipe = (
        RECIPES[kind] if settings.get("model") is None else _OF_A_MODEL.get(kind, RECIPES[kind])
    )
    return TrainConfig(**{**recipe, **settings})


def config_of(dataset: Dataset, **settings: Any) -> TrainConfig:
    """The settings for a data set: those for its kind, then those of its task, then the user's.

    Validation examples choose the number of experts, unless a setting speaks of experts.
    """
    own = {**training_of(dataset.task_type).settings(dataset), **settings}
    if not any(name in own for name in _OF_EXPERTS):
        own["most_experts"] = _MOST_EXPERTS.get(dataset.kind, 0)
    return config_for(dataset.kind, **own)


def article(config: TrainConfig) -> TrainConfig:
    """The method of the article that this project grew out of, to the letter.

    N experts with the sparse activation, whose outputs are summed; at the end of every epoch the
    best of them on held-out data is copied into all others. No router, no teacher, no noise.
    """
    return replace(
        config,
        combine="sum",
        top_k=1,
        activation="sparse_step",
        select="greedy",
        select_epochs=config.epochs,
        perturb=0.0,
        warm_epochs=0,
        router_epochs=0,
        choice_epochs=0,
        tune_epochs=0,
        tie=0.0,
        decay=0.0,
    )

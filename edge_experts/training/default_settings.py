"""Default settings for each kind of data; settings of the user have priority."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..datasets import Dataset
from .config import TrainConfig
from .tasks import training_of

_FROM_SCRATCH: dict[str, Any] = {
    # Independent experts from the start, with a weak tie to their mean. The gate becomes a hard
    # choice while they learn, and they use the trunk.
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
_AUGMENTED = {**_FROM_SCRATCH, "augment": True, "epochs": 14, "choice_epochs": 28}

RECIPES: dict[str, dict[str, Any]] = {
    "text": {},
    # Networks of one hidden layer train well at a higher rate than convolutions. At a lower rate
    # they stop before they have converged, a dense network more than experts.
    "table": {
        **_FROM_SCRATCH,
        "learning_rate": 5e-3,
        "wide_learning_rate": 5e-3,
        "mixture_learning_rate": 5e-3,
    },
    # The default networks for images are convolutions. An epoch of all experts takes long, so they
    # have fewer epochs, some of them on their own inputs.
    "image": {
        **_FROM_SCRATCH,
        "teacher_epochs": 12,
        "epochs": 6,
        "choice_epochs": 12,
        "tune_epochs": 6,
    },
    "window": _FROM_SCRATCH,
    # A teacher would answer photos and sounds that augmentation has not changed.
    "photo": _AUGMENTED,
    "sound": _AUGMENTED,
    # Linear functions of a backbone's features, which are computed once; `augment` adds changed
    # copies of photos to them.
    "features": {
        **_FROM_SCRATCH,
        "trunk": False,
        "learning_rate": 5e-3,
        "wide_learning_rate": 5e-3,
        "mixture_learning_rate": 5e-3,
    },
    # One network for all pairs, then each expert on its own. Batches are counted in tokens, and
    # small: networks of this size learn as much from 512 tokens as from eight times as many.
    "translation": {
        "warm_epochs": 5,
        "tune_epochs": 9,
        "batch_size": 512,
        "learning_rate": 4e-3,
    },
    # Experts of every layer; a batch counts tokens.
    "document": {
        "experts": 16,
        "top_k": 2,
        "epochs": 1,
        "batch_size": 2048,
        "learning_rate": 4e-3,
        "weight_decay": 0.1,
    },
}
_OF_A_MODEL = {  # for custom networks
    "image": {**_FROM_SCRATCH, "teacher_epochs": 12},
}

# Largest number of experts that the default tries; many convolutions take hours.
_MOST_EXPERTS = {
    "table": 16,
    "image": 4,
    "window": 4,
    "text": 4,
    "photo": 4,
    "sound": 4,
    "features": 16,
}
_OF_EXPERTS = ("experts", "most_experts", "dense", "router", "router_model", "select", "top_k")


def config_for(kind: str, **settings: Any) -> TrainConfig:
    """Settings for a kind of data; the given ones replace those of the recipe.

    Raises:
        UsageError: a setting is invalid.
    """
    recipe = (
        RECIPES[kind] if settings.get("model") is None else _OF_A_MODEL.get(kind, RECIPES[kind])
    )
    return TrainConfig(**{**recipe, **settings})


def config_of(dataset: Dataset, **settings: Any) -> TrainConfig:
    """Settings for a data set: those of its kind, then those of its task, then the user's.

    Validation examples choose the number of experts, unless a setting concerns experts.
    """
    kind = "features" if settings.get("backbone") else dataset.kind
    own = {**training_of(dataset.task_type).settings(dataset), **settings}
    if not any(name in own for name in _OF_EXPERTS):
        own["most_experts"] = _MOST_EXPERTS.get(kind, 0)
    return config_for(kind, **own)


def article(config: TrainConfig) -> TrainConfig:
    """Settings that reproduce the method of the article which this project is based on.

    The outputs of N experts with the sparse activation are summed. At the end of every epoch the
    best expert on held-out data is copied to all others. No router, no teacher, no noise.
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

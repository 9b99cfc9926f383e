"""Which settings suit which kind of data; what the user sets wins."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from .config import TrainConfig

_FROM_SCRATCH: dict[str, Any] = {
    # There is data enough for independent experts: no common start, nothing that ties them.
    "warm_epochs": 0,
    "router_epochs": 0,
    "tie": 0.0,
    "decay": 0.0,
    "learning_rate": 2e-3,
    "wide_learning_rate": 2e-3,
    "mixture_learning_rate": 2e-3,
    "epochs": 10,
    "tune_epochs": 8,
    "dense_epochs": 18,
    "teacher_epochs": 10,
}

RECIPES: dict[str, dict[str, Any]] = {
    "text": {},
    "table": {**_FROM_SCRATCH, "epochs": 20, "dense_epochs": 30},
    "image": {
        **_FROM_SCRATCH,
        # A mixture in which all experts see all images takes long: they start as copies of one.
        "warm_epochs": 12,
        "epochs": 2,
        "tune_epochs": 4,
        "dense_epochs": 18,  # as many as an expert's in all
        "teacher_epochs": 0,
        "batch_size": 128,
        "perturb": 0.05,
        "mixture_learning_rate": 1e-3,
    },
    "window": {**_FROM_SCRATCH, "epochs": 20, "dense_epochs": 30},
}


def config_for(kind: str, **settings: Any) -> TrainConfig:
    """The settings for a kind of data, with the user's in place of the recipe's.

    Raises:
        UsageError: a setting that cannot be used.
    """
    return TrainConfig(**{**RECIPES[kind], **settings})


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
        tune_epochs=0,
        tie=0.0,
        decay=0.0,
    )

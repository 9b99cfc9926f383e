"""Training of translators: first one network for all pairs, then experts initialized from it.

This is the method of the article which the project is based on: a joint training, whose result is
copied to the experts, and then a training of each on its own language, or its own domain of one.
The dense baseline has the same size, and continues with all pairs: the same ones as often, in the
same time. If a language has several experts, a router is trained last.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from time import monotonic, process_time
from typing import Any

import numpy as np
import tf_keras

from ... import run_folder
from ...datasets import Dataset, Split
from ...datasets.translation.corpus import familiar
from ...errors import UsageError
from ...features.pieces import PieceFeatures
from ...format.atomic import refuse_existing, staged
from ...format.expert_names import language, languages
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..leaving import leave
from ..precision import fast_precision
from . import router, sentence_batches, vocabulary
from .learning import TranslatorLearner
from .model import Translators, translator
from .network import Size

_PIECES = 8000  # size of the vocabulary in tokens
_LENGTH = 64  # largest length of a sentence in tokens
_UNITS, _HEADS = 128, 4
_BLOCKS = {"encoder_blocks": 3, "decoder_blocks": 1}
_DROPOUT = 0.1
_TUNING_RATE = 0.5  # factor on the learning rate of the first training, which has converged


def train(
    dataset: Dataset,
    out: str | Path,
    config: TrainConfig,
    *,
    name: str | None = None,
    force: bool = False,
) -> run_folder.Run:
    """Train, evaluate and write the run folder `out`, which appears whole or not at all.

    An interrupted training leaves OUT.checkpoints, and resumes from there.
    """
    if config.dense is None and config.experts != len(dataset.labels):
        raise UsageError(
            f"experts must be {len(dataset.labels)}, one for each of {', '.join(dataset.labels)}; "
            f"got {config.experts}"
        )
    out = Path(out)
    refuse_existing(out, force=force)
    checkpoints = Checkpoints(
        out.with_name(f"{out.name}.checkpoints"),
        # Without `dense`: both variants start with the same training.
        {"config": {**config.to_json(), "dense": None}, "data": dataset.fingerprint()},
    )
    with staged(out, force=force) as folder:
        model, features, metrics = fit(dataset, config, checkpoints)
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


def fit(
    dataset: Dataset, config: TrainConfig, checkpoints: Checkpoints
) -> tuple[Translators, PieceFeatures, dict[str, Any]]:
    """Train; returns the experts, the features, and the metrics.

    `warm_epochs` are for all pairs together, `tune_epochs` for each expert on its own, and
    `router_epochs` for the router; with `dense` one network has the first two with all pairs.
    `batch_size` is in tokens.
    """
    tf_keras.utils.set_random_seed(config.seed)
    labels, spoken = dataset.labels, languages(dataset.labels)
    names = spoken if config.dense else labels
    features = vocabulary.learn(_sentences(dataset), names, size=_PIECES, length=_LENGTH)
    pairs = {
        split: _by_label(getattr(dataset, split), labels, features)
        for split in ("train", "validation", "test")
    }
    every = [pair for own in pairs["train"] for pair in own]
    learner = TranslatorLearner(
        translator(size_of(features, config), _DROPOUT, fast_precision()),
        pieces=config.batch_size,
        rate=config.learning_rate,
        drawn=config.drawn_pieces or features.size,
        seed=config.seed,
    )
    start, began = process_time(), monotonic()
    network = learner.network

    def learn(
        stage: str, own: Sequence[sentence_batches.Pair], epochs: int, what: str, rate: float
    ) -> None:
        running = checkpoints.epochs_of(stage)
        checkpoints.stage(
            stage, network, config.seed, lambda: learner.train(own, epochs, what, rate, running)
        )

    learn("warm", every, config.warm_epochs, "one expert", 1.0)
    common = network.get_weights()
    experts = 1 if config.dense else len(labels)
    model = Translators(network.size, experts, _DROPOUT, routed=experts > len(spoken))
    for index, expert in enumerate(model.experts):
        network.set_weights(common)
        if config.tune_epochs:
            stage = "tune all" if config.dense else f"tune {index}"
            own = every if config.dense else pairs["train"][index]
            called = "all labels" if config.dense else labels[index]
            learn(stage, own, config.tune_epochs, f"own inputs, {called}", _TUNING_RATE)
        expert.set_weights(network.get_weights())
    if model.router is not None:
        gate, running = model.router, checkpoints.epochs_of("router")
        checkpoints.stage(
            "router",
            gate,
            config.seed,
            lambda: router.train(
                gate, pairs["train"], labels, config.router_epochs, config.seed, running
            ),
        )
    metrics: dict[str, Any] = {
        "training_seconds": round(process_time() - start, 1),
        "training_wall_seconds": round(monotonic() - began, 1),
        "precision": network.compute_dtype,
    }
    for split in ("validation", "test"):
        found = []
        for index, own in enumerate(pairs[split]):
            network.set_weights(model.experts[index if experts > 1 else 0].get_weights())
            found.append(learner.judge(own))
        metrics[f"{split}_accuracy"] = float(np.mean([one["accuracy"] for one in found]))
        metrics[f"{split}_loss"] = float(np.mean([one["loss"] for one in found]))
        if model.router is not None:
            metrics[f"{split}_routed_right"] = router.accuracy(model.router, pairs[split], labels)
    metrics["familiar"] = familiar(dataset)
    metrics["parameters"] = network.count_params()
    return model, features, metrics


def size_of(features: PieceFeatures, config: TrainConfig) -> Size:
    """Size of the network for `width`."""
    units = _HEADS * max(2, 2 * round(_UNITS * config.width / _HEADS / 2))
    return Size(
        pieces=features.size,
        units=units,
        heads=_HEADS,
        inner=4 * units,
        **_BLOCKS,
        source_length=_LENGTH,
        target_length=_LENGTH,
    )


def _sentences(dataset: Dataset) -> list[str]:
    """Every training sentence once; an English one has translations to several languages."""
    pairs = dataset.train.inputs
    return [*dict.fromkeys(source for source, _ in pairs), *(target for _, target in pairs)]


def _by_label(
    split: Split, labels: Sequence[str], features: PieceFeatures
) -> list[list[sentence_batches.Pair]]:
    """Tokens of the pairs of each label; they name the language and not the domain."""
    made = []
    for index, label in enumerate(labels):
        rows = np.flatnonzero(split.targets == index)
        targets = np.full(len(rows), features.targets.index(language(label)))
        own = Split([split.inputs[row] for row in rows], targets)
        made.append(sentence_batches.encode(own, features, _LENGTH))
    return made

"""Training of a language model: vocabulary, token stream, network, run folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, process_time
from typing import Any

import numpy as np

from ... import run_folder
from ...datasets import Dataset, Split
from ...datasets.targets.document_losses import DocumentLoss, scores
from ...errors import UsageError
from ...features.byte_pairs import BytePairFeatures
from ...format.atomic import refuse_existing, staged
from ...format.manifest import TaskSpec
from .. import distribution
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..leaving import leave
from ..precision import computing_in, fast_precision
from ..randomness import reseed
from . import byte_pair_vocabulary, token_batches, token_pictures
from .language_learner import LanguageLearner
from .language_network import LanguageModel, LanguageSize
from .routing_findings import findings

TASK_TYPE = "language-model"


def train(
    dataset: Dataset,
    out: Path,
    config: TrainConfig,
    *,
    name: str | None = None,
    force: bool,
    pictures: bool = True,
) -> run_folder.Run:
    """Train, evaluate and write the run folder `out`.

    Args:
        config: `experts` 1, or `dense`, makes a network without routers: "active" with the hidden
            units that a token uses, "all" with those of all experts.

    Raises:
        UsageError: a setting is not supported for language models.
    """
    refuse_existing(out, force=force)
    size_of(config, config.language_model.pieces)  # refuses before the work
    checkpoints = Checkpoints(
        out.with_name(f"{out.name}.checkpoints{distribution.place()}"),
        {"data": dataset.fingerprint(), "config": config.to_json()},
    )
    features = byte_pair_vocabulary.learn(dataset.train.inputs, config.language_model.pieces)
    size = size_of(config, features.size)
    texts = token_batches.in_order(dataset.train.inputs, np.random.default_rng(config.seed))
    tokens = token_batches.stream(texts, features)
    reseed(config.seed, "network")
    precision = fast_precision()
    start, began = process_time(), monotonic()
    with distribution.scope(config.distribute) as chief:
        with computing_in(precision):
            trained = LanguageModel(size)
        learner = learner_of(trained, config)
        what = "Training experts" if trained.routers else "Training one network"
        running = checkpoints.epochs_of("language model")
        checkpoints.stage(
            "language model",
            trained,
            config.seed,
            lambda: learner.train(tokens, config.epochs, what, running),
        )
    model = LanguageModel(size)  # in float32 on one machine, as it is converted
    model.set_weights(trained.get_weights())
    learner = learner_of(model, config)
    metrics: dict[str, Any] = {
        "precision": precision,
        "training_seconds": round(process_time() - start, 1),
        "training_wall_seconds": round(monotonic() - began, 1),
        "training_tokens": len(tokens) * config.epochs,
        "parameters": model.count_params(),
        "macs": {"active": size.macs},
    }
    for split in ("validation", "test"):
        found = judge(learner, getattr(dataset, split), features)
        metrics |= {f"{split}_{key}": value for key, value in scores(found).items()}
    routing = findings(model, dataset.validation.inputs, features) if model.routers else []
    if routing:
        metrics["routing"] = [asdict(layer) for layer in routing]
    with staged(out, force=force) if chief else TemporaryDirectory() as place:
        folder = Path(place)
        if pictures and routing:
            token_pictures.draw(folder / run_folder.PICTURES, routing)
        run = leave(
            folder,
            model,
            features,
            dataset,
            name=name or dataset.name,
            seed=config.seed,
            config=config.to_json(),
            metrics=metrics,
            task_spec=TaskSpec(TASK_TYPE, asdict(size)),
        )
    checkpoints.remove()
    return run


def size_of(config: TrainConfig, pieces: int) -> LanguageSize:
    """Return the sizes of the network that a configuration asks for.

    Raises:
        UsageError: a setting is not supported for language models.
    """
    refused: Mapping[str, bool] = {
        "combine": config.combine != "top",
        "router": config.router != "learned",
        "select": config.select != "none",
        "model": config.model is not None,
        "router_model": config.router_model is not None,
        "dense": config.dense not in (None, "active", "all"),
    }
    named = [setting for setting, is_refused in refused.items() if is_refused]
    if named:
        raise UsageError(f"language models do not support this setting: {', '.join(named)}")
    own = config.language_model
    factors = {None: 1, "active": config.top_k, "all": config.experts}
    dense = config.dense is not None
    return LanguageSize(
        pieces=pieces,
        units=own.units,
        layers=own.layers,
        heads=own.heads,
        key_heads=own.key_heads,
        inner=own.inner * factors[config.dense],
        experts=1 if dense else config.experts,
        top_k=1 if dense else config.top_k,
        context=own.context,
        gate=own.gate,
        normalized=True,
        # The weights of several experts add up to 1.
        factor=1.0 if dense else float(config.top_k),
    )


def learner_of(model: LanguageModel, config: TrainConfig) -> LanguageLearner:
    """Create the learner; `batch_size` counts tokens."""
    own = config.language_model
    return LanguageLearner(
        model,
        rate=config.learning_rate,
        rows=max(1, config.batch_size // own.context),
        weight_decay=config.weight_decay,
        balance_rate=own.balance_rate,
        z_loss=own.z_loss,
        warm_up=own.warm_up,
        seed=config.seed,
    )


def judge(
    learner: LanguageLearner, split: Split, features: BytePairFeatures
) -> Sequence[DocumentLoss]:
    """Compute the loss of every document of a split."""
    texts = [str(text) for text in split.inputs]
    sizes = [len(text.encode("utf-8", "surrogatepass")) for text in texts]
    return learner.judge([features.tokens(text) for text in texts], sizes)

"""One more expert in every layer of a trained language model; all other weights stay the same."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from ... import run_folder
from ...datasets import Dataset, Split
from ...datasets.targets.document_losses import DocumentLoss, scores
from ...errors import DataError, ThresholdError, UsageError
from ...features.byte_pairs import BytePairFeatures
from ...format.atomic import staged
from ...format.manifest import TaskSpec, sha256
from ..checkpoints import Checkpoints
from ..config import TrainConfig
from ..language_settings import LanguageSettings
from ..leaving import KEPT_EXAMPLES, versions
from ..model_files import load_model
from ..randomness import reseed
from . import token_batches
from .language_learner import LanguageLearner
from .language_network import LanguageModel
from .language_trainer import TASK_TYPE, judge

PASSES = 3  # over the new text, by default
_JUDGED = 300  # documents of each test split
_DRAWS = 2000  # of the bootstrap


def extend(
    run: Path,
    dataset: Dataset,
    out: Path,
    *,
    old_data: Dataset | None,
    passes: int,
    seed: int,
    max_forgetting: float | None,
    force: bool,
) -> run_folder.Run:
    """Train one more expert in each layer on new text, and write the run folder `out`.

    The new experts start as copies of those that the new text uses most, and the routers get one
    more column. Only these are trained, on the new text and as much of the old, so that the routers
    learn to leave old text to the old experts.

    Raises:
        UsageError: the run has no routers.
        DataError: the data is no text.
        ThresholdError: perplexity on old text rises by more than `max_forgetting` percent.
    """
    earlier = run_folder.read_run(run)
    if dataset.task_type != TASK_TYPE:
        raise DataError(f"{dataset.name}: {run} is a language model; extend it with text")
    features = run_folder.read_features(run, earlier)
    assert isinstance(features, BytePairFeatures)
    before = load_model(run / run_folder.MODEL)
    if not before.routers:
        raise UsageError(f"{run}: is a dense network, which has no routers to extend")
    old = run_folder.read_examples(run, features)
    if old_data is not None:
        old["train"] = old_data.train
    model_digest = "sha256:" + sha256((run / run_folder.MODEL).read_bytes())
    checkpoints = Checkpoints(
        out.with_name(f"{out.name}.checkpoints"),
        {
            "run": model_digest,
            "data": dataset.fingerprint(),
            "old data": old_data and old_data.fingerprint(),
            "settings": [passes, seed],
        },
    )
    reseed(seed, "network")
    tokens = _mixed(dataset.train, old["train"], features, seed)
    after = _with_one_more(before, _rows(dataset.validation, features, before.size.context))
    learner = _learner(after, earlier, seed, _new_parts(after))
    running = checkpoints.epochs_of("extension")
    checkpoints.stage(
        "extension",
        after,
        seed,
        lambda: learner.train(tokens, passes, "Training one expert a layer", running),
    )
    changes, gains = {}, {}
    old_learner = _learner(before, earlier, seed)
    for name, split in (("old", old["test"]), ("new", dataset.test)):
        some = Split(list(split.inputs[:_JUDGED]), split.targets[:_JUDGED])
        losses = [judge(one, some, features) for one in (old_learner, learner)]
        changes[name] = {
            "before": round(scores(losses[0])["perplexity"], 4),
            "after": round(scores(losses[1])["perplexity"], 4),
            "examples": len(some),
        }
        gains[name] = {**_gain(*losses), "examples": len(some)}
    rise = -gains["old"]["points"]
    if max_forgetting is not None and rise > max_forgetting:
        checkpoints.remove()
        raise ThresholdError(
            f"perplexity on old text rises by {rise:.2f} %; --max-forgetting allows "
            f"{max_forgetting:g}. Nothing was written; give the old data with --old-data"
        )
    size = after.size
    added = [layer * size.experts + size.experts - 1 for layer in range(size.layers)]
    with staged(out, force=force) as folder:
        after.save(folder / run_folder.MODEL)
        run_folder.write_features(folder, features)
        run_folder.write_examples(folder, features, _kept(old, dataset, seed))
        made = replace(
            earlier,
            experts=len(after.experts),
            origin=f"{earlier.origin}; extended with {dataset.origin}",
            config={**earlier.config, "experts": size.experts},
            metrics={"parameters": after.count_params()},
            versions=versions(),
            task_spec=TaskSpec(TASK_TYPE, asdict(size)),
            extends={
                "name": earlier.name,
                "model": model_digest,
                "data": dataset.origin,
                "added": added,
                "retrained": [],
                "kept": [index for index in range(len(after.experts)) if index not in added],
                "router": "retrained",
                "started_from": "a copy of the expert that the new text uses most",
                "taught_rows": len(dataset.train),
                "gain": gains,
                "seed": seed,
                "score": "perplexity",
                "perplexity": changes,
            },
        )
        made.write(folder)
    checkpoints.remove()
    return made


def _learner(
    model: LanguageModel,
    earlier: run_folder.Run,
    seed: int,
    parts: Sequence[tuple[tf.Variable, np.ndarray]] = (),
) -> LanguageLearner:
    settings = {**asdict(TrainConfig()), **earlier.config}
    own = LanguageSettings(**settings["language_model"])
    return LanguageLearner(
        model,
        rate=settings["learning_rate"],
        rows=max(1, settings["batch_size"] // own.context),
        weight_decay=settings["weight_decay"],
        balance_rate=0.0,  # the biases of old experts must stay
        z_loss=own.z_loss,
        warm_up=own.warm_up,
        seed=seed,
        parts=parts,
    )


def _with_one_more(before: LanguageModel, rows: np.ndarray) -> LanguageModel:
    """Copy a model with one more expert in each layer.

    Args:
        rows: tokens of new text, (sequences, length).
    """
    size = replace(before.size, experts=before.size.experts + 1)
    after = LanguageModel(size)
    after.embedding.assign(before.embedding)
    pairs: list[tuple[Any, Any]] = [
        *zip(before.attentions, after.attentions, strict=True),
        *zip(before.norms, after.norms, strict=True),
        (before.last_norm, after.last_norm),
    ]
    _, routings = before.hidden(tf.constant(rows))
    for layer, (router, grown) in enumerate(zip(before.routers, after.routers, strict=True)):
        used = np.bincount(routings[layer].picks.numpy().ravel(), minlength=before.size.experts)
        busiest = int(used.argmax())
        old, new = before.of_layer(layer), after.of_layer(layer)
        pairs += [*zip(old, new, strict=False), (old[busiest], new[-1])]
        # It begins beside the expert that it copies: the two differ by what they learn.
        column = router.kernel[:, busiest : busiest + 1]
        grown.kernel.assign(tf.concat([router.kernel, column], 1))
        grown.bias.assign(tf.concat([router.bias, router.bias[busiest : busiest + 1]], 0))
    for one, other in pairs:
        other.set_weights(one.get_weights())
    return after


def _new_parts(model: LanguageModel) -> list[tuple[tf.Variable, np.ndarray]]:
    """List the weights of new experts, and the routers' with masks of their last columns."""
    parts = []
    for layer, router in enumerate(model.routers):
        mask = np.zeros(router.kernel.shape)
        mask[:, -1] = 1
        parts.append((router.kernel, mask))
        new = model.of_layer(layer)[-1]
        parts += [(weight, np.ones(weight.shape)) for weight in new.trainable_variables]
    return parts


def _mixed(new: Split, old: Split, features: BytePairFeatures, seed: int) -> np.ndarray:
    """Join new documents with as many tokens of old ones, in random order."""
    random = np.random.default_rng(seed)
    texts = [str(text) for text in new.inputs]
    left = sum(len(text) for text in texts)
    for text in token_batches.in_order(old.inputs, random):
        if left <= 0:
            break
        texts.append(text)
        left -= len(text)
    return token_batches.stream(token_batches.in_order(texts, random), features)


def _rows(split: Split, features: BytePairFeatures, context: int) -> np.ndarray:
    tokens = token_batches.stream([str(text) for text in split.inputs[:64]], features)
    count = max(1, min(16, len(tokens) // context))
    return np.resize(tokens, (count, min(context, len(tokens))))


def _gain(before: Sequence[DocumentLoss], after: Sequence[DocumentLoss]) -> dict[str, float]:
    """Compute the percent by which perplexity falls, with an interval over documents."""
    sums = np.array([[a.nats, b.nats, a.tokens] for a, b in zip(before, after, strict=True)])

    def fall(rows: np.ndarray) -> float:
        old, new, tokens = rows.sum(axis=0)
        return -100 * float(np.expm1((new - old) / tokens))

    draw = np.random.default_rng(0)
    drawn = [fall(sums[draw.integers(0, len(sums), len(sums))]) for _ in range(_DRAWS)]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return {"points": round(fall(sums), 2), "low": round(low, 2), "high": round(high, 2)}


def _kept(old: dict[str, Split], new: Dataset, seed: int) -> dict[str, Split]:
    """Sample documents of both for a conversion, new ones first, then in random order."""
    random, kept = np.random.default_rng(seed), {}
    for name, most in KEPT_EXAMPLES.items():
        fresh: Split = getattr(new, name)
        texts = [*map(str, fresh.inputs[: most // 2]), *map(str, old[name].inputs)][:most]
        order: Any = random.permutation(len(texts))
        kept[name] = Split([texts[row] for row in order], np.zeros(len(texts), int))
    return kept

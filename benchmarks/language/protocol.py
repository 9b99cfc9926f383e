"""Protocol of the comparison of experts with dense networks as language models.

It was fixed before a test document was read. Once since then networks of all kinds, batches and the
search of rates changed (docs/decisions/0085), by losses of validation documents alone:

- All networks see the same tokens in the same order, with the same vocabulary.
- Experts: 16 in each of 4 layers, of which a token uses 2. Dense networks have the feed-forward
  parameters that a token uses ("active"), or those of all experts ("all"): 8 times as many.
- Learning rates are searched alike, on validation documents: each of `RATES` for each kind of
  network, on the first fifth of the tokens by the first seed; then the double of the highest one,
  or the half of the lowest, until the best one is neither. It is used for every seed.
- Each network is trained on all tokens, or the first `MOST`; "active, same time" is the active one,
  trained for as many more tokens as the experts' training takes more processor time.
- Test documents are read once each full training is done, and decide nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts import datasets
from edge_experts.datasets import Dataset
from edge_experts.datasets.targets.document_losses import scores
from edge_experts.training import config_for
from edge_experts.training.checkpoints import Snapshots
from edge_experts.training.language_model import byte_pair_vocabulary, token_batches
from edge_experts.training.language_model.language_network import LanguageModel
from edge_experts.training.language_model.language_trainer import judge, learner_of, size_of
from edge_experts.training.randomness import reseed

from .study_records import Records, StudyRecord

KINDS = ("sparse", "active", "all")
SAME_TIME = "active, same time"
RATES = (2e-3, 4e-3)
MOST = 4_000_000  # tokens; more than `help` has
_SEARCHED = 0.2  # share of the tokens in the search


@dataclass(frozen=True)
class StudyText:
    """Tokens of the training documents in the order of a seed, and the data set."""

    dataset: Dataset
    features: Any
    tokens: dict[int, np.ndarray]


def run(data: str, seeds: int, out: Path, told: Callable[[str], None]) -> list[StudyRecord]:
    """Run what is missing of the study in `out`, and return all records.

    Args:
        told: called with a sentence after each training.
    """
    dataset = datasets.load(data)
    features = byte_pair_vocabulary.learn(
        dataset.train.inputs, config_for("document").language_model.pieces
    )
    orders = {
        seed: token_batches.stream(
            token_batches.in_order(dataset.train.inputs, np.random.default_rng(seed)), features
        )[:MOST]
        for seed in range(seeds)
    }
    text = StudyText(dataset, features, orders)
    records = Records(out, data)
    for kind in KINDS:
        rate: float | None
        for rate in RATES:
            _once(records, text, StudyRecord(data, kind, rate, 0, search=True), told)
        while (rate := _next_rate(records, kind)) is not None:
            _once(records, text, StudyRecord(data, kind, rate, 0, search=True), told)
    for seed in range(seeds):
        for kind in KINDS[:2]:
            _once(records, text, StudyRecord(data, kind, records.best_rate(kind), seed), told)
        factor = records.seconds("sparse", seed) / records.seconds("active", seed)
        same = StudyRecord(
            data, SAME_TIME, records.best_rate("active"), seed, factor=max(1.0, factor)
        )
        _once(records, text, same, told)
    for seed in range(seeds):
        _once(records, text, StudyRecord(data, "all", records.best_rate("all"), seed), told)
    return records.all


def _next_rate(records: Records, kind: str) -> float | None:
    """Return the rate that the search has to try next; None if the best one is between others."""
    best, tried = records.best_rate(kind), records.rates(kind)
    if best == max(tried):
        return 2 * best
    return best / 2 if best == min(tried) else None


def _once(
    records: Records, text: StudyText, wanted: StudyRecord, told: Callable[[str], None]
) -> None:
    """Train one network, unless the records have it; a killed training resumes."""
    if records.has(wanted):
        return
    dense = None if wanted.kind == "sparse" else wanted.kind.partition(",")[0]
    config = config_for("document", dense=dense, learning_rate=wanted.rate, seed=wanted.seed)
    tokens = text.tokens[wanted.seed]
    if wanted.search:
        tokens = tokens[: round(_SEARCHED * len(tokens))]
    tokens = _repeated(tokens, wanted.factor)
    reseed(wanted.seed, "network")
    learner = learner_of(LanguageModel(size_of(config, text.features.size)), config)
    running = Snapshots(records.snapshot(wanted))
    seconds = learner.train(tokens, 1, wanted.title, running)
    validation = judge(learner, text.dataset.validation, text.features)
    test = () if wanted.search else judge(learner, text.dataset.test, text.features)
    records.add(wanted.measured(seconds, len(tokens), scores(validation)["loss"], test))
    running.remove()
    told(f"{wanted.title}: validation loss {scores(validation)['loss']:.4f}, {seconds:,.0f} s")


def _repeated(tokens: np.ndarray, factor: float) -> np.ndarray:
    """Return `factor` times as many tokens: the text again from its start."""
    return np.resize(tokens, round(factor * len(tokens)))

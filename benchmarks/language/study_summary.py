"""Summary of the study: perplexities, ratios with intervals, and the gap closed."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .study_records import StudyRecord

_DRAWS = 2000  # of the bootstrap over documents
_LEAST_GAP = 0.03  # nats between the dense networks, below which the gap closed is undefined


@dataclass(frozen=True)
class StudyComparison:
    """Experts beside dense networks, by one seed; test documents.

    Attributes:
        ratio: perplexity of the experts divided by that of the active network, minus 1.
        interval: its 95 % interval, by a paired bootstrap over documents.
        gap_closed: (loss active - loss sparse) / (loss active - loss all); None if undefined.
    """

    seed: int
    perplexities: dict[str, float]
    hours: dict[str, float]
    ratio: float
    interval: tuple[float, float]
    gap_closed: float | None


def compare(records: Sequence[StudyRecord], seed: int) -> StudyComparison | None:
    """Compare the full trainings of a seed; None before experts and the active one are done."""
    full = {one.kind: one for one in records if not one.search and one.seed == seed}
    if not {"sparse", "active"} <= set(full):
        return None
    losses = {kind: _loss(one) for kind, one in full.items()}
    gap = None
    if "all" in losses and losses["active"] - losses["all"] >= _LEAST_GAP:
        gap = (losses["active"] - losses["sparse"]) / (losses["active"] - losses["all"])
    return StudyComparison(
        seed=seed,
        perplexities={kind: math.exp(loss) for kind, loss in losses.items()},
        hours={kind: one.seconds / 3600 for kind, one in full.items()},
        ratio=math.exp(losses["sparse"] - losses["active"]) - 1,
        interval=_interval(full["sparse"], full["active"]),
        gap_closed=gap,
    )


def as_table(records: Sequence[StudyRecord]) -> list[list[str]]:
    """Build one row for each full training."""
    header = ["network", "seed", "rate", "tokens", "processor hours", "validation", "perplexity"]
    rows = [
        [
            one.kind,
            str(one.seed),
            f"{one.rate:g}",
            f"{one.tokens:,}",
            f"{one.seconds / 3600:.2f}",
            f"{math.exp(one.validation):.2f}",
            f"{math.exp(_loss(one)):.2f}",
        ]
        for one in records
        if not one.search
    ]
    return [header, *rows]


def notes(records: Sequence[StudyRecord]) -> list[str]:
    """Describe each seed's comparison, and the search, one line each."""
    told = [
        f"search: {one.kind}, rate {one.rate:g}: validation perplexity "
        f"{math.exp(one.validation):.2f}"
        for one in records
        if one.search
    ]
    for seed in sorted({one.seed for one in records}):
        found = compare(records, seed)
        if found is not None:
            low, high = found.interval
            gap = "undefined" if found.gap_closed is None else f"{found.gap_closed:.2f}"
            told.append(
                f"seed {seed}: perplexity {found.ratio:+.1%} ({low:+.1%} to {high:+.1%}) beside "
                f"the dense network of equal active size; gap closed {gap}"
            )
    return told


def _loss(record: StudyRecord) -> float:
    return sum(one.nats for one in record.test) / sum(one.tokens for one in record.test)


def _interval(ours: StudyRecord, theirs: StudyRecord) -> tuple[float, float]:
    sums = np.array(
        [[a.nats, b.nats, a.tokens] for a, b in zip(ours.test, theirs.test, strict=True)]
    )
    draw = np.random.default_rng(0)
    ratios = []
    for _ in range(_DRAWS):
        ours_nats, theirs_nats, tokens = sums[draw.integers(0, len(sums), len(sums))].sum(axis=0)
        ratios.append(math.exp((ours_nats - theirs_nats) / tokens) - 1)
    low, high = np.quantile(ratios, [0.025, 0.975])
    return float(low), float(high)

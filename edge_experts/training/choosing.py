"""Choice of the number of experts by validation examples: one network, a few experts, or many.

A richer candidate must be significantly better than a simpler one, and if its lead is small, also
on other validation examples. One network is the dense one with as many multiply-adds as a router
and an expert: the choice is worse than that only with the remaining error probability.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..errors import UnsuitableError
from .config import TrainConfig
from .gains import Gain, gain
from .model import SparseExperts
from .stages import Stages

# In standard errors of a gain: a candidate with a larger lead than `_LEAD` is chosen. Below
# `_CLEAR` it is tested again on other validation examples, where it must lead by `_AGAIN`, as one
# in ten would by chance.
_LEAD, _CLEAR, _AGAIN = 1.0, 3.0, 1.28
_EACH = 50  # training examples for each expert of a candidate, unless requested


@dataclass(frozen=True)
class Trained:
    """One candidate after its training.

    Attributes:
        stages: stages of its training.
        points: points of each validation example, (examples,); their mean is 100 times the score.
    """

    config: TrainConfig
    model: SparseExperts
    stages: Stages
    points: np.ndarray

    @property
    def experts(self) -> int:
        return len(self.model.experts)


@dataclass(frozen=True)
class Choice:
    """The chosen candidate, with scores and gains of all.

    Attributes:
        free: True if the number was chosen, False if it was given.
        gains: gain of each candidate with several experts over one network, by number of experts.
        scores: score of each candidate on the validation examples, hundredths, likewise.
        confirmed: gain of the leading candidate on other validation examples, if it was tested
            again.
    """

    chosen: Trained
    free: bool
    gains: dict[int, Gain]
    scores: dict[int, float]
    examples: int
    confirmed: Gain | None = None

    def to_json(self) -> dict[str, Any]:
        """Metrics for run.json; empty without a comparison."""
        if not self.gains:
            return {}
        experts = self.chosen.experts
        gained = self.confirmed or self.gains.get(experts)
        own = {"gain_over_one": gained.to_json()} if experts > 1 and gained else {}
        again = {"gain_when_tried_again": self.confirmed.to_json()} if self.confirmed else {}
        return {
            **own,
            **again,
            "candidates": [
                {
                    "experts": count,
                    "validation_points": round(score, 3),
                    **({"gain_over_one": self.gains[count].to_json()} if count > 1 else {}),
                }
                for count, score in self.scores.items()
            ],
            "experts_chosen_by": "validation" if self.free else "the user",
        }

    def as_text(self, words: str) -> str:
        """Gains in words, and the recommendation without a gain; empty without a comparison.

        Args:
            words: name of the score, such as "accuracy".
        """
        if not self.gains:
            return ""
        experts, examples = self.chosen.experts, f"{self.examples:,} validation examples"
        told = [f"{count} experts {each.as_text()}" for count, each in self.gains.items()]
        one = "one network with as many multiply-adds"
        gained = f"Points of {words} gained over {one}: {', '.join(told)}, on {examples}."
        if self.confirmed:
            gained += (
                f"\nOn validation examples not used for the choice: {self.confirmed.as_text()}."
            )
        if self.free and experts == 1:
            return (
                f"{gained}\nThis is not significant: one network was chosen. Use --experts "
                f"{min(self.gains)} to train experts nevertheless."
            )
        if self.free:
            return f"{gained}\n{experts} experts were chosen."
        if self.gains[experts].is_sure:
            return gained
        return (
            f"{gained}\nThis is not significant: --dense active trains that one network; without "
            "--experts the validation examples decide."
        )


class Train(Protocol):
    """Train a configuration.

    Args:
        part: name for its folders; empty if it is the only one.
        again: use other validation examples; see `second_split.py`.
    """

    def __call__(self, config: TrainConfig, part: str, again: bool = False) -> Trained: ...


def plans(config: TrainConfig, examples: int) -> list[TrainConfig]:
    """Configurations to train, the simplest first: the given one, or one network and experts.

    Args:
        examples: number of training examples.
    """
    if config.dense is not None or config.experts == 1 or config.combine != "top":
        return [config]
    given = replace(config, most_experts=0, measure_gain=False)
    one = replace(given, dense="active")
    if not config.most_experts:
        return [one, given] if config.measure_gain else [given]
    most = min(config.most_experts, examples // _EACH)
    counts = sorted({config.experts, most} if most > config.experts else {config.experts})
    return [one, *(replace(given, experts=count) for count in counts)]


def choose(config: TrainConfig, examples: int, train: Train) -> Choice:
    """Train the candidates; choose the simplest that no richer one beats significantly.

    Args:
        examples: number of training examples.
    """
    todo = plans(config, examples)
    trained: list[Trained] = []
    for plan in todo:
        if len(trained) > 1 and trained[-1].points.mean() <= trained[0].points.mean():
            break  # if a few experts gain nothing, many are not tried
        name = _name(plan)
        if len(todo) > 1:
            print(f"Candidate {len(trained) + 1}: {_words(plan)}", file=sys.stderr)
        try:
            trained.append(train(plan, name if len(todo) > 1 else ""))
        except UnsuitableError as error:
            if plan.dense is None:
                raise
            print(f"Experts are not compared with one network: {error}", file=sys.stderr)
    first, several = trained[0], [one for one in trained if one.experts > 1]
    gains: dict[int, Gain] = {}
    if first.experts == 1 and several:
        gains = {one.experts: gain(one.points - first.points, len(several)) for one in several}
    chosen, confirmed = trained[-1], None
    if config.most_experts:
        chosen = _leader(trained)
        if gains and chosen is not first and gains[chosen.experts].errors < _CLEAR:
            confirmed = _tried_again(first.config, chosen.config, train)
            chosen = chosen if confirmed.errors > _AGAIN else first
    scores = {one.experts: float(one.points.mean()) for one in trained}
    return Choice(chosen, config.most_experts > 0, gains, scores, len(first.points), confirmed)


def _leader(trained: Sequence[Trained]) -> Trained:
    """The simplest candidate that no richer one leads by more than `_LEAD` errors."""
    leader = trained[0]
    for richer in trained[1:]:
        if gain(richer.points - leader.points).errors > _LEAD:
            leader = richer
    return leader


def _tried_again(one: TrainConfig, experts: TrainConfig, train: Train) -> Gain:
    """Gain of experts over one network on validation examples not used for the choice."""
    print("Both again, with other validation examples: the lead may be by chance", file=sys.stderr)
    base, richer = (train(config, f"{_name(config)}-again", True) for config in (one, experts))
    return gain(richer.points - base.points)


def _name(config: TrainConfig) -> str:
    return "one-network" if config.dense else f"{config.experts}-experts"


def _words(config: TrainConfig) -> str:
    if config.dense:
        return "one network, as large as a router and an expert"
    return f"{config.experts} experts"

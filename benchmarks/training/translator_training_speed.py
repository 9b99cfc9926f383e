"""Duration of a training step of the default translator, on random sentences.

Losses are over the whole vocabulary, or over a batch's own tokens and some that are drawn. All take
turns, so that other load on the machine affects all of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from edge_experts.features import PieceFeatures
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.pieces import FIRST_TARGET
from edge_experts.keras_setup import import_keras

import_keras()

from edge_experts.training.default_settings import config_for  # noqa: E402
from edge_experts.training.precision import fast_precision  # noqa: E402
from edge_experts.training.translation.learning import TranslatorLearner  # noqa: E402
from edge_experts.training.translation.model import translator  # noqa: E402
from edge_experts.training.translation.translator_trainer import size_of  # noqa: E402

_LENGTH = 16  # of sentences, in tokens
_VOCABULARY = 7700  # beside the bytes, so that it is as large as that of four languages


@dataclass(frozen=True)
class StepTime:
    """Median step, and ratios to the step over the whole vocabulary, turn by turn."""

    drawn: int | None  # None: the whole vocabulary
    step_ms: float
    ratio: float
    quartiles: tuple[float, float]  # of the ratios


@dataclass(frozen=True)
class TranslatorSteps:
    """Step times of the default network."""

    batch: int  # tokens
    vocabulary: int  # tokens
    precision: str
    steps: tuple[StepTime, ...]

    def as_table(self) -> list[list[str]]:
        """Build one row for each number of drawn tokens."""
        rows = [
            [
                "all" if step.drawn is None else str(step.drawn),
                f"{step.step_ms:.1f}",
                f"{step.ratio:.2f}",
                "{:.2f} to {:.2f}".format(*step.quartiles),
            ]
            for step in self.steps
        ]
        return [["drawn tokens", "step ms", "ratio", "quartiles"], *rows]

    def notes(self) -> list[str]:
        """Explain the figures."""
        return [
            f"Medians, and ratios turn by turn, of a step with {self.batch} tokens of a",
            f"vocabulary of {self.vocabulary:,}, in {self.precision}.",
        ]


def measure(drawn: Sequence[int], rounds: int) -> TranslatorSteps:
    """Time steps with the whole vocabulary and with some drawn tokens, in turns."""
    config = config_for("translation")
    lexicon = Lexicon.of(map(str, range(_VOCABULARY)))
    size = size_of(PieceFeatures(lexicon, ["de"], 64), config)
    learners = {
        count: TranslatorLearner(
            translator(size, 0.1, fast_precision()),
            pieces=config.batch_size,
            rate=config.learning_rate,
            drawn=count,
            seed=0,
        )
        for count in (size.pieces, *drawn)
    }
    chance, sentences = np.random.default_rng(0), config.batch_size // _LENGTH
    times: dict[int, list[float]] = {count: [] for count in learners}
    for _ in range(rounds + 1):
        source, target = (
            chance.integers(FIRST_TARGET, size.pieces, (sentences, length), np.int32)
            for length in (_LENGTH, _LENGTH + 1)
        )
        for count, learner in learners.items():
            begin = time.perf_counter()
            learner.step(source, target, config.learning_rate)
            times[count].append(time.perf_counter() - begin)
    taken = {count: 1000 * np.array(one[1:]) for count, one in times.items()}  # the first traces
    steps = []
    for count, one in taken.items():
        low, middle, high = np.percentile(one / taken[size.pieces], [25, 50, 75]).tolist()
        whole = count == size.pieces
        steps.append(StepTime(None if whole else count, float(np.median(one)), middle, (low, high)))
    return TranslatorSteps(config.batch_size, size.pieces, str(fast_precision()), tuple(steps))

"""Training steps in float32 and in bfloat16, in turns: which one a processor is faster in.

Random tokens, default networks. Processor time, since it does not depend on other programs.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from edge_experts.features import PieceFeatures
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.pieces import FIRST_TARGET
from edge_experts.keras_setup import import_keras

import_keras()

from edge_experts.training.default_settings import config_for  # noqa: E402
from edge_experts.training.language_model.language_network import LanguageModel  # noqa: E402
from edge_experts.training.language_model.language_trainer import (  # noqa: E402
    learner_of,
    size_of,
)
from edge_experts.training.precision import computing_in, fast_precision  # noqa: E402
from edge_experts.training.translation import translator_trainer  # noqa: E402
from edge_experts.training.translation.learning import TranslatorLearner  # noqa: E402
from edge_experts.training.translation.model import translator  # noqa: E402

PRECISIONS = ("float32", "bfloat16")
_VOCABULARY = 7700  # of a translator of four languages, beside the bytes
_SENTENCE = 16  # tokens
_Step = Callable[[np.random.Generator], object]


@dataclass(frozen=True)
class PrecisionTime:
    """Steps of one network.

    Attributes:
        seconds: processor time of the median step by precision.
        ratio: bfloat16's time divided by float32's, the median of the rounds.
        chosen: precision that `train` takes on this processor.
    """

    network: str
    seconds: dict[str, float]
    ratio: float
    chosen: str


def measure(rounds: int) -> list[PrecisionTime]:
    """Time `rounds` steps of each network in each precision."""
    chance, found = np.random.default_rng(0), []
    for network, make in (("language model", _language_step), ("translator", _translator_step)):
        steps = {precision: make(precision) for precision in PRECISIONS}
        times: dict[str, list[float]] = {precision: [] for precision in PRECISIONS}
        for _ in range(rounds + 1):
            for precision, step in steps.items():
                begin = time.process_time()
                step(chance)
                times[precision].append(time.process_time() - begin)
        taken = {precision: np.array(one[1:]) for precision, one in times.items()}  # first: traces
        found.append(
            PrecisionTime(
                network,
                {precision: float(np.median(one)) for precision, one in taken.items()},
                float(np.median(taken["bfloat16"] / taken["float32"])),
                fast_precision(),
            )
        )
    return found


def as_table(found: Sequence[PrecisionTime]) -> list[list[str]]:
    """Build one row for each network."""
    rows = [
        [
            one.network,
            *(f"{one.seconds[precision]:.2f}" for precision in PRECISIONS),
            f"{one.ratio:.2f}",
            one.chosen,
        ]
        for one in found
    ]
    return [["network", *(f"{one} s" for one in PRECISIONS), "ratio", "train takes"], *rows]


def _language_step(precision: str) -> _Step:
    config = config_for("document")
    size = size_of(config, config.language_model.pieces)
    with computing_in(precision):
        learner = learner_of(LanguageModel(size), config)
    shape = (max(1, config.batch_size // size.context), size.context + 1)
    return lambda chance: learner.step(
        chance.integers(1, size.pieces, shape, np.int32), config.learning_rate
    )


def _translator_step(precision: str) -> _Step:
    config = config_for("translation")
    lexicon = Lexicon.of(map(str, range(_VOCABULARY)))
    size = translator_trainer.size_of(PieceFeatures(lexicon, ["de"], 64), config)
    learner = TranslatorLearner(
        translator(size, 0.1, precision),
        pieces=config.batch_size,
        rate=config.learning_rate,
        drawn=size.pieces,
        seed=0,
    )
    sentences = config.batch_size // _SENTENCE

    def step(chance: np.random.Generator) -> object:
        source, target = (
            chance.integers(FIRST_TARGET, size.pieces, (sentences, length), np.int32)
            for length in (_SENTENCE, _SENTENCE + 1)
        )
        return learner.step(source, target, config.learning_rate)

    return step

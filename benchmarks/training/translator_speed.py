"""How long a training step takes: `python -m benchmarks.training.translator_speed`.

With losses over the whole vocabulary, and over a batch's own pieces beside some that are drawn; in
turns, so that a busy machine is busy for both. The default network, of random sentences.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

from edge_experts.features import PieceFeatures
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.pieces import FIRST_TARGET
from edge_experts.keras_setup import import_keras
from edge_experts.text_table import aligned

import_keras()

from edge_experts.training.recipes import config_for  # noqa: E402
from edge_experts.training.translation.learning import Learner, fast_precision  # noqa: E402
from edge_experts.training.translation.model import translator  # noqa: E402
from edge_experts.training.translation.trainer import size_of  # noqa: E402

_LENGTH = 16  # of sentences, in pieces
_VOCABULARY = 7700  # beside the bytes, so that it is as large as that of four languages


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--drawn", type=int, nargs="+", default=[512, 1024, 2048])
    parser.add_argument("--rounds", type=int, default=60)
    options = parser.parse_args()
    config = config_for("translation")
    lexicon = Lexicon.of(map(str, range(_VOCABULARY)))
    size = size_of(PieceFeatures(lexicon, ["de"], 64), config)
    learners = {
        drawn: Learner(
            translator(size, 0.1, fast_precision()),
            pieces=config.batch_size,
            rate=config.learning_rate,
            drawn=drawn,
            seed=0,
        )
        for drawn in (size.pieces, *options.drawn)
    }
    chance, sentences = np.random.default_rng(0), config.batch_size // _LENGTH
    times: dict[int, list[float]] = {drawn: [] for drawn in learners}
    for _ in range(options.rounds + 1):
        source, target = (
            chance.integers(FIRST_TARGET, size.pieces, (sentences, length), np.int32)
            for length in (_LENGTH, _LENGTH + 1)
        )
        for drawn, learner in learners.items():
            begin = time.perf_counter()
            learner.step(source, target, config.learning_rate)
            times[drawn].append(time.perf_counter() - begin)
    taken = {drawn: 1000 * np.array(one[1:]) for drawn, one in times.items()}  # the first traces
    rows = [["drawn pieces", "step ms", "ratio", "quartiles"]]
    for drawn, one in taken.items():
        low, middle, high = np.percentile(one / taken[size.pieces], [25, 50, 75])
        name = "all" if drawn == size.pieces else str(drawn)
        rows.append([name, f"{np.median(one):.1f}", f"{middle:.2f}", f"{low:.2f} to {high:.2f}"])
    print("\n".join(aligned(rows)))
    print(f"Medians, and ratios turn by turn, of a step with {config.batch_size} pieces of a")
    print(f"vocabulary of {size.pieces:,}, in {fast_precision()}.")


if __name__ == "__main__":
    main()

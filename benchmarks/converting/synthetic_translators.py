"""Bundles of random translators, for figures that do not depend on training.

The files are real ones, as those of `synthetic.py`. Their translations have no meaning and are
mostly of the maximum length.
"""

from __future__ import annotations

import itertools
import string
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_experts.features import PieceFeatures
from edge_experts.features.lexicon import Lexicon
from edge_experts.features.pieces import END, FIRST_TARGET
from edge_experts.format.expert_names import Generation
from edge_experts.format.manifest import expert_path

from .synthetic import build

LANGUAGES = ("de", "fr", "it", "es")
_GOLDEN = 4  # for each target
_CALIBRATION = 16
_WORDS = 12  # of a sentence, at most


@dataclass(frozen=True)
class SyntheticTranslators:
    """Networks that generate text.

    Attributes:
        experts: one for each of the targets; 1 is a dense network.
        pieces: tokens of the vocabulary, including the bytes and targets.
        length: of a source and of an answer, in tokens.
        quantization, beams: as for `convert`.
    """

    experts: int = 4
    targets: Sequence[str] = LANGUAGES
    pieces: int = 4000
    units: int = 128
    heads: int = 4
    encoder_blocks: int = 2
    decoder_blocks: int = 1
    length: int = 64
    quantization: str = "int8"
    beams: int = 1
    seed: int = 0

    @property
    def name(self) -> str:
        return f"synthetic-translators-{self.experts}"

    @property
    def features(self) -> PieceFeatures:
        return PieceFeatures(Lexicon.of(self._words), self.targets, self.length)

    @property
    def label_names(self) -> Sequence[str]:
        return self.targets

    @property
    def generation(self) -> Generation:
        return Generation(length=self.length, beams=self.beams)

    def golden(self) -> list[tuple[str, str]]:
        sentences = iter(self.sentences(_GOLDEN * len(self.targets), self.seed + 1))
        return [(next(sentences), target) for target in self.targets for _ in range(_GOLDEN)]

    def build(self, out: Path, models: Path | None = None) -> None:
        """Write the bundle; see `build` of `..synthetic`."""
        build(self, _convert, out, models)

    def sentences(self, count: int, seed: int) -> list[str]:
        """Draw sentences of the vocabulary's words."""
        chance, words = np.random.default_rng(seed), [piece[1:] for piece in self._words]
        lengths = chance.integers(1, min(_WORDS, self.length - 2) + 1, size=count)
        return [" ".join(chance.choice(words, size=length)) for length in lengths]

    @property
    def _words(self) -> list[str]:
        """Return tokens a, b ... aa, ab ..., each of which is merged from an earlier one."""
        letters = string.ascii_lowercase
        words = (
            "".join(one) for size in (1, 2, 3) for one in itertools.product(letters, repeat=size)
        )
        others = FIRST_TARGET + len(self.targets) + 256
        return ["\u2581" + word for word in itertools.islice(words, self.pieces - others)]


def _convert(made: SyntheticTranslators, folder: Path) -> None:
    """Convert the first expert; in a process with TensorFlow."""
    import edge_experts.training  # noqa: F401  sets up Keras before TensorFlow is imported
    import tf_keras  # isort: skip
    from edge_experts.converters.translation.functions import to_tflite

    from edge_experts.training.translation.model import translator
    from edge_experts.training.translation.network import Size

    tf_keras.utils.set_random_seed(made.seed)
    size = Size(
        pieces=made.features.size,
        units=made.units,
        heads=made.heads,
        inner=4 * made.units,
        encoder_blocks=made.encoder_blocks,
        decoder_blocks=made.decoder_blocks,
        source_length=made.length,
        target_length=made.length,
    )
    content = to_tflite(translator(size, 0.0), made.quantization, _samples(made), made.beams)
    (folder / expert_path(0)).write_bytes(content)


def _samples(made: SyntheticTranslators) -> list[dict[str, np.ndarray]]:
    """Draw sentences, each as its own translation."""
    features, samples = made.features, []
    for sentence in made.sentences(_CALIBRATION, made.seed):
        pieces = [FIRST_TARGET, *features.pieces(sentence), END]
        target = np.zeros((1, made.length), np.int32)
        target[0, : len(pieces)] = pieces
        samples.append({**features.encode((sentence, made.targets[0])), "target": target})
    return samples

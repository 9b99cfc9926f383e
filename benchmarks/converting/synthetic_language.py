"""Bundles of hardly trained language models, for figures that do not depend on training.

They have the default sizes, or those of a dense network, and the vocabulary of a text of made-up
words.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from edge_experts.converters import convert

from edge_experts import datasets
from edge_experts.run_folder import MODEL
from edge_experts.training import config_for
from edge_experts.training.model_files import load_model
from edge_experts.training.trainer import train

from .one_file_language import converted

_SYLLABLES = ("ba", "de", "fi", "go", "ku", "la", "me", "ni", "po", "ru", "sa", "te", "vi", "wo")
_POSITIONS = 64
_WORDS, _DOCUMENTS, _LENGTH = 6000, 60, 700  # different words, documents, words of a document


def build(
    out: Path, *, dense: str | None, quantization: str, seed: int, one_file: Path | None = None
) -> None:
    """Write the bundle; `dense` and `quantization` are as for `train` and `convert`.

    Args:
        one_file: gets the dense network as one TFLite file, for texts of `_POSITIONS` tokens.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        data, run = folder / "made-up.txt", folder / "made-up.run"
        data.write_text(_text(seed), encoding="utf-8")
        config = config_for("document", dense=dense, seed=seed)
        train(datasets.load(str(data)), run, config)
        convert(run, out, quantization=quantization)
        if one_file is not None:
            one_file.write_bytes(converted(load_model(run / MODEL), _POSITIONS))


def _text(seed: int) -> str:
    """Return documents, one a paragraph, of words with Zipf's frequencies."""
    chance = np.random.default_rng(seed)
    words = [
        "".join(chance.choice(_SYLLABLES, chance.integers(1, 5)).tolist()) for _ in range(_WORDS)
    ]
    drawn = np.minimum(chance.zipf(1.2, (_DOCUMENTS, _LENGTH)), _WORDS) - 1
    return "\n\n".join(" ".join(words[one] for one in document) for document in drawn.tolist())

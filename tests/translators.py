"""A tiny translator, trained in half a minute: `python -m tests.translators train OUT.run`.

Its language is one of word for word: small enough to be learned, and no translation is another.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path
from typing import Any

import numpy as np

from edge_experts.datasets import Dataset, Split

WORDS = {
    "open": ("\u00f6ffne", "ouvre"),
    "close": ("schlie\u00dfe", "ferme"),
    "print": ("drucke", "imprime"),
    "the": ("die", "le"),
    "file": ("datei", "fichier"),
    "table": ("tabelle", "tableau"),
    "page": ("seite", "page"),
    "old": ("alte", "vieux"),
    "new": ("neue", "nouveau"),
}
_DRAWN = random.Random(0)
_DRAWS = (_DRAWN.choices(list(WORDS), k=_DRAWN.choice([1, 2, 3, 3])) for _ in range(600))
SENTENCES = list(dict.fromkeys(map(" ".join, _DRAWS)))


def toy() -> Dataset:
    """Every sentence to both languages; no split shares one."""

    def split(part: list[str]) -> Split:
        rows = [((one, _translated(one, place)), place) for one in part for place in (0, 1)]
        return Split([pair for pair, _ in rows], np.array([place for _, place in rows]))

    return Dataset(
        name="toy",
        kind="translation",
        task_type="translation",
        task="translation from English",
        labels=("de", "fr"),
        train=split(SENTENCES[:-24]),
        validation=split(SENTENCES[-24:-12]),
        test=split(SENTENCES[-12:]),
        origin="made up",
    )


def _translated(sentence: str, place: int) -> str:
    return " ".join(WORDS[word][place] for word in sentence.split())


def train(out: Path) -> None:
    from edge_experts import training

    settings: dict[str, Any] = {"experts": 2, "width": 0.5, "warm_epochs": 50, "tune_epochs": 4}
    settings |= {"batch_size": 256, "learning_rate": 5e-3}
    training.train(toy(), out, training.config_for("translation", **settings))


def expect(bundle: Path, out: Path) -> None:
    """Write what it must answer to 40 sentences, by the interpreter that is used here."""
    from edge_experts.benchmarking import expected
    from edge_experts.format.npz import npz

    dataset = toy()
    examples = [*dataset.asked(dataset.test), *dataset.asked(dataset.validation)][:40]
    out.write_bytes(npz(**expected.expect(bundle, examples)))


if __name__ == "__main__":
    what, *paths = sys.argv[1:]
    if what == "train":
        train(*map(Path, paths))
    else:
        expect(*map(Path, paths))

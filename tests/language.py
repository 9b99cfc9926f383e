"""A tiny language model of a language that it can learn, trained in some seconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

# Each word determines the next one; some have characters of several bytes.
WORDS = [
    "red",
    "größer",
    "cat",
    "läuft",
    "past",
    "old",
    "日本",
    "and",
    "small",
    "dogs",
    "😀",
    "bark",
]
CONTEXT = 96
CONFIG = f"""
experts = 4
top_k = 2
epochs = 4
batch_size = 384
learning_rate = 0.01
[language_model]
units = 32
layers = 2
heads = 4
key_heads = 2
inner = 32
context = {CONTEXT}
pieces = 330
"""


def text() -> str:
    """Documents, one a paragraph."""
    draw = np.random.default_rng(0)
    starts = draw.integers(0, len(WORDS), 120)
    lines = [sentence(start, int(draw.integers(4, 60))) for start in starts.tolist()]
    return "\n\n".join(f"{number}: {line}." for number, line in enumerate(lines))


def sentence(start: int, count: int) -> str:
    return " ".join(WORDS[(start + n) % len(WORDS)] for n in range(count))


def write(folder: Path) -> tuple[Path, Path]:
    """Write text and configuration; return their paths."""
    folder.mkdir(exist_ok=True)
    data, config = folder / "chain.txt", folder / "tiny.toml"
    data.write_text(text(), encoding="utf-8")
    config.write_text(CONFIG)
    return data, config

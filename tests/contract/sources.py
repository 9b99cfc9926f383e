"""Data sets and inputs of the contract tests: made up, and the same for the same seed."""

from __future__ import annotations

import csv
import json
import random
from pathlib import Path

import numpy as np

from tests import translators

INPUTS = 500
_GOOD = ["delightful", "moving", "superb", "warm", "clever", "brilliant", "charming", "honest"]
_BAD = ["dull", "noisy", "tedious", "cold", "clumsy", "hollow", "tiresome", "false"]
_THINGS = ["film", "story", "cast", "score", "plot", "ending", "script", "scene"]
_FILLERS = ["the", "a", "this", "one", "and", "but", "with", "of", "its", "very", "rather", "quite"]
_UNKNOWN = ["zyx", "qwertz", "übel", "café", "42", "---", "漢字", "WOW!!!", "mehr"]


def text(path: Path) -> Path:
    """A .csv of short reviews, good and bad."""
    draw = random.Random(1)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["text", "label", "split"])
        for number in range(400):
            label = ("bad", "good")[number % 2]
            split = ("train", "train", "train", "test")[number // 2 % 4]
            rows.writerow([_review(draw, label == "good"), label, split])
    return path


def text_inputs() -> list[str]:
    """Reviews of mixed mood, with words that training never saw, and an empty one."""
    draw = random.Random(2)
    lines = []
    for _ in range(INPUTS - 1):
        words = _review(draw, draw.random() < 0.5).split() + draw.choices(_UNKNOWN, k=2)
        draw.shuffle(words)
        lines.append(" ".join(words[: draw.randint(1, len(words))]))
    return ["", *lines]


def _review(draw: random.Random, good: bool) -> str:
    moods = draw.choices(_GOOD if good else _BAD, k=3) + draw.choices(_GOOD + _BAD, k=1)
    words = moods + draw.choices(_THINGS, k=2) + draw.choices(_FILLERS, k=4)
    draw.shuffle(words)
    return " ".join(words)


def table(path: Path) -> Path:
    """A .csv of numbers and categories, with gaps in both."""
    names = ["height", "colour", "age", "label", "split"]
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.DictWriter(file, names, lineterminator="\n")
        rows.writeheader()
        for number, row in enumerate(_rows(3, 360)):
            split = ("train", "train", "train", "test")[number // 3 % 4]
            rows.writerow({**row, "label": ("low", "middle", "top")[number % 3], "split": split})
    return path


def table_inputs() -> list[str]:
    """Rows in JSON, with gaps, a colour that training never saw and numbers far away."""
    rows = _rows(4, INPUTS)
    for number, row in enumerate(rows):
        if number % 11 == 0:
            row["colour"] = "violet"
        if number % 13 == 0:
            row["height"] = "40.5"
    return [json.dumps(row) for row in rows]


def _rows(seed: int, count: int) -> list[dict[str, str]]:
    draw = np.random.default_rng(seed)
    rows = []
    for number in range(count):
        height = f"{draw.normal(number % 3, 0.4):.3f}" if number % 17 else ""
        colour = ("red", "green", "blue")[(number + int(draw.random() < 0.3)) % 3]
        age = f"{draw.normal(40 - 5 * (number % 3), 6):.1f}"
        rows.append({"height": height, "colour": colour if number % 19 else "", "age": age})
    return rows


def image(path: Path) -> Path:
    """An .npz of bars in three directions, 8 x 8 bytes."""
    return _write(path, _images(5, 360))


def image_inputs() -> np.ndarray:
    return _images(6, INPUTS)


def _images(seed: int, count: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    bars = np.zeros((3, 8, 8))
    bars[0, 3], bars[1, :, 4], bars[2] = 1, 1, np.eye(8)
    noise = draw.random((count, 8, 8)) * 120
    images: np.ndarray = (130 * bars[np.arange(count) % 3] + noise).astype(np.uint8)
    return images


def window(path: Path) -> Path:
    """An .npz of waves of three frequencies, 16 steps of 2 channels."""
    return _write(path, _waves(7, 360))


def window_inputs() -> np.ndarray:
    return _waves(8, INPUTS)


def _waves(seed: int, count: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    steps = np.arange(16)[None, :, None]
    frequency = 0.3 + 0.35 * (np.arange(count) % 3)[:, None, None]
    phase = 6 * draw.random((count, 1, 2))
    noise = draw.normal(0, 0.25, (count, 16, 2))
    waves: np.ndarray = (np.sin(steps * frequency + phase) + noise).astype(np.float32)
    return waves


def vector(path: Path) -> Path:
    """An .npz of five numbers in an example, for networks that are adopted."""
    return _write(path, _vectors(9, 360))


def vector_inputs() -> np.ndarray:
    return _vectors(10, INPUTS)


def _vectors(seed: int, count: int) -> np.ndarray:
    pattern = np.random.default_rng(0).normal(size=(3, 5))
    noise = np.random.default_rng(seed).normal(0, 0.8, (count, 5))
    vectors: np.ndarray = (pattern[np.arange(count) % 3] + noise).astype(np.float32)
    return vectors


def _write(path: Path, x: np.ndarray) -> Path:
    """Three classes in turn, the last quarter for the test."""
    y, cut = np.arange(len(x)) % 3, len(x) * 3 // 4
    np.savez_compressed(path, x_train=x[:cut], y_train=y[:cut], x_test=x[cut:], y_test=y[cut:])
    return path


def translation(path: Path) -> Path:
    """A .csv of sentences of the toy language in both languages; no split shares one."""
    dataset = translators.toy()
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(["text", "translation", "label", "split"])
        for name, split in (("train", dataset.train), ("test", dataset.test)):
            for (source, wanted), target in zip(split.inputs, split.targets, strict=True):
                rows.writerow([source, wanted, dataset.labels[target], name])
    return path


def translation_inputs() -> list[str]:
    """Sentences of the toy language in JSON, with the language; some words it does not know."""
    draw = random.Random(11)
    known = list(translators.WORDS)
    lines = []
    for number in range(INPUTS):
        words = draw.choices(known, k=draw.randint(1, 4))
        if number % 5 == 0:
            words[draw.randrange(len(words))] = draw.choice(["printer", "fold", "tables", "42"])
        lines.append(json.dumps([" ".join(words), ("de", "fr")[number % 2]]))
    return lines

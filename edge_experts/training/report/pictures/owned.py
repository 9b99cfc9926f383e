"""Charts of the inputs that each expert owns."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ..ownership import Owned, top
from .canvas import canvas, left_out, short

_IMAGES, _IMAGE_EXPERTS, _SIDE = 12, 16, 64
_CURVES, _CURVE_EXPERTS, _CHANNELS = 4, 8, 3
_COLUMNS, _COLUMN_EXPERTS = 40, 32
_WORDS, _TEXT_EXPERTS, _TEXTS, _CHARACTERS = 9, 16, 5000, 1000
_MUCH = (0.5, 2.0)  # range of a heat map in deviations
_PRIOR = 0.5


def owned(of: Owned, path: Path) -> None:
    """Write the chart for the kind of data."""
    {
        "image": _images,
        "photo": _images,
        "sound": _images,
        "window": _curves,
        "table": _columns,
        "text": _words,
    }[of.kind](of, path)


def _images(of: Owned, path: Path) -> None:
    """Draw a row of images for each expert, in one mosaic: hundreds of axes would take minutes."""
    experts = of.used(_IMAGE_EXPERTS)
    chosen = [of.surest(expert, _IMAGES) for expert in experts]
    tiles = [[_tile(np.asarray(of.examples[place])) for place in places] for places in chosen]
    values = np.concatenate([tile.ravel() for row in tiles for tile in row])
    low, high = np.percentile(values, [0.5, 99.5])
    high, wide = max(high, low + 1e-9), max(map(len, chosen))
    height, width, depth = tiles[0][0].shape
    mosaic = np.ones((len(tiles) * (height + 2), wide * (width + 2), depth))
    for row, line in enumerate(tiles):
        for column, tile in enumerate(line):
            y, x = row * (height + 2), column * (width + 2)
            mosaic[y : y + height, x : x + width] = ((tile - low) / (high - low)).clip(0, 1)
    row_height = 0.7 * max(0.4, min(2.5, height / width))
    note = _note(of, len(experts))
    with canvas(path, 1.6 + 0.72 * wide, 0.8 + row_height * len(tiles), note) as figure:
        axes = figure.subplots()
        axes.imshow(mosaic.squeeze(), cmap="gray", vmin=0, vmax=1, aspect="auto")
        rows = (np.arange(len(tiles)) + 0.5) * (height + 2)
        axes.set_yticks(rows, [of.name(expert) for expert in experts])
        axes.set_xticks([])
        axes.spines[:].set_visible(False)
        axes.set_title("most confident inputs of each expert, by label in turn")


def _tile(image: np.ndarray) -> np.ndarray:
    """An image as (height, width, 1 or 3) floats, with both sides at most `_SIDE`."""
    image = np.nan_to_num(image.astype(np.float64), posinf=0, neginf=0)
    image = image if image.ndim == 3 else image[:, :, None]
    image = image[:, :, :3] if image.shape[2] >= 3 else image[:, :, :1]
    step = -(-max(image.shape[:2]) // _SIDE)
    return image[::step, ::step]


def _curves(of: Owned, path: Path) -> None:
    experts = of.used(_CURVE_EXPERTS)
    every = np.asarray(of.examples[0]).shape[1]
    channels = min(_CHANNELS, every)
    note = _note(of, len(experts), (channels, every, "channels", "the first"))
    with canvas(path, 1.5 + 3 * channels, 1 + 1.2 * len(experts), note) as figure:
        grid = figure.subplots(len(experts), channels, squeeze=False, sharex=True, sharey="col")
        for row, expert in zip(grid, experts, strict=True):
            for place in of.surest(expert, _CURVES):
                window = np.asarray(of.examples[place])
                target = int(of.targets[place])
                for channel, axes in enumerate(row):
                    axes.plot(
                        window[:, channel],
                        color=f"C{target % 10}",
                        linewidth=0.8,
                        label=short(of.labels[target]),
                    )
            row[0].set_ylabel(of.name(expert).replace(", ", "\n"), rotation=0, ha="right")
            handles, names = row[-1].get_legend_handles_labels()
            unlike = dict(zip(names, handles, strict=True))
            row[-1].legend(
                unlike.values(), unlike, fontsize=6, frameon=False, loc="center left",
                bbox_to_anchor=(1, 0.5),
            )  # fmt: skip
        for channel, axes in enumerate(grid[0]):
            axes.set_title(f"channel {channel}")


def _columns(of: Owned, path: Path) -> None:
    """Draw the mean of each expert's rows relative to that of all, in standard deviations."""
    rows = np.asarray(of.examples)
    experts = of.used(_COLUMN_EXPERTS)
    means = np.stack([rows[of.owner == expert].mean(axis=0) for expert in experts])
    spread = rows.std(axis=0)
    away = (means - rows.mean(axis=0)) / np.where(spread > 0, spread, 1)
    shown = top(abs(away).max(axis=0), _COLUMNS)
    much = float(np.clip(abs(away).max(), *_MUCH))
    note = _note(
        of, len(experts), (len(shown), len(of.columns), "columns", "where experts differ most")
    )
    size = (2.5 + 0.35 * max(8, len(shown)), 2.2 + 0.3 * len(experts))
    with canvas(path, *size, note) as figure:
        axes = figure.subplots()
        image = axes.imshow(away[:, shown], aspect="auto", cmap="RdBu_r", vmin=-much, vmax=much)
        axes.set_yticks(range(len(experts)), [of.name(expert) for expert in experts])
        names = [short(of.columns[column], 20) for column in shown]
        axes.set_xticks(range(len(shown)), names, rotation=90)
        axes.set_title("means of the rows of each expert, in deviations from that of all")
        figure.colorbar(image, ax=axes)


def _words(of: Owned, path: Path) -> None:
    experts = of.used(_TEXT_EXPERTS)
    words = telling_words(list(of.examples[:_TEXTS]), of.owner[:_TEXTS], experts)
    with canvas(path, 11, 0.8 + 0.62 * len(experts), _note(of, len(experts))) as figure:
        axes = figure.subplots()
        axes.set_axis_off()
        axes.set(xlim=(0, 1), ylim=(len(experts), 0))
        axes.set_title("distinctive words of each expert's texts, and its most confident ones")
        for row, (expert, mine) in enumerate(zip(experts, words, strict=True)):
            text = of.examples[of.surest(expert, 1)[0]]
            axes.text(0, row + 0.35, of.name(expert), fontweight="bold")
            said = ", ".join(short(word) for word in mine) or "no distinctive word"
            axes.text(0.17, row + 0.35, said)
            axes.text(0.17, row + 0.75, f"“{short(text, 110)}”", color="0.4", style="italic")


def _note(of: Owned, shown: int, *more: tuple[int, int, str, str]) -> str:
    return left_out([(shown, of.experts, "experts", "the most used"), *more])


def telling_words(
    texts: Sequence[str], owner: np.ndarray, experts: Sequence[int] | np.ndarray
) -> list[list[str]]:
    """For each expert, words that are in more of its texts than in those of the others.

    Ranked by the log-odds ratio in standard errors (Woolf, 1955; for words Monroe et al., 2008,
    Fightin' words), which prefers words that are both distinctive and frequent.
    """
    counts = {int(expert): Counter[str]() for expert in np.unique(owner)}
    total = Counter[str]()
    for text, expert in zip(texts, owner, strict=True):
        found = set(re.findall(r"[^\W\d_]{2,}", text[:_CHARACTERS].lower()))
        counts[int(expert)].update(found)
        total.update(found)
    sizes = np.bincount(owner, minlength=int(max(experts)) + 1)
    told = []
    for expert in experts:
        mine = counts.get(int(expert), Counter())
        size, others = sizes[expert], len(owner) - sizes[expert]
        scores = {}
        for word, count in mine.items():
            # Numbers of texts with and without the word, of this expert and of the others.
            a, b = count + _PRIOR, size - count + _PRIOR
            c, d = total[word] - count + _PRIOR, others - total[word] + count + _PRIOR
            scores[word] = math.log(a * d / (b * c)) / math.sqrt(1 / a + 1 / b + 1 / c + 1 / d)
        best = sorted(scores, key=lambda word: (-scores[word], word))[:_WORDS]
        told.append([word for word in best if scores[word] > 1])
    return told

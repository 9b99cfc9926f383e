"""Pictures of which tokens each expert gets. matplotlib is imported only when they are drawn."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ... import plotting
from ...errors import MissingExtraError
from .routing_findings import RoutingFindings

_MOST = 32  # experts in a picture


def draw(folder: Path, layers: Sequence[RoutingFindings]) -> list[Path]:
    """Draw one picture for each layer; return their paths, none without matplotlib."""
    try:
        plotting.require()
    except MissingExtraError as error:
        # It must not discard a training of hours.
        print(f"No pictures: {error}", file=sys.stderr)
        return []
    folder.mkdir(exist_ok=True)
    paths = [folder / f"tokens_of_layer_{number}.png" for number in range(len(layers))]
    for number, (path, found) in enumerate(zip(paths, layers, strict=True)):
        _draw(path, number, found)
    return paths


def _draw(path: Path, number: int, found: RoutingFindings) -> None:
    from ..report.pictures.canvas import canvas, left_out, short

    usage = np.array(found.usage)
    shown = np.argsort(-usage, kind="stable")[:_MOST].tolist()
    note = left_out([(len(shown), len(usage), "experts", "the most used")])
    with canvas(path, 9, 1.4 + 0.26 * len(shown), note) as figure:
        axes = figure.subplots()
        axes.barh(range(len(shown)), 100 * usage[shown], color="tab:blue")
        axes.axvline(100 / len(usage), color="0.4", linestyle=":")
        axes.set_yticks(range(len(shown)), [f"expert {expert}" for expert in shown])
        axes.invert_yaxis()
        axes.set_xlim(0, 100 * usage.max() * 3)
        axes.set_xticks([tick for tick in axes.get_xticks() if tick <= 100])
        axes.set_xlabel("routed tokens, % (dotted: even use)")
        axes.set_title(
            f"layer {number}: tokens that an expert gets more often than others do "
            f"({found.reuse:.0%} of experts are reused by the next token)"
        )
        for row, expert in enumerate(shown):
            words = "  ".join(f"“{short(token, 12)}”" for token in found.tokens[expert])
            axes.text(100 * usage[expert], row, f"  {words}", va="center", fontsize=8)

"""Bundles of random networks for measurements, kept in the cache; weights affect no figure."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from edge_experts.format.manifest import FORMAT_VERSION

from .building import cached, run

_MAKER = Path(__file__).parents[2] / "benchmarks/converting/synthetic.py"


def synthetic(name: str, kinds: Mapping[str, tuple[int, str]]) -> dict[str, Path]:
    """Make bundles by name, from the number of experts and the units of their layers: "512,512"."""

    def make(folder: Path) -> None:
        for kind, (experts, hidden) in kinds.items():
            options = ("--experts", str(experts), "--hidden", hidden)
            out = str(folder / _file(kind))
            run(sys.executable, "-m", "benchmarks", "synthetic", out, *options)

    folder = cached(name, (dict(kinds), FORMAT_VERSION, _MAKER), make)
    return {kind: folder / _file(kind) for kind in kinds}


def _file(kind: str) -> str:
    return kind.replace(" ", "-").replace(",", "") + ".bundle"

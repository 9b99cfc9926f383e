"""What to do next, by what is in the working folder: printed by `edge-experts` alone."""

from __future__ import annotations

import shlex
from pathlib import Path

_MOST = 3  # folders of each kind
_DATA = (".csv", ".tsv", ".npz")
_LOOKED_AT = 1_000  # entries of the folder


def next_steps(folder: Path) -> list[tuple[str, str]]:
    """Suggest commands, each with its purpose.

    Run folders without a bundle are to be converted, bundles to be tried; otherwise data are to be
    looked at, or the quickstart shows everything.
    """
    names = _names(folder)
    runs = [name for name in names if (folder / name / "run.json").is_file()]
    bundles = [name for name in names if _is_bundle(folder / name)]
    waiting = [name for name in runs if f"{Path(name).stem}.bundle" not in bundles]
    steps = [
        (_line("convert", name, "--out", f"{Path(name).stem}.bundle"), "make files for a board")
        for name in waiting[:_MOST]
    ]
    for name in bundles[:_MOST]:
        steps += [
            (_line("benchmark", name), "measure latency and memory here"),
            (_line("deploy", name, "pi@raspberrypi.local"), "install it on a board"),
        ]
    if not steps:
        data = [name for name in names if name.lower().endswith(_DATA)]
        steps = [
            (_line("advise", "--data", name), "tell in minutes whether experts pay")
            for name in data[:_MOST]
        ]
    return steps or [(_line("quickstart"), "train, convert, run and extend experts in minutes")]


def _names(folder: Path) -> list[str]:
    try:
        entries = folder.iterdir()
        return sorted(entry.name for entry, _ in zip(entries, range(_LOOKED_AT), strict=False))
    except OSError:
        return []


def _is_bundle(folder: Path) -> bool:
    return (folder / "manifest.json").is_file() and (folder / "experts").is_dir()


def _line(*words: str) -> str:
    return shlex.join(["edge-experts", *words])

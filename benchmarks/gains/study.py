"""The whole study: every set by every seed, each written as soon as it is measured."""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

from .. import output
from . import measurement_records
from .measurement_records import Measurement
from .measuring import measure
from .public_sets import PublicSet


def study(sets: Sequence[PublicSet], seeds: int, out: Path, *, deployed: bool) -> list[Measurement]:
    """Measure missing results, and return the measurements of these sets and seeds.

    Each seed is measured for all sets before the next one, so that an unfinished study covers all
    sets.

    Raises:
        UsageError: the file was written by other code or with another option.
        NetworkError: a set could not be fetched.
    """
    done = {one.key: one for one in measurement_records.read(out, deployed=deployed)}
    todo = [(one, seed) for seed in range(seeds) for one in sets if (one.name, seed) not in done]
    work = out.with_name(f"{out.name}.runs")
    for place, (one, seed) in enumerate(todo, 1):
        begin = time.monotonic()
        folder = work / one.name / f"seed-{seed}"
        measured = measure(one.name, one.kind, one.file(), seed, folder, deployed)
        measurement_records.append(out, measured)
        done[measured.key] = measured
        gain = 100 * (measured.sparse.score - measured.dense.score)
        output.warn(
            f"{place}/{len(todo)} {one.name}, seed {seed}: {gain:+.2f} points, "
            f"{measured.sparse.experts} experts, {time.monotonic() - begin:.0f} s"
        )
    shutil.rmtree(work, ignore_errors=True)
    return [done[one.name, seed] for one in sets for seed in range(seeds)]

"""Cautions about a benchmark's results, each with a remedy."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from .measure.conditions import Conditions, throttling
from .session import Session

_OUTLIER, _OUTLIERS = 3.0, 0.01  # ratio to an input's median; share of answers to report
_DRIFT = 1.1
_WIDE = 0.2


def cautions(
    contender: str,
    sessions: Sequence[Session],
    interval: tuple[float, float],
    before: Conditions,
    environment: dict[str, object],
) -> list[str]:
    """List sentences on the contender's times and on the board, the most serious first."""
    found = []
    after = [session.under_load for session in sessions]
    slowed = sorted({reason for moment in after for reason in throttling(before, moment)})
    if slowed:
        found.append(
            f"The board was throttled ({', '.join(slowed)}): give it a stronger power supply "
            "or better cooling, and measure again."
        )
    times = [session.times[contender] for session in sessions]
    medians = np.array([np.median(rows) for rows in times])
    third = -(-len(medians) // 3)
    drift = float(np.median(medians[-third:]) / np.median(medians[:third]))
    if not 1 / _DRIFT < drift < _DRIFT:
        found.append(
            f"Answers took {drift:.2f} times as long at the end as at the start: the board got "
            "hotter, or other work came or went; let it cool and idle, and measure again."
        )
    ratios = np.concatenate([(rows / np.median(rows, axis=0)).ravel() for rows in times])
    share = float(np.mean(ratios > _OUTLIER))
    if share > _OUTLIERS:
        found.append(
            f"{share:.1%} of the answers took over {_OUTLIER:.0f} times as long as usual for their "
            "input: something else ran; stop it, or keep a core free: taskset -c 0 edge-experts "
            "benchmark ..."
        )
    if interval[1] / interval[0] > (1 + _WIDE) ** 2:
        half = (interval[1] / interval[0]) ** 0.5 - 1
        found.append(
            f"Another run may differ by {half:.0%}: measure longer with --seconds, on an idle "
            "board, or read the ratios, which vary less."
        )
    load, cores = float(str(environment["load_average"])), os.cpu_count() or 1
    if load > cores / 2:
        found.append(
            f"Before it began, {load:.1f} programs were running on {cores} core(s): stop them."
        )
    governor = environment.get("governor")
    if governor not in (None, "performance"):
        found.append(
            f"The clock follows the load (governor {governor!r}); for steady figures: "
            "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        )
    changed = {moment.governor for moment in after} - {before.governor}
    if changed:
        found.append(
            f"The clock's governor changed from {before.governor} to {changed.pop()} meanwhile: "
            "see what sets it, and measure again."
        )
    return found

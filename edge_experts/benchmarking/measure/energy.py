"""Energy of an answer, on boards with a sensor for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

from ... import subprocesses
from ...runtime import ExpertRuntime
from ..bounds import Amount, Positive
from . import sensors

_SECONDS = 3.0  # of each phase, idle and answering; sensors are slow


@dataclass(frozen=True)
class Energy:
    """Energy in microjoules; the part of the board that a sensor covers differs, see `sensors`.

    Attributes:
        per_answer_uj: energy of an answer above the idle board; None if none was measurable.
        whole_per_answer_uj: energy of the whole board while it answered, for each answer.
    """

    sensor: str
    idle_w: Amount
    answering_w: Amount
    answers: Positive
    per_answer_uj: Amount | None
    whole_per_answer_uj: Amount


def measure(
    bundle: Path,
    inputs: Sequence[Any],
    threads: int,
    *,
    seconds: float = _SECONDS,
    sys: Path = Path("/sys"),
    vcgencmd: str = "vcgencmd",
) -> Energy | None:
    """Measure an idle phase and an answering phase in a child process; None without a sensor."""
    if sensors.find(sys, vcgencmd) is None:
        return None
    return subprocesses.call(_measure, bundle, inputs, threads, seconds, sys, vcgencmd)


def _measure(
    bundle: Path, inputs: Sequence[Any], threads: int, seconds: float, sys: Path, vcgencmd: str
) -> Energy | None:
    sensor = sensors.find(sys, vcgencmd)
    if sensor is None:
        return None
    with ExpertRuntime(bundle, threads=threads, strict=True) as runtime:
        for example in [*inputs, *inputs]:  # warm-up: everything is loaded and has run twice
            runtime.predict(example)
        with sensors.recorded(sensor) as idle:
            sleep(seconds)
        with sensors.recorded(sensor) as answering:
            answers, end = 0, perf_counter() + seconds
            while perf_counter() < end:
                for example in inputs:
                    runtime.predict(example)
                answers += len(inputs)
    if idle.watts is None or answering.watts is None:
        return None
    return summarize(sensor.name, idle.watts, answering.watts, answers, answering.seconds)


def summarize(
    sensor: str, idle_w: float, answering_w: float, answers: int, seconds: float
) -> Energy:
    """Compute the energy of one answer from the power of both phases, the answers and the time."""
    each = 1e6 * seconds / answers
    added = (answering_w - idle_w) * each
    return Energy(
        sensor=sensor,
        idle_w=round(idle_w, 4),
        answering_w=round(answering_w, 4),
        answers=answers,
        per_answer_uj=round(added, 2) if added > 0 else None,
        whole_per_answer_uj=round(answering_w * each, 2),
    )

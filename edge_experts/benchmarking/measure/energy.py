"""What an answer takes of a board's energy, where the board has a sensor for it."""

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

_SECONDS = 3.0  # of each, idle and answering; sensors are slow


@dataclass(frozen=True)
class Energy:
    """Microjoules; what the sensor sees differs between boards, see `sensors`.

    Attributes:
        per_answer_uj: what an answer adds to the idle board; None where nothing was seen.
        whole_per_answer_uj: all that the board took while it answered, by answer.
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
    """Idle for a while and answer for a while, in a process of its own; None without a sensor."""
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
        for example in [*inputs, *inputs]:  # everything is loaded and has run twice
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
    """Watts of both, and the answers of so many seconds, as energy by answer."""
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

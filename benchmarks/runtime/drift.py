"""Delay until a runtime notices changed inputs, and false alarms on unchanged ones.

A bundle answers streams of test examples of the data that it was trained on, each in a random
order: unchanged and changed. Changed texts are of one domain only or in another language; changed
images are inverted, moved or noisy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np

from edge_experts.errors import UsageError
from edge_experts.progress import Progress
from edge_experts.runtime import ExpertRuntime
from edge_experts.runtime.drift.drift_monitor import Monitor

_LOOK = 16  # answers between two checks


@dataclass(frozen=True)
class ShiftOutcome:
    """Streams of one kind: number noticed, and the median number of answers until then."""

    shift: str
    examples: int
    streams: int
    noticed: int
    after: int | None


def measure(
    bundle: Path, shifts: dict[str, Sequence[Any]], *, streams: int, length: int, seed: int = 0
) -> list[ShiftOutcome]:
    """Answer every example once, then monitor streams of the answers, drawn at random.

    Args:
        length: answers in a stream; examples repeat only if there are fewer.

    Raises:
        UsageError: the bundle has no reference.
    """
    dice, found = np.random.default_rng(seed), []
    with ExpertRuntime(bundle) as runtime, Progress("Answering", len(shifts)) as progress:
        reference, task = runtime.manifest.reference, runtime.task
        if reference is None:
            raise UsageError(f"{bundle}: has no drift reference; convert it again")
        for shift, examples in shifts.items():
            answers: list[tuple[np.ndarray | None, np.ndarray]] = []
            runtime.observer = lambda *answer, answers=answers: answers.append(answer)
            for example in examples:
                runtime.predict(example)
            since = []
            for _ in range(streams):
                monitor = Monitor(
                    reference, lambda outputs: task.drift_values(task.scores(outputs))
                )
                since.append(_since(monitor, answers, _order(dice, len(answers), length)))
            noticed = [one for one in since if one is not None]
            after = int(np.median(noticed)) if noticed else None
            found.append(ShiftOutcome(shift, len(answers), streams, len(noticed), after))
            progress.step(shift)
    return found


def as_table(found: Sequence[ShiftOutcome]) -> list[list[str]]:
    """Build one row for each kind of streams."""
    rows = [
        [one.shift, str(one.examples), f"{one.noticed} of {one.streams}", str(one.after or "")]
        for one in found
    ]
    return [["inputs", "examples", "noticed", "after answers"], *rows]


def overhead(bundle: Path, examples: Sequence[Any], rounds: int = 20) -> float:
    """Measure the processor time of monitoring an answer in microseconds, the median of rounds."""
    answers: list[tuple[np.ndarray | None, np.ndarray]] = []
    with ExpertRuntime(bundle, monitor=True) as runtime:
        watch, runtime.observer = runtime.observer, lambda *answer: answers.append(answer)
        for example in examples:
            runtime.predict(example)
        assert watch is not None, "the bundle has no reference to compare with"
        times = []
        for _ in range(rounds):
            begin = process_time()
            for answer in answers:
                watch(*answer)
            times.append(1e6 * (process_time() - begin) / len(answers))
    return float(np.median(times))


def _order(dice: np.random.Generator, count: int, length: int) -> np.ndarray:
    rounds = [dice.permutation(count) for _ in range(-(-length // count))]
    order: np.ndarray = np.concatenate(rounds)[:length]
    return order


def _since(monitor: Monitor, answers: Sequence[Any], order: np.ndarray) -> int | None:
    for number, row in enumerate(order, 1):
        monitor.observe(*answers[row])
        if number % _LOOK == 0 or number == len(order):
            found = monitor.drift
            if found.drifted:
                return found.since
    return None


def streams_of(data: str) -> dict[str, Sequence[Any]]:
    """Load the test examples of a named set, by the kind of shift."""
    return sentences() if data == "sentiment" else images(data)


def sentences() -> dict[str, Sequence[Any]]:
    """Load test sentences of the set `sentiment`: all, of each domain, and German ones instead."""
    from edge_experts import datasets
    from edge_experts.datasets import apt, sections, sentiment

    test = list(datasets.load("sentiment", 0).test.inputs)
    domain = sentiment.domains()
    shifts: dict[str, Sequence[Any]] = {"none": test}
    for name in sorted(set(domain.values())):
        shifts[f"{name} only"] = [text for text in test if domain[text] == name]
    folder, _ = apt.lists(sections.LANGUAGES)
    field = "Description-de"
    german = apt.stanzas(folder / "Translation-de.gz", "Description-md5", field)
    texts = [stanza[field].strip().splitlines()[0] for stanza in german if stanza.get(field)]
    shifts["German (short descriptions of programs)"] = texts[: len(test)]
    return shifts


def images(name: str) -> dict[str, Sequence[Any]]:
    """Load test images of a named set: unchanged, inverted, moved by three pixels, noisy."""
    from edge_experts import datasets

    test = np.asarray(datasets.load(name, 0).test.inputs)[:5000]
    dice, top = np.random.default_rng(0), test.max()
    noise = dice.normal(0, 0.2 * top, test.shape)
    return {
        "none": test,
        "inverted": top - test,
        "moved by 3 pixels": np.roll(test, 3, axis=1),
        "noise of a fifth": (test + noise).clip(0, top).astype(test.dtype),
    }

"""Quick look at a data set: train small models, convert and measure them, and give a verdict."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ... import subprocesses
from ...benchmarking import session
from ...benchmarking.measure.growth import room_for_one
from ...converters import convert
from ...datasets import Dataset, Split
from ...format.manifest_parser import read_manifest
from ...text_table import aligned, number
from ...training.config import TrainConfig
from ...training.default_settings import config_of
from ...training.trainer import train
from ..tasks import ComparedTask, ModelResult, comparison_of, task_named
from .advice_verdict import AdviceVerdict, Candidate, judge

SCHEMA_VERSION = "1.0"
_TRAIN, _STOPPING, _JUDGED = 6000, 1000, 5000
_TIMED, _ROUNDS = 32, 10
_FEW = 4000  # with fewer training examples, fewer experts are tried


@dataclass(frozen=True)
class Advice:
    data: str
    kind: str
    labels: int
    examples: int  # training examples of the whole data set
    trained_on: int
    judged_on: int
    candidates: tuple[Candidate, ...]
    verdict: AdviceVerdict
    task_type: str = "classification"

    @property
    def task(self) -> ComparedTask:
        return task_named(self.task_type)

    def to_json(self) -> dict[str, Any]:
        content = asdict(self)
        del content["task_type"]
        content["candidates"] = [
            {**self.task.candidate(one.pop("scores")), **one} for one in content["candidates"]
        ]
        return {"schema_version": SCHEMA_VERSION, **self.task.heading(), **content}


def advise(
    dataset: Dataset,
    *,
    memory: int | None = None,
    latency_us: float | None = None,
    seed: int = 0,
) -> Advice:
    """Train sparse and dense models on a part of the data, and compare them as deployed.

    They are evaluated on the validation split; the test split is not used.

    Args:
        memory: memory limit in bytes for the router and the loaded expert on the device.
        latency_us: latency limit in microseconds for an answer on this machine.

    Raises:
        DataError: the task has no comparison.
    """
    task = comparison_of(dataset, "advise")
    sample = quick_look(dataset, seed)
    counts = (4, 8) if len(dataset.train) >= _FEW else (2, 4)
    plans: dict[str, dict[str, Any]] = {
        "dense, an expert's size": {"dense": "active"},
        f"dense, {counts[-1]} experts' size": {"dense": "all", "experts": counts[-1]},
        **{f"{count} experts": {"experts": count} for count in counts},
    }
    candidates = _candidates(task, sample, plans, seed)
    _, everything, *sparse = candidates
    return Advice(
        data=dataset.name,
        kind=dataset.kind,
        labels=len(dataset.labels),
        examples=len(dataset.train),
        trained_on=len(sample.train),
        judged_on=len(sample.test),
        candidates=tuple(candidates),
        verdict=judge(everything, sparse, gained=task.gained, memory=memory, latency_us=latency_us),
        task_type=dataset.task_type,
    )


def quick_look(dataset: Dataset, seed: int) -> Dataset:
    """Part of the data set, with its validation split as the test split."""
    random = np.random.default_rng(seed)
    rows = random.permutation(len(dataset.train))
    first = task_named(dataset.task_type).essential(dataset.train.targets[rows])
    rows = np.concatenate([rows[first], np.delete(rows, first)])
    cut = min(_TRAIN, len(rows) - len(rows) // 8)
    judged = random.permutation(len(dataset.validation))[:_JUDGED]
    return replace(
        dataset,
        train=_rows(dataset.train, rows[:cut]),
        validation=_rows(dataset.train, rows[cut : cut + _STOPPING]),
        test=_rows(dataset.validation, judged),
    )


def as_text(advice: Advice) -> str:
    """Format the measurements, and the verdict with the next step, for a terminal."""
    task = advice.task
    table = [["", task.title, "points more", "95 %", "multiply-adds", "memory kB", "µs here"]]
    for one in advice.candidates:
        more, half = 100 * one.gain, 100 * one.give_or_take
        cells = ["", ""] if one is advice.candidates[0] else [f"{more:+.1f}", f"± {half:.1f}"]
        cost = [f"{one.macs:,}", f"{one.resident_bytes / 1000:,.0f}", number(one.answer_us)]
        table.append([one.name, f"{one.scores[task.score]:.4f}", *cells, *cost])
    verdict = advice.verdict
    probability = f"probability {verdict.chance:.0%}"
    return "\n".join(
        [
            f"{advice.data}: {advice.kind}, {advice.labels} {task.outputs}, {advice.examples:,} "
            "examples to train on",
            f"A quick look: int8 models trained on {advice.trained_on:,} of them, judged on "
            f"{advice.judged_on:,} validation examples",
            "",
            *aligned(table),
            "",
            f"A gain of half a point or more by sparse experts is {verdict.word}: {probability}.",
            *(f"- {reason}" for reason in verdict.reasons),
            "This is an estimate: with all the data, other settings or other networks the result "
            "may differ. `edge-experts compare` measures it in full.",
        ]
    )


def _candidates(
    task: ComparedTask, sample: Dataset, plans: Mapping[str, Mapping[str, Any]], seed: int
) -> list[Candidate]:
    """Train, convert and measure each plan's model; gains are over the first's score."""
    inputs = list(sample.test.inputs[:_TIMED])
    bundles: dict[str, Path] = {}
    macs: dict[str, int] = {}
    outcomes: dict[str, ModelResult] = {}
    with tempfile.TemporaryDirectory() as temporary:
        for place, (name, settings) in enumerate(plans.items(), 1):
            print(f"{place} of {len(plans)}: {name}", flush=True, file=sys.stderr)
            # Training a teacher would take longer than the rest.
            config = config_of(sample, seed=seed, teacher_epochs=0, **settings)
            bundles[name], macs[name] = _made(sample, config, Path(temporary, str(place)))
            outcomes[name] = task.answered(bundles[name], sample)
        timed = subprocesses.call(
            session.run,
            bundles,
            {},
            inputs,
            rounds=_ROUNDS,
            seconds=0.0,
            threads=1,
            seed=seed,
        )
        base = outcomes[next(iter(plans))]
        return [
            _candidate(
                name, path, task.paired(outcomes[name], base), outcomes[name], macs[name], timed
            )
            for name, path in bundles.items()
        ]


def _candidate(
    name: str,
    bundle: Path,
    gained: tuple[float, float],
    outcome: ModelResult,
    macs: int,
    timed: session.Session,
) -> Candidate:
    manifest = read_manifest(bundle)
    return Candidate(
        name=name,
        experts=len(manifest.experts),
        scores=outcome.scores,
        gain=gained[0],
        error=gained[1],
        macs=macs,
        total_bytes=sum(entry.bytes for entry in manifest.files),
        resident_bytes=room_for_one(bundle),
        answer_us=round(float(np.median(timed.times[name])), 1),
    )


def _made(sample: Dataset, config: TrainConfig, place: Path) -> tuple[Path, int]:
    """Train on the sample and convert; returns the bundle and its multiply-adds for an answer."""
    place.mkdir()
    run = train(sample, place / "run", config, pictures=False)
    convert(place / "run", place / "bundle", max_accuracy_drop=100)
    active: int = run.metrics["macs"]["active"]
    return place / "bundle", active


def _rows(split: Split, rows: np.ndarray) -> Split:
    if isinstance(split.inputs, np.ndarray):
        return Split(split.inputs[rows], split.targets[rows])
    return Split([split.inputs[row] for row in rows], split.targets[rows])

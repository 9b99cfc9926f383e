"""The benchmark of a bundle: golden check, latency, memory, all in one run with its rivals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..bundle import Manifest, read_manifest
from ..errors import ThresholdError, UsageError
from ..progress import Progress
from ..runtime import ExpertRuntime, golden
from . import environment, growth, latency
from .reference import reference_loop

SCHEMA_VERSION = "1.0"
SPARSE, REFERENCE = "sparse experts", "reference loop"
_REPEATS = 30
_LEAST_ROUNDS, _LEAST_ANSWERS = 40, 1024


@dataclass(frozen=True)
class Row:
    """One contender of the side-by-side table.

    `ratio` is the median over rounds of its median answer's time by the sparse bundle's in the
    same round; the two are only ever compared within a round.
    """

    name: str
    warm: latency.Latency
    ratio: float
    difference_us: float
    total_bytes: int
    growth: growth.Growth | None  # None: it lives in the sparse bundle's files


@dataclass(frozen=True)
class Benchmark:
    bundle: str
    golden_examples: int
    cold: latency.Latency
    switch: latency.Latency | None
    warm: latency.Latency  # with the parts of each answer
    rows: tuple[Row, ...]
    environment: dict[str, object]
    threads: int
    schema_version: str = SCHEMA_VERSION

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def benchmark(
    bundle: str | Path,
    *,
    against: Sequence[str | Path] = (),
    inputs: Sequence[Any] | None = None,
    memory_budget: int | None = None,
    threads: int = 1,
    rounds: int | None = None,
) -> Benchmark:
    """Measure a bundle, and rivals in the same run.

    Args:
        against: other bundles for the same inputs, such as a dense network (a bundle of one).
        inputs: what to ask; the golden examples by default.
        memory_budget: bytes for the memory measurement; by default there is room for one expert.
        rounds: in each, every contender answers every input once; by default at least 40, and as
            many as 1,024 answers take.

    Raises:
        GoldenError: the bundle does not give its golden answers here; nothing is timed then.
    """
    bundle = Path(bundle)
    rivals = [Path(rival) for rival in against]
    manifests = {path: read_manifest(path) for path in (bundle, *rivals)}
    names = _names(bundle, rivals, manifests)
    budget = growth.room_for_one(bundle) if memory_budget is None else memory_budget
    with Progress("Benchmark", 5 + len(rivals)) as progress:
        examples = golden.read(bundle)
        ordered = [examples.inputs[row] for row in golden.by_turns(examples.experts)]
        asked = ordered if inputs is None else inputs
        if not asked:
            raise UsageError("benchmark: there is no input to ask")
        turns = rounds or max(_LEAST_ROUNDS, -(-_LEAST_ANSWERS // len(asked)))
        with ExpertRuntime(bundle, threads=threads) as runtime:
            checked = golden.check(runtime)
            progress.step("golden examples")
            memories = {}
            for path in manifests:
                memories[path] = growth.measure_growth(path, budget if path == bundle else None)
                progress.step(f"memory of {names[path]}")
            first = latency.cold(bundle, asked, _REPEATS, threads)
            progress.step("cold")
            switched = latency.switch(bundle, ordered, 4 * _REPEATS, threads, budget)
            progress.step("switch")
            opened = [ExpertRuntime(rival, threads=threads) for rival in rivals]
            contenders: dict[str, Callable[[Any], Any]] = {SPARSE: runtime.predict}
            if runtime.manifest.combine == "top" and runtime.manifest.top_k == 1:
                contenders[REFERENCE] = reference_loop(bundle)
            for rival, other in zip(rivals, opened, strict=True):
                contenders[names[rival]] = other.predict
            times = latency.warm(contenders, asked, turns)
            parts = [runtime.predict(example).timings for _ in range(turns) for example in asked]
            progress.step("warm, side by side")
    ours = np.median(times[SPARSE], axis=1)
    paths = {SPARSE: bundle, REFERENCE: bundle, **{names[rival]: rival for rival in rivals}}
    rows = []
    for name, array in times.items():
        medians = np.median(array, axis=1)
        rows.append(
            Row(
                name=name,
                warm=latency.summarize(array.ravel()),
                ratio=round(float(np.median(medians / ours)), 4),
                difference_us=round(float(np.median(medians - ours)), 2),
                total_bytes=sum(entry.bytes for entry in manifests[paths[name]].files),
                growth=None if name == REFERENCE else memories[paths[name]],
            )
        )
    return Benchmark(
        bundle=manifests[bundle].name,
        golden_examples=checked,
        cold=first,
        switch=switched,
        warm=latency.summarize(times[SPARSE].ravel(), parts),
        rows=tuple(rows),
        environment=environment.describe(),
        threads=threads,
    )


def refuse_beyond(result: Benchmark, max_p50: float | None, max_growth: int | None) -> None:
    """Raises ThresholdError when the sparse bundle is slower or larger than was allowed.

    Args:
        max_p50: microseconds of the median warm answer.
        max_growth: bytes of memory growth.
    """
    p50 = result.warm.total_us["p50"]
    if max_p50 is not None and p50 > max_p50:
        raise ThresholdError(f"the median answer takes {p50} µs; --max-p50 allows {max_p50}")
    grown = result.rows[0].growth
    if max_growth is not None and grown is not None and grown.growth_bytes > max_growth:
        raise ThresholdError(
            f"memory grows by {grown.growth_bytes:,} bytes; --max-growth allows {max_growth:,}"
        )


def _names(
    bundle: Path, rivals: Sequence[Path], manifests: dict[Path, Manifest]
) -> dict[Path, str]:
    """What the table calls each: a rival by its folder's name, which the user chose."""
    names = {bundle: SPARSE}
    for rival in rivals:
        if manifests[rival].features.kind != manifests[bundle].features.kind:
            raise UsageError(
                f"--against {rival}: takes {manifests[rival].features.kind} inputs, "
                f"{bundle} takes {manifests[bundle].features.kind}"
            )
        names[rival] = rival.resolve().name.removesuffix(".bundle")
    distinct = set(names.values()) - {REFERENCE}
    if len(distinct) < 1 + len(rivals):
        raise UsageError("--against: every bundle must have a folder name of its own")
    return names

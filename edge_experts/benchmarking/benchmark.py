"""Benchmark of a bundle: golden check, latency and memory, in one run with its baselines."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated, Any

from .. import subprocesses
from ..errors import ThresholdError, UsageError
from ..features import read_features
from ..format.byte_sizes import Size, bytes_of
from ..format.manifest_parser import read_manifest
from ..progress import Progress
from ..runtime import ExpertRuntime, golden
from ..runtime.memory.memory_lock import Locked
from ..runtime.routing_options import RoutingOptions
from . import contender, latency, onnx, session
from .bounds import Count, Length, Positive
from .cautions import cautions
from .expert_map import ExpertMap, expert_map
from .measure import conditions, energy, environment, growth
from .media_speed import PhotoSpeed, SoundSpeed, photo_speed, sound_speed
from .row import REFERENCE, SPARSE, Row, all_times, row
from .throughput import Writing

# 1.1: quantiles, timelines, accuracies, the expert map, the command; 1.2: `generation` of rows
# (see `throughput.py`) and their `chrf`, `bound_bytes` of growth; 1.3: `scores` of rows
# 1.4: `streaming` of growth, and its figures beside; 1.5: `photos`; 1.6: `routing_options`,
# `sounds`, `locked_memory`
SCHEMA_VERSION = "1.6"
SESSIONS = 8
_REPEATS = 30
_LEAST_ROUNDS, _LEAST_ANSWERS = 5, 1024  # of a session; of all sessions
_PATIENCE = 10.0  # seconds of a session, after which fewer rounds are sufficient


@dataclass(frozen=True)
class Benchmark:
    """Results of a benchmark; a `Latency` of None was not measured here, see `latency`."""

    bundle: str
    golden_examples: Count
    inputs: Count
    inputs_sha256: str  # runs with the same inputs can be compared input by input
    first_from_storage: latency.Latency | None
    first_cached: latency.Latency | None
    switch_from_storage: latency.Latency | None
    switch_cached: latency.Latency | None
    warm: latency.Latency  # with the parts of each answer
    rows: Annotated[tuple[Row, ...], Length(1, 64)]
    experts: ExpertMap
    before: conditions.Conditions
    under_load: conditions.Conditions
    cautions: tuple[str, ...]
    environment: Annotated[dict[str, object], Length(0, 100)]
    threads: Positive
    command: str = ""  # command line of the benchmark; empty for calls from Python
    energy: energy.Energy | None = None  # None: the board has no sensor
    photos: PhotoSpeed | None = None  # None: the inputs are not photos
    routing_options: Annotated[dict[str, float], Length(0, 10)] = field(default_factory=dict)
    sounds: SoundSpeed | None = None  # None: the inputs are not sounds
    locked_memory: Locked | None = None  # None: there are no dense parts
    sessions: tuple[session.Session, ...] = field(default=(), repr=False)
    schema_version: str = SCHEMA_VERSION

    def __post_init__(self) -> None:
        if len({row.name for row in self.rows}) < len(self.rows):
            raise ValueError("rows must have different names")

    @property
    def throughputs(self) -> dict[str, Writing]:
        """Throughput of each contender that generates text."""
        return {row.name: row.generation for row in self.rows if row.generation}

    def to_json(self) -> dict[str, Any]:
        """Format everything but the raw times, which `raw.as_csv` contains."""
        everything = {**vars(self), "sessions": len(self.sessions)}
        for name in ("before", "under_load"):
            told = asdict(everything[name])
            everything[name] = {key: value for key, value in told.items() if value is not None}
        everything["energy"] = None if self.energy is None else asdict(self.energy)
        everything["photos"] = None if self.photos is None else asdict(self.photos)
        everything["sounds"] = None if self.sounds is None else asdict(self.sounds)
        locked = self.locked_memory
        everything["locked_memory"] = None if locked is None else asdict(locked)
        everything["rows"] = [asdict(one) for one in self.rows]
        everything["experts"] = asdict(self.experts)
        for name, value in everything.items():
            if isinstance(value, latency.Latency):
                everything[name] = asdict(value)
        streaming = None if self.rows[0].growth is None else self.rows[0].growth.streaming
        if streaming is not None:
            everything |= {
                "tokens_per_second": streaming.tokens_per_second,
                "miss_rate": streaming.miss_rate,
                "bytes_read_per_token": streaming.bytes_read_per_token,
            }
        return everything


def benchmark(
    bundle: str | Path,
    *,
    against: Sequence[str | Path] = (),
    inputs: Sequence[Any] | None = None,
    memory_budget: Size | None = None,
    threads: int = 1,
    rounds: int | None = None,
    seconds: float = 0.0,
    command: str = "",
    decode: latency.Latency | None = None,
    prefer_resident: float = 0.0,
    experts_per_token: int | None = None,
) -> Benchmark:
    """Measure a bundle, and baselines in the same run.

    Warm answers are timed in `SESSIONS` processes one after the other.

    Args:
        against: baselines for the same inputs: other bundles, such as a dense network (a bundle of
            one), or results of `edge-experts export-onnx`.
        inputs: the inputs; by default the golden examples.
        memory_budget: bytes, or a text such as "8MB", for the memory measurement; by default the
            budget holds one expert.
        rounds: of each session; in each, every contender answers every input once. By default at
            least 5, and enough for 1,024 answers; for slow answers, the rounds of 10 seconds.
        seconds: minimum time of the warm answers.
        command: the command line that repeats the measurement.
        decode: of reading and decoding the files of the inputs, if these are photos or sounds.
        prefer_resident, experts_per_token: see `ExpertRuntime`; for the memory measurement and
            warm answers of the bundle. Golden examples are checked without them.

    Raises:
        GoldenError: the bundle does not give its golden answers here; nothing is timed then.
        UsageError: there are no inputs, or a baseline does not accept them.
    """
    bundle = Path(bundle)
    rivals = [Path(rival) for rival in against]
    manifest = read_manifest(bundle)
    contenders = {path: contender.read(path) for path in (bundle, *rivals)}
    names = _names(bundle, rivals, contenders)
    budget = growth.room_for_one(bundle)
    if memory_budget is not None:
        budget = bytes_of(memory_budget, "memory_budget")
    routing = dict(RoutingOptions(prefer_resident, experts_per_token).given)
    where, before = environment.describe(), conditions.read()
    with Progress("Benchmark", 5 + len(contenders) + SESSIONS) as progress:
        examples = golden.read(bundle)
        ordered = [examples.inputs[row] for row in golden.by_turns(examples.experts)]
        asked = ordered if inputs is None else inputs
        if not asked:
            raise UsageError("benchmark: there are no inputs; give at least one")
        with ExpertRuntime(bundle, threads=threads, strict=True) as runtime:
            checked = golden.check(runtime)
            experts = expert_map(runtime, asked)
            features, locked = runtime.features, runtime.locked
            digest = hashlib.sha256(runtime.features.pack(asked).tobytes()).hexdigest()
        for rival in rivals:
            _must_take(rival, asked)
        progress.step("golden examples")
        memories = {}
        for path in contenders:
            memories[path] = growth.measure_growth(
                path,
                budget if path == bundle else None,
                inputs=bundle,
                routing=routing if path == bundle else {},
            )
            progress.step(f"memory of {names[path]}")
        phases = _phases(bundle, asked, ordered, threads, budget, progress)
        sessions = _sessions(
            progress,
            {names[path]: path for path in contenders},
            {REFERENCE: bundle} if manifest.asks_one else {},
            asked,
            rounds=rounds or max(_LEAST_ROUNDS, -(-_LEAST_ANSWERS // (len(asked) * SESSIONS))),
            seconds=seconds / SESSIONS,
            patience=math.inf if rounds else _PATIENCE,
            threads=threads,
            routing=routing,
        )
        used = energy.measure(bundle, asked, threads)
    rows = tuple(
        row(name, sessions, contenders[path], None if name == REFERENCE else memories[path])
        for name, path in _places(names, bundle, sessions[0]).items()
    )
    warm = latency.summarize(
        all_times(sessions, SPARSE), [parts for one in sessions for parts in one.timings]
    )
    return Benchmark(
        bundle=manifest.name,
        golden_examples=checked,
        inputs=len(asked),
        inputs_sha256=digest,
        first_from_storage=phases["first_from_storage"],
        first_cached=phases["first_cached"],
        switch_from_storage=phases["switch_from_storage"],
        switch_cached=phases["switch_cached"],
        warm=warm,
        rows=rows,
        experts=experts,
        before=before,
        under_load=sessions[-1].under_load,
        cautions=tuple(cautions(SPARSE, sessions, rows[0].p50_interval_us, before, where)),
        environment=where,
        threads=threads,
        command=command,
        energy=used,
        photos=photo_speed(features, warm.total_us["p50"], decode),
        sounds=sound_speed(features, warm.total_us["p50"], decode),
        routing_options=routing,
        locked_memory=locked,
        sessions=tuple(sessions),
    )


def refuse_beyond(result: Benchmark, max_p50: float | None, max_growth: int | None) -> None:
    """Raise ThresholdError if the sparse bundle is slower or larger than allowed.

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


def _phases(
    bundle: Path,
    asked: Sequence[Any],
    ordered: Sequence[Any],
    threads: int,
    budget: int,
    progress: Progress,
) -> dict[str, latency.Latency | None]:
    """Measure first answers and switches of experts, from storage and from the page cache."""
    found = {}
    for name, from_storage in (("from_storage", True), ("cached", False)):
        found[f"first_{name}"] = latency.first_answer(
            bundle, asked, _REPEATS, threads, from_storage=from_storage
        )
        progress.step(f"first answer, {name.replace('_', ' ')}")
        found[f"switch_{name}"] = latency.switch(
            bundle, ordered, 4 * _REPEATS, threads, budget, from_storage=from_storage
        )
        progress.step(f"switch of experts, {name.replace('_', ' ')}")
    return found


def _sessions(
    progress: Progress,
    contenders: Mapping[str, Path],
    bare: Mapping[str, Path],
    asked: Sequence[Any],
    **options: Any,
) -> list[session.Session]:
    """Measure warm answers, side by side, in one process after the other; see `session.run`."""
    found = []
    for seed in range(SESSIONS):
        found.append(subprocesses.call(session.run, contenders, bare, asked, seed=seed, **options))
        progress.step(f"warm, side by side, session {seed + 1}")
    return found


def _must_take(rival: Path, asked: Sequence[Any]) -> None:
    """Raise UsageError if a baseline does not accept the inputs of the bundle."""
    if onnx.is_onnx(rival):
        return
    features = read_features(rival, read_manifest(rival).features)
    try:
        for example in asked:
            features.encode(example)
    except UsageError as error:
        raise UsageError(f"--against {rival}: does not accept the same inputs: {error}") from None


def _places(names: Mapping[Path, str], bundle: Path, one: session.Session) -> dict[str, Path]:
    """Return each contender's bundle: the sparse one, its reference loop, then the baselines."""
    ours, *others = names.items()
    bare = [(REFERENCE, bundle)] if REFERENCE in one.times else []
    return dict([(ours[1], ours[0]), *bare, *((name, path) for path, name in others)])


def _names(
    bundle: Path, rivals: Sequence[Path], contenders: Mapping[Path, contender.Contender]
) -> dict[Path, str]:
    """Choose names for the table: that of a baseline is its folder's name."""
    names = {bundle: SPARSE}
    for rival in rivals:
        theirs, ours = (contenders[path].feature_kind for path in (rival, bundle))
        if theirs != ours:
            raise UsageError(f"--against {rival}: takes {theirs} inputs, {bundle} takes {ours}")
        names[rival] = rival.resolve().name.removesuffix(".bundle")
    distinct = set(names.values()) - {REFERENCE}
    if len(distinct) < 1 + len(rivals):
        raise UsageError("--against: every bundle must have a folder name of its own")
    return names

"""Results from JSON that a board, or anyone, wrote: a `Benchmark`, and a comparison's rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from ....errors import ManifestError, UsageError
from ....format.bounded_read import read_at_most
from ....format.limits import LIMITS
from ....format.strict_json import Reader, harmless, strict_json
from ...benchmark import Benchmark
from ...contender import Accuracy, Chrf
from ...expert_map import ExpertMap
from ...latency import Latency
from ...measure.conditions import Conditions
from ...measure.energy import Energy
from ...measure.growth import Growth
from ...measure.timeline import Timeline
from ...row import Row
from ...throughput import Writing

_T = TypeVar("_T")
_LARGEST = 1e15  # of any number: beyond it nothing was measured
_ROWS, _SAMPLES, _SENTENCES = 64, 100_000, 100
_FILE_BYTES = 16_000_000

Interval = tuple[float, float]


@dataclass(frozen=True)
class ComparedRow:
    """A contender of `edge-experts compare`; `interval` is None of one seed."""

    name: str
    accuracy: float
    interval: Interval | None
    quantization: str
    macs: int
    total_bytes: int
    resident_bytes: int
    gap_closed: float | None


@dataclass(frozen=True)
class Compared:
    """What `edge-experts compare` found."""

    data: str
    seeds: int
    examples: int
    rows: tuple[ComparedRow, ...]
    sentences: tuple[str, ...]
    command: str  # empty where the file does not say


def read_benchmark(path: Path) -> Benchmark:
    """What `edge-experts benchmark BUNDLE --json` printed, all but the raw times.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    return _read(path, benchmark_from, f"edge-experts benchmark BUNDLE --json > {path.name}")


def read_comparison(path: Path) -> Compared:
    """What `edge-experts compare --out FOLDER` left as comparison.json.

    Raises:
        UsageError: there is no such file, or it holds something else.
    """
    return _read(path, _comparison, "edge-experts compare --data DATA --out FOLDER")


def _read(path: Path, build: Callable[[Reader], _T], maker: str) -> _T:
    content = read_at_most(path, _FILE_BYTES)
    if content is None:
        raise UsageError(f"{path}: no such file")
    try:
        return build(Reader(strict_json(content[: _FILE_BYTES + 1]), str(path)))
    except (ManifestError, ValueError, RecursionError) as error:
        reason = str(error).removeprefix(f"{path}: ")
        raise UsageError(
            f"{path}: not what this version's `{maker}` writes ({reason:.200})"
        ) from None


def benchmark_from(reader: Reader) -> Benchmark:
    """Raises ManifestError, naming the field, where one is not what a benchmark has."""
    phases = ("first_from_storage", "first_cached", "switch_from_storage", "switch_cached")
    rows = tuple(map(_row, reader.objects("rows", 1, _ROWS)))
    if len({row.name for row in rows}) < len(rows):
        raise reader.error("rows", "must have different names")
    return Benchmark(
        bundle=reader.text("bundle"),
        golden_examples=reader.whole("golden_examples"),
        inputs=reader.whole("inputs"),
        inputs_sha256=reader.text("inputs_sha256"),
        **{name: _optional(reader, name, _latency) for name in phases},
        warm=_latency(reader.object("warm")),
        rows=rows,
        experts=_experts(reader.object("experts")),
        before=_conditions(reader.object("before")),
        under_load=_conditions(reader.object("under_load")),
        cautions=_texts(reader, "cautions"),
        environment=_environment(reader.object("environment")),
        threads=reader.whole("threads", 1),
        command=_text(reader.content.get("command", "")),
        energy=_optional(reader, "energy", _energy),
        sessions=(),
        schema_version=reader.text("schema_version"),
    )


def _row(reader: Reader) -> Row:
    return Row(
        name=reader.text("name"),
        warm=_latency(reader.object("warm")),
        p50_interval_us=_interval(reader, "p50_interval_us"),
        ratio=reader.number("ratio", 0, _LARGEST),
        ratio_interval=_interval(reader, "ratio_interval"),
        difference_us=reader.number("difference_us", -_LARGEST, _LARGEST),
        total_bytes=reader.whole("total_bytes"),
        resident_bytes=reader.whole("resident_bytes"),
        accuracy=_optional(reader, "accuracy", _accuracy),
        growth=_optional(reader, "growth", _growth),
        session_p50_us=tuple(_numbers(reader, "session_p50_us", 1, _SAMPLES)),
        session_ratio=tuple(_numbers(reader, "session_ratio", 1, _SAMPLES)),
        input_p50_us=tuple(_numbers(reader, "input_p50_us", 1, _SAMPLES)),
        generation=_optional(reader, "generation", _writing),
        chrf=_optional(reader, "chrf", _chrf),
    )


def _writing(reader: Reader) -> Writing:
    speeds = _numbers(reader, "session_tokens_per_second", 1, _SAMPLES)
    return Writing(
        tokens=reader.whole("tokens"),
        tokens_per_second=reader.number("tokens_per_second", 0, _LARGEST),
        tokens_per_second_interval=_interval(reader, "tokens_per_second_interval"),
        session_tokens_per_second=tuple(speeds),
        first_token=_optional(reader, "first_token", _latency),
    )


def _latency(reader: Reader) -> Latency:
    parts = reader.object("parts_us")
    quantiles = _numbers(reader, "quantiles_us", 101, 101)
    if quantiles != sorted(quantiles):
        raise reader.error("quantiles_us", "must ascend")
    return Latency(
        answers=reader.whole("answers", 1),
        total_us=_percentiles(reader.object("total_us")),
        parts_us={name: _percentiles(parts.object(name)) for name in parts.content},
        quantiles_us=tuple(quantiles),
    )


def _percentiles(reader: Reader) -> dict[str, float]:
    return {name: reader.number(name, 0, _LARGEST) for name in ("p50", "p90", "p99", "max")}


def _accuracy(reader: Reader) -> Accuracy:
    return Accuracy(reader.number("accuracy", 0, 1), reader.whole("examples", 1))


def _chrf(reader: Reader) -> Chrf:
    return Chrf(reader.number("chrf", 0, 100), reader.whole("sentences", 1))


def _growth(reader: Reader) -> Growth:
    budget, bound = (reader.content.get(key) for key in ("budget_bytes", "bound_bytes"))
    return Growth(
        base_bytes=reader.whole("base_bytes"),
        growth_bytes=reader.whole("growth_bytes"),
        anonymous_bytes=reader.whole("anonymous_bytes", -(2**53)),
        file_bytes=reader.whole("file_bytes", -(2**53)),
        budget_bytes=None if budget is None else reader.whole("budget_bytes"),
        experts_visited=reader.whole("experts_visited"),
        answers=reader.whole("answers"),
        timeline=_timeline(reader.object("timeline")),
        bound_bytes=None if bound is None else reader.whole("bound_bytes"),
    )


def _timeline(reader: Reader) -> Timeline:
    times = _numbers(reader, "milliseconds", 1, _SAMPLES)
    count = len(times)
    return Timeline(
        milliseconds=times,
        resident_bytes=[int(one) for one in _numbers(reader, "resident_bytes", count, count)],
        anonymous_bytes=[int(one) for one in _numbers(reader, "anonymous_bytes", count, count)],
        loads=[(place, expert) for place, expert in _tuples(reader, "loads", 2, count)],
        evictions=[(place, expert) for place, expert in _tuples(reader, "evictions", 2, count)],
    )


def _experts(reader: Reader) -> ExpertMap:
    experts, names = reader.whole("experts", 1, LIMITS.experts), _texts(reader, "names")
    answers = _tuples(reader, "answers", 3, LIMITS.experts)
    if any(expert >= experts or place >= len(names) for expert, place, _ in answers):
        raise reader.error("answers", "must be of experts and labels that there are")
    published = None
    if reader.content.get("published") is not None:
        published = tuple(map(int, _numbers(reader, "published", experts, experts)))
    return ExpertMap(
        experts=experts,
        labels=reader.whole("labels", 1),
        names=names,
        answers=tuple((expert, place, count) for expert, place, count in answers),
        published=published,
    )


def _conditions(reader: Reader) -> Conditions:
    told: dict[str, Any] = {
        name: reader.text(name) if name == "governor" else reader.number(name, -_LARGEST, _LARGEST)
        for name in {one.name for one in fields(Conditions)} & reader.content.keys()
    }
    return Conditions(**told)


def _energy(reader: Reader) -> Energy:
    added = reader.content.get("per_answer_uj")
    return Energy(
        sensor=reader.text("sensor"),
        idle_w=reader.number("idle_w", 0, _LARGEST),
        answering_w=reader.number("answering_w", 0, _LARGEST),
        answers=reader.whole("answers", 1),
        per_answer_uj=None if added is None else reader.number("per_answer_uj", 0, _LARGEST),
        whole_per_answer_uj=reader.number("whole_per_answer_uj", 0, _LARGEST),
    )


def _environment(reader: Reader) -> dict[str, object]:
    """Plain values by their names, whatever a board tells of itself."""
    if len(reader.content) > _SENTENCES:
        raise ManifestError(f"{reader.where}: has more than {_SENTENCES} entries")
    return {
        _text(name): value if isinstance(value, int | float) else _text(value)
        for name, value in reader.content.items()
    }


def _comparison(reader: Reader) -> Compared:
    return Compared(
        data=reader.text("data"),
        seeds=len(reader.items("seeds", 1, _ROWS)),
        examples=reader.whole("examples", 1),
        rows=tuple(map(_compared, reader.objects("rows", 1, _ROWS))),
        sentences=_texts(reader.object("verdict"), "sentences"),
        command=_text(reader.content.get("command", "")),
    )


def _compared(reader: Reader) -> ComparedRow:
    shown, closed = reader.content.get("accuracy_interval"), reader.content.get("gap_closed")
    return ComparedRow(
        name=reader.text("name"),
        accuracy=reader.number("accuracy", 0, 1),
        interval=None if shown is None else _interval(reader, "accuracy_interval"),
        quantization=reader.text("quantization"),
        macs=reader.whole("macs"),
        total_bytes=reader.whole("total_bytes"),
        resident_bytes=reader.whole("resident_bytes"),
        gap_closed=None if closed is None else reader.number("gap_closed", -_LARGEST, _LARGEST),
    )


def _optional(reader: Reader, key: str, build: Callable[[Reader], _T]) -> _T | None:
    return None if reader.content.get(key) is None else build(reader.object(key))


def _interval(reader: Reader, key: str) -> Interval:
    low, high = _numbers(reader, key, 2, 2)
    return low, high


def _numbers(reader: Reader, key: str, least: int, most: int) -> list[float]:
    values = reader.items(key, least, most)
    if not all(type(one) in (int, float) and abs(one) <= _LARGEST for one in values):
        raise reader.error(key, "must be numbers")
    return values


def _tuples(reader: Reader, key: str, length: int, most: int) -> list[list[int]]:
    """Lists of so many whole numbers, the first of them below `most`."""
    values = reader.items(key, 0, _SAMPLES)
    for one in values:
        whole = isinstance(one, list) and all(type(part) is int and part >= 0 for part in one)
        if not whole or len(one) != length or one[0] >= most:
            raise reader.error(key, f"must be lists of {length} whole numbers")
    return values


def _texts(reader: Reader, key: str) -> tuple[str, ...]:
    return tuple(map(_text, reader.items(key, 0, LIMITS.labels)))


def _text(value: Any) -> str:
    return harmless(str(value))[: LIMITS.label_characters]

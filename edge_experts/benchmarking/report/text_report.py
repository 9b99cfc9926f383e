"""Text report of a benchmark for a terminal."""

from __future__ import annotations

from ...runtime.routing_options import told
from ...text_table import aligned, number
from ..benchmark import Benchmark
from ..latency import Latency
from ..measure.conditions import Conditions
from ..measure.energy import Energy
from ..measure.growth import Growth, Streaming
from ..media_speed import PhotoSpeed, SoundSpeed
from ..row import SPARSE
from .benchmark_verdict import verdict

_NOTES = (
    "features, route, load and invoke are medians of each part. 95 %: interval for the same "
    "figure of another run. time ratio: to the sparse experts, medians paired round by round. "
    "growth: peak memory above the base, which is Python, numpy and the interpreter, with a memory "
    "budget for one expert. file: its pages of files, mostly code of libraries that the first "
    "answers touch. anonymous: its other pages. at most: the limit of these, twice the files of "
    "models in memory, and 4 MB."
)
_OF_TOKENS = (
    " tokens: of one round, including the end tokens of answers. tokens/s: of whole answers. first "
    "token: time from the input."
)


def as_text(result: Benchmark, columns: int | None = None) -> str:
    """Format tables: the parts of the bundle's time, and the contenders side by side.

    Args:
        columns: width of a terminal, which wide tables are divided for.
    """
    where = result.environment
    board = where.get("board") or where.get("cpu") or where["machine"]
    written = writing_table(result)
    lines = [
        f"{result.bundle}: {result.golden_examples} golden examples answered as published, on "
        f"{where['interpreter']} {where['version']}, {board}, {result.threads} thread(s)",
        *conditions_told(result),
        "",
        *aligned(phase_table(result), columns),
        "",
        *aligned(contender_table(result), columns),
        "",
        *([*aligned(written, columns), ""] if written else []),
        notes(result),
        *memory_told(result),
        *media_told(result),
    ]
    if result.energy is not None:
        lines.append(energy_told(result.energy))
    lines += verdict(result)
    if result.first_from_storage is None:
        lines.append(
            "The file system keeps the bundle in memory: no answer from storage was timed."
        )
    return "\n".join([*lines, *(f"Caution: {caution}" for caution in result.cautions)])


def notes(result: Benchmark) -> str:
    """Explain the tables."""
    return _NOTES + _scores_told(result) + (_OF_TOKENS if writing_table(result) else "")


def _scores_told(result: Benchmark) -> str:
    told = {name: one for row in result.rows for name, one in row.scores.items()}
    return "".join(
        f" {name}: as deployed, of {one.of}, where the files were made"
        f"{'' if one.higher_is_better else '; lower is better'}."
        for name, one in told.items()
    )


def memory_told(result: Benchmark) -> list[str]:
    """Report loads and evictions during the memory measurement; empty for one expert."""
    growth = result.rows[0].growth
    if growth is None or result.experts.experts < 2:
        return []
    loads, evictions = len(growth.timeline.loads), len(growth.timeline.evictions)
    return [
        f"While memory was measured, in {growth.answers:,} answers, experts were loaded {loads:,} "
        f"times and evicted {evictions:,} times.",
        *([] if growth.streaming is None else [_streaming_told(growth.streaming, result)]),
        *([] if result.locked_memory is None else [f"{result.locked_memory.told()}."]),
    ]


def media_told(result: Benchmark) -> list[str]:
    """Report photos per second, or the real-time factor of sounds; empty for other inputs."""
    return [*_photos_told(result.photos), *_sounds_told(result.sounds)]


def _sounds_told(found: SoundSpeed | None) -> list[str]:
    if found is None:
        return []
    told = (
        f"Sound: real-time factor {found.real_time_factor:.4f} of `run --listen`, which answers "
        f"windows of {found.window_seconds:g} s, eight in the time of one"
    )
    if found.decode is None:
        return [f"{told}."]
    took = number(found.decode.total_us["p50"])
    return [f"{told}; reading, decoding and resampling a file take {took} µs (median)."]


def _photos_told(found: PhotoSpeed | None) -> list[str]:
    if found is None:
        return []
    told = (
        f"Photos, one after the other: {number(found.frames_per_second)} frames/s decoded before, "
        "with resizing"
    )
    if found.decode is None or found.frames_per_second_with_decoding is None:
        return [f"{told}; with --data FOLDER also from image files."]
    return [
        f"{told}; {number(found.frames_per_second_with_decoding)} photos/s from files, of which "
        f"reading and decoding take {number(found.decode.total_us['p50'])} µs (median)."
    ]


def _streaming_told(streaming: Streaming, result: Benchmark) -> str:
    growth, budget = result.rows[0].growth, "without a budget"
    if growth is not None and growth.budget_bytes is not None:
        budget = f"within a budget of {growth.budget_bytes / 1e6:.2f} MB"
    if result.routing_options:
        budget += f", with {told(result.routing_options)}"
    return (
        f"Text {budget}: {number(streaming.tokens_per_second)} tokens/s; "
        f"{streaming.miss_rate:.1%} of the uses of experts loaded one, "
        f"{number(streaming.bytes_read_per_token / 1000)} kB a token."
    )


def conditions_told(result: Benchmark) -> list[str]:
    """Report the board's conditions before and at the end of the work; empty without any."""
    moments = {"before": result.before, "under load": result.under_load}
    told = [f"{name}: {_condition(moment)}" for name, moment in moments.items()]
    return ["; ".join(told)] if any(map(_condition, moments.values())) else []


def phase_table(result: Benchmark) -> list[list[str]]:
    """Tabulate first answers, switches and warm answers: percentiles, and the parts' medians."""
    return [
        ["µs", "p50", "p90", "p99", "max", "features", "route", "load", "invoke"],
        _phase("open + first answer, from storage", result.first_from_storage),
        _phase("open + first answer, in page cache", result.first_cached),
        _phase("switch of experts, from storage", result.switch_from_storage),
        _phase("switch of experts, in page cache", result.switch_cached),
        _phase("warm", result.warm),
    ]


def contender_table(result: Benchmark) -> list[list[str]]:
    """Tabulate the sparse bundle and its baselines, all measured in the same run."""
    head = [
        "side by side",
        "p50 µs",
        "p50: 95 %",
        "p99 µs",
        "time ratio",
        "ratio: 95 %",
        "files kB",
    ]
    scores = list(dict.fromkeys(name for row in result.rows for name in row.scores))
    memory = ["growth MB", "file", "anonymous", "at most", "base MB"]
    rows = [[*head, *scores, *memory]]
    for row in result.rows:
        low, high = row.p50_interval_us
        times = [number(row.warm.total_us["p50"]), f"{number(low)} to {number(high)}"]
        low, high = row.ratio_interval
        ratio = [f"{row.ratio:.2f}", "" if row.name == SPARSE else f"{low:.2f} to {high:.2f}"]
        p99, files = number(row.warm.total_us["p99"]), f"{row.total_bytes / 1000:,.0f}"
        judged = [row.scores[name].text if name in row.scores else "" for name in scores]
        rows.append([row.name, *times, p99, *ratio, files, *judged, *_growth(row.growth)])
    return rows


def writing_table(result: Benchmark) -> list[list[str]]:
    """Tabulate the throughput of contenders that generate text; empty without any."""
    header = ["writing", "tokens/s", "95 %", "tokens", "first token, p50 µs", "p90", "p99", "max"]
    rows = []
    for name, found in result.throughputs.items():
        low, high = found.tokens_per_second_interval
        speed = [number(found.tokens_per_second), f"{number(low)} to {number(high)}"]
        first = ["", "", "", ""]
        if found.first_token is not None:
            first = _percentiles(found.first_token)
        rows.append([name, *speed, f"{found.tokens:,}", *first])
    return [header, *rows] if rows else []


def _phase(name: str, latency: Latency | None) -> list[str]:
    if latency is None:
        return [name, *["-"] * 8]
    parts = [number(part["p50"]) for part in latency.parts_us.values()]
    return [name, *_percentiles(latency), *parts]


def _percentiles(latency: Latency) -> list[str]:
    total = latency.total_us
    return [number(value) for value in (total["p50"], total["p90"], total["p99"], total["max"])]


def _growth(growth: Growth | None) -> list[str]:
    if growth is None:
        return ["", "", "", "", ""]
    private = (growth.anonymous_bytes, growth.bound_bytes)
    sizes = (growth.growth_bytes, growth.file_bytes, *private, growth.base_bytes)
    return ["" if size is None else f"{size / 1e6:.1f}" for size in sizes]


def energy_told(used: Energy) -> str:
    """Report the energy of an answer in a sentence."""
    added = used.per_answer_uj
    each = "no measurable energy" if added is None else f"{number(added)} µJ"
    return (
        f"Energy, by {used.sensor}: an answer adds {each} to the idle board's "
        f"{used.idle_w:.3g} W, and takes {number(used.whole_per_answer_uj)} µJ with it."
    )


def _condition(moment: Conditions) -> str:
    told = {
        "°C": moment.temperature_c,
        "MHz": moment.frequency_mhz,
        "W": moment.power_w,
    }
    return ", ".join(f"{value:.3g} {unit}" for unit, value in told.items() if value is not None)

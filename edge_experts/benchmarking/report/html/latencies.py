"""Figures of latency distributions: the share of answers that are complete within a time."""

from __future__ import annotations

from collections.abc import Mapping

from markupsafe import Markup

from ...benchmark import Benchmark
from ...latency import Latency
from . import svg

_SHORTEST = 1e-3  # µs: shorter times are not measurable, and a logarithm needs a bound
_SHARES = [place / 100 for place in range(101)]


def warm(result: Benchmark) -> Markup:
    """Draw warm answers of all contenders."""
    times = {row.name: row.warm for row in result.rows}
    return _shares(times, "warm", "Share of warm answers done within a time, for each contender")


def first_token(result: Benchmark) -> Markup | None:
    """Draw times to the first token of contenders that generate text; None without any."""
    written = result.throughputs.items()
    times = {name: one.first_token for name, one in written if one.first_token is not None}
    meaning = "Share of answers whose first token is there within a time, for each contender"
    return _shares(times, "first-token", meaning) if times else None


def phases(result: Benchmark) -> Markup:
    """Draw the bundle's first answers, those after a switch of experts, and warm ones."""
    times = {
        "open + first answer, from storage": result.first_from_storage,
        "open + first answer, in page cache": result.first_cached,
        "switch of experts, from storage": result.switch_from_storage,
        "switch of experts, in page cache": result.switch_cached,
        "warm": result.warm,
    }
    there = {name: latency for name, latency in times.items() if latency is not None}
    return _shares(there, "phases", "Share of answers done within a time, by what is loaded")


def _shares(times: Mapping[str, Latency], name: str, meaning: str) -> Markup:
    from matplotlib.ticker import PercentFormatter

    figure, axes = svg.new_figure(2.7 + 0.22 * len(times))
    lines = []
    for place, latency in enumerate(times.values()):
        (line,) = axes.plot(
            [max(value, _SHORTEST) for value in latency.quantiles_us],
            _SHARES,
            color=svg.COLOURS[place % len(svg.COLOURS)],
            linestyle=svg.STYLES[place % len(svg.STYLES)],
            gid=f"quantiles-{place}",
        )
        lines.append(line)
    ends = [latency.quantiles_us[end] for latency in times.values() for end in (0, -1)]
    svg.logarithmic(axes, [max(end, _SHORTEST) for end in ends])
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.set_ylim(0, 1.02)
    axes.set_xlabel("µs")
    axes.set_ylabel("of the answers done")
    svg.legend_below(figure, lines, [svg.shown(name) for name in times])
    return svg.as_svg(figure, name, meaning)

"""Figures of memory over time, and of the experts in memory."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from markupsafe import Markup

from ...benchmark import Benchmark
from ...measure.timeline import Timeline
from . import svg

_LANES = 32  # experts drawn; more would overlap
_SHOWN = 32  # samples of the second figure


def growth(result: Benchmark) -> Markup | None:
    """Draw the bundle's memory above the base, with a mark for each load and each eviction."""
    timeline = _of_the_bundle(result)
    if timeline is None:
        return None
    figure, (axes, marks) = svg.new_figure(
        3.4, 2, sharex=True, gridspec_kw={"height_ratios": (5, 1)}
    )
    lines = []
    for place, values in enumerate((timeline.resident_bytes, timeline.anonymous_bytes)):
        lines += axes.plot(
            timeline.milliseconds,
            [value / 1e6 for value in values],
            linestyle=svg.STYLES[place],
            color=svg.COLOURS[place],
            gid=f"memory-{place}",
        )
    axes.set_ylabel("MB above the base")
    _marks(marks, timeline.milliseconds, timeline.loads, 1, "loads")
    _marks(marks, timeline.milliseconds, timeline.evictions, 0, "evictions")
    marks.set_yticks([0, 1], ["evictions", "loads"])
    marks.set_ylim(-0.6, 1.6)
    marks.set_xlabel("ms since the bundle was opened")
    svg.legend_below(figure, lines, ["resident", "of it anonymous"])
    return svg.as_svg(figure, "memory", "Memory above the base over time, with loads and evictions")


def residency(result: Benchmark) -> Markup | None:
    """Draw the experts in memory during the first answers; None for a bundle with one expert."""
    timeline = _of_the_bundle(result)
    if timeline is None or result.experts.experts < 2:
        return None
    spans, count = _spans(timeline, _SHOWN)
    experts = sorted(spans)[:_LANES]
    figure, axes = svg.new_figure(1.2 + 0.2 * max(4, len(experts)))
    for lane, expert in enumerate(experts):
        axes.broken_barh(
            [(start, end - start) for start, end in spans[expert]],
            (lane - 0.35, 0.7),
            color=svg.COLOURS[expert % 6],
            gid=f"residency-{expert}",
        )
    axes.set_yticks(range(len(experts)), [str(expert) for expert in experts])
    axes.set_ylim(len(experts) - 0.4, -0.6)
    axes.set_xlim(0, count)
    axes.set_ylabel("expert")
    axes.set_xlabel("inputs, one after the other")
    return svg.as_svg(figure, "residency", "Which experts were in memory during the first answers")


def _of_the_bundle(result: Benchmark) -> Timeline | None:
    grown = result.rows[0].growth
    return None if grown is None else grown.timeline


def _marks(
    axes: Any, times: Sequence[float], events: Sequence[tuple[int, int]], height: int, name: str
) -> None:
    axes.plot(
        [times[place] for place, _ in events],
        [height] * len(events),
        linestyle="",
        marker="|",
        markersize=7,
        color=svg.COLOURS[2 + height],
        gid=name,
    )


def _spans(timeline: Timeline, most: int) -> tuple[dict[int, list[tuple[int, int]]], int]:
    """Return each expert's spans in memory, from sample to sample, and the number of samples."""
    count = min(most, len(timeline.milliseconds))
    came: dict[int, int] = {}
    spans: dict[int, list[tuple[int, int]]] = defaultdict(list)
    # At one sample, evictions come before loads.
    events = [(place, 0, expert) for place, expert in timeline.evictions]
    events += [(place, 1, expert) for place, expert in timeline.loads]
    for place, arrived, expert in sorted(events):
        if place >= count:
            break
        if arrived:
            came[expert] = place
        elif expert in came:
            spans[expert].append((came.pop(expert), place))
    for expert, start in came.items():
        spans[expert].append((start, count))
    return dict(spans), count

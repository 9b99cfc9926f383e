"""Conclusion of a benchmark in words: each contender beside the sparse bundle."""

from __future__ import annotations

from ...text_table import number
from ..benchmark import Benchmark
from ..row import REFERENCE, SPARSE, Row
from ..score import primary


def verdict(result: Benchmark) -> list[str]:
    """List a sentence for each contender, and the values that were not measured."""
    ours = result.rows[0]
    rivals = _rivals(result)
    sentences = [_beside(ours, row) for row in rivals]
    reference = next((row for row in result.rows if row.name == REFERENCE), None)
    if reference is not None:
        sentences.append(
            f"The runtime's checks and bookkeeping cost {-reference.difference_us:.1f} µs "
            "an answer over the reference loop."
        )
    else:
        sentences.append(
            "No reference loop was timed: it runs one expert, and this bundle may run several."
        )
    if not rivals:
        sentences.append(
            "No baseline was measured: train one with `edge-experts train --dense all`, convert "
            "it, and pass it with --against."
        )
    return sentences


def headline(result: Benchmark) -> str:
    """Say in one sentence what an answer costs, beside the first baseline if there is one."""
    ours = result.rows[0]
    costs = [f"{number(result.warm.total_us['p50'])} µs"]
    if ours.growth is not None:
        costs.append(f"{ours.growth.growth_bytes / 1e6:.1f} MB of memory")
    told = f"An answer of {result.bundle} takes {' and '.join(costs)}"
    name = primary(ours.scores)
    if name is not None:
        told += f", with {name} {ours.scores[name].text}"
    other = baseline(result)
    return f"{told}; {_speed(other)}." if other else f"{told}."


def baseline(result: Benchmark) -> Row | None:
    """Return the first row that is no part of the bundle's own measurement."""
    return next(iter(_rivals(result)), None)


def _rivals(result: Benchmark) -> list[Row]:
    return [row for row in result.rows if row.name not in (SPARSE, REFERENCE)]


def _speed(row: Row) -> str:
    low, high = row.ratio_interval
    interval = f"(95 %: {low:.2f} to {high:.2f})"
    if low > 1:
        return f"{row.name} takes {row.ratio:.2f} times as long as the sparse experts {interval}"
    if high < 1:
        return f"{row.name} takes {row.ratio:.2f} of the sparse experts' time {interval}"
    return f"{row.name} is not significantly slower or faster than the sparse experts {interval}"


def _beside(ours: Row, row: Row) -> str:
    """Describe latency, score and size of a baseline."""
    told = [_speed(row)]
    name = primary(ours.scores)
    if name is not None and name in row.scores:
        told.append(f"its {name} is {row.scores[name].text}, theirs {ours.scores[name].text}")
    told.append(f"its files take {_kb(row)}, theirs {_kb(ours)}")
    return "; ".join(told) + "."


def _kb(row: Row) -> str:
    return f"{row.total_bytes / 1000:,.0f} kB"

"""Conclusion of a benchmark in words: each contender beside the sparse bundle."""

from __future__ import annotations

from ..benchmark import Benchmark
from ..row import REFERENCE, SPARSE, Row
from ..score import primary


def verdict(result: Benchmark) -> list[str]:
    """List a sentence for each contender, and the values that were not measured."""
    ours = result.rows[0]
    rivals = [row for row in result.rows if row.name not in (SPARSE, REFERENCE)]
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


def _beside(ours: Row, row: Row) -> str:
    """Describe latency, score and size of a baseline."""
    low, high = row.ratio_interval
    if low > 1:
        speed = f"takes {row.ratio:.2f} times as long as the sparse experts"
    elif high < 1:
        speed = f"takes {row.ratio:.2f} of the sparse experts' time"
    else:
        speed = "is not significantly slower or faster than the sparse experts"
    told = [f"{row.name} {speed} (95 %: {low:.2f} to {high:.2f})"]
    name = primary(ours.scores)
    if name is not None and name in row.scores:
        told.append(f"its {name} is {row.scores[name].text}, theirs {ours.scores[name].text}")
    told.append(f"its files take {_kb(row)}, theirs {_kb(ours)}")
    return "; ".join(told) + "."


def _kb(row: Row) -> str:
    return f"{row.total_bytes / 1000:,.0f} kB"

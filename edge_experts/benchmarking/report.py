"""A benchmark as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from .benchmark import REFERENCE, SPARSE, Benchmark
from .latency import Latency


def as_text(result: Benchmark) -> str:
    """Two tables: where the bundle's time goes, and the contenders side by side."""
    environment = result.environment
    lines = [
        f"{result.bundle}: {result.golden_examples} golden examples answered as published, on "
        f"{environment['interpreter']} {environment['version']}, "
        f"{environment.get('board') or environment.get('cpu') or environment['machine']}, "
        f"{result.threads} thread(s)",
        "",
        *table(
            ["µs", "p50", "p90", "p99", "features", "route", "load", "invoke"],
            [
                _phase("cold: open + first answer", result.cold),
                _phase("switch: expert not in memory", result.switch),
                _phase("warm", result.warm),
            ],
        ),
        "(features, route, load, invoke: medians of each part)",
        "",
        *table(
            [
                "side by side",
                "p50 µs",
                "p99 µs",
                "time ratio",
                "files kB",
                "growth MB",
                "anon",
                "file",
            ],
            [
                [
                    row.name,
                    _number(row.warm.total_us["p50"]),
                    _number(row.warm.total_us["p99"]),
                    f"{row.ratio:.2f}",
                    f"{row.total_bytes / 1000:.0f}",
                    *(
                        ["", "", ""]
                        if row.growth is None
                        else [
                            f"{value / 1e6:.1f}"
                            for value in (
                                row.growth.growth_bytes,
                                row.growth.anonymous_bytes,
                                row.growth.file_bytes,
                            )
                        ]
                    ),
                ]
                for row in result.rows
            ],
        ),
        "(time ratio: to the sparse experts, medians paired round by round; growth: peak memory",
        " above that of Python, numpy and the interpreter, with room for one expert)",
    ]
    reference = next((row for row in result.rows if row.name == REFERENCE), None)
    if reference is not None:
        lines.append(
            f"The runtime's checks and bookkeeping cost {-reference.difference_us:.1f} µs "
            "an answer over the reference loop."
        )
    if len(result.rows) < 3:
        lines.append(
            "No rival was measured: train one with `edge-experts train --dense all`, convert it, "
            "and pass it with --against."
        )
    return "\n".join(lines)


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Aligned columns, the first to the left."""
    widths = [max(len(row[column]) for row in [header, *rows]) for column in range(len(header))]
    return [
        "  ".join(
            cell.rjust(width) if column else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in [header, *rows]
    ]


def _phase(name: str, latency: Latency | None) -> list[str]:
    if latency is None:
        return [name, *["-"] * 7]
    parts = [_number(part["p50"]) for part in latency.parts_us.values()]
    return [name, *(_number(value) for value in latency.total_us.values()), *parts]


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


__all__ = ["SPARSE", "as_text", "table"]

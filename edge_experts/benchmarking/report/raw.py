"""Raw times of a benchmark, for a reader's own statistics."""

from __future__ import annotations

import csv
import io

from ..benchmark import Benchmark

HEADER = ("contender", "session", "round", "input", "microseconds")


def as_csv(result: Benchmark) -> str:
    """Format one line for each warm answer, numbered from 0."""
    text = io.StringIO()
    lines = csv.writer(text)
    lines.writerow(HEADER)
    for number, session in enumerate(result.sessions):
        for name, times in session.times.items():
            for turn, answers in enumerate(times.tolist()):
                for place, microseconds in enumerate(answers):
                    lines.writerow((name, number, turn, place, round(microseconds, 3)))
    return text.getvalue()

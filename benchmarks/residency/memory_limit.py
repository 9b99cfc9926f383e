"""Memory that a language model takes beside its budget, and whether its text stays the same.

Each budget is measured in a separate process, which samples its own anonymous and shared pages and
swap while it writes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

from edge_experts import ExpertRuntime, subprocesses
from edge_experts.errors import ThresholdError
from edge_experts.runtime import interpreter
from edge_experts.runtime.memory import process_memory
from edge_experts.runtime.tasks.language_model.continuation import Prompt

_INTERVAL = 0.001  # seconds between samples
_MB = 1e6


@dataclass(frozen=True)
class LimitRow:
    """Outcome of one budget; bytes are above the process with the interpreter alone.

    Attributes:
        budget: None: no limit.
        peak_bytes: most anonymous, shared and swapped memory of any sample.
        same: the text is that of the process without a limit.
        miss_rate: share of the uses of experts that had to load one.
    """

    budget: int | None
    peak_bytes: int
    tokens: int
    same: bool
    miss_rate: float
    tokens_per_second: float


def measure(
    bundle: Path, budgets: Sequence[int], prompt: str, tokens: int, context: int
) -> list[LimitRow]:
    """Measure without a budget, then with each one.

    Raises:
        EdgeExpertsError: the bundle is no language model, or a budget is below its minimum.
    """
    rows: list[LimitRow] = []
    wanted = ""
    for budget in (None, *budgets):
        text, row = subprocesses.call(run, bundle, budget, prompt, tokens, context)
        wanted = wanted or text
        rows.append(LimitRow(budget, same=text == wanted, **row))
    return rows


def run(
    bundle: Path, budget: int | None, prompt: str, tokens: int, context: int
) -> tuple[str, dict[str, Any]]:
    """Write one text in this process; return it, and the figures of a row."""
    interpreter.description()  # imports the interpreter, which belongs to the base
    base, peak, ended = process_memory.read().private, 0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(_INTERVAL):
            peak = max(peak, process_memory.read().private)

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        with ExpertRuntime(bundle, memory_budget=budget, context=context) as runtime:
            start = perf_counter()
            stream = runtime.stream(Prompt(prompt, max_tokens=tokens))
            text = "".join(stream)
            seconds = perf_counter() - start
            answer: Any = stream.answer()
    finally:
        ended.set()
        sampler.join()
    uses = answer.expert_loads + answer.expert_hits
    return text, {
        "peak_bytes": max(peak - base, 0),
        "tokens": answer.tokens,
        "miss_rate": answer.expert_loads / uses,
        "tokens_per_second": answer.tokens / seconds,
    }


def refuse(rows: Sequence[LimitRow]) -> None:
    """Raise ThresholdError where a process took more than its budget, or wrote another text."""
    for row in rows:
        if row.budget is not None and row.peak_bytes > row.budget:
            raise ThresholdError(
                f"with a budget of {row.budget / _MB:.1f} MB it took {row.peak_bytes / _MB:.1f} MB"
            )
        if not row.same:
            raise ThresholdError(f"with a budget of {row.budget} bytes the text is another one")


def as_table(rows: Sequence[LimitRow]) -> list[list[str]]:
    """Build a line for each row."""
    header = ["budget MB", "taken MB", "same text", "misses", "tokens/s"]
    return [
        header,
        *(
            [
                "none" if row.budget is None else f"{row.budget / _MB:.0f}",
                f"{row.peak_bytes / _MB:.1f}",
                "yes" if row.same else "no",
                f"{row.miss_rate:.1%}",
                f"{row.tokens_per_second:.1f}",
            ]
            for row in rows
        ),
    ]


def draw(rows: Sequence[LimitRow], path: Path) -> None:
    """Draw taken memory as bars, each budget as a line across its bar; needs matplotlib."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 1 + 0.4 * len(rows)), layout="constrained")
    names = ["no budget" if row.budget is None else f"{row.budget / _MB:.0f} MB" for row in rows]
    taken = [row.peak_bytes / _MB for row in rows]
    colors = ["tab:gray" if row.budget is None else "tab:blue" for row in rows]
    axes.barh(names, taken, color=colors)
    scale = max(taken) / 400
    for place, row in enumerate(rows):
        end = max(row.peak_bytes, row.budget or 0) / _MB
        axes.text(end + 8 * scale, place, f"{row.peak_bytes / _MB:.1f}", va="center")
        if row.budget is not None:
            line = [row.budget / _MB] * 2
            axes.plot(line, [place - 0.45, place + 0.45], color="black", linewidth=2)
    axes.set_title("memory taken, MB; black line: --memory-budget", fontsize=12, loc="left")
    axes.spines[["top", "right"]].set_visible(False)
    axes.margins(x=0.1)
    axes.invert_yaxis()
    figure.savefig(path)

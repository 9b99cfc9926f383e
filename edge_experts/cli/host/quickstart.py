from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..hints import print_next
from ..options import require_training

_SENTENCES = (
    "A film to remember, from its first minute to its last.",
    "The battery died after two days and nobody answered my mails.",
    "best day ever :)",
)


def quickstart(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder of runs and bundles; an earlier one's are replaced."
        ),
    ] = Path("quickstart"),
) -> None:
    """Train, convert, run and benchmark on real sentences.

    Takes about five minutes.

    Example: edge-experts quickstart --out my-first-experts
    """
    require_training()
    start = time.monotonic()
    from ... import datasets

    print("1. Train sparse experts, and two dense networks to compare them with", flush=True)
    dataset = datasets.load("sentiment")
    from ...experiments import comparison

    out.mkdir(parents=True, exist_ok=True)
    compared = comparison.compare(
        dataset, out, rows=[comparison.SPARSE], force=True, seed_folders=False
    )
    print("\n2. What the converted files get right\n", flush=True)
    print(comparison.as_text(compared))

    bundle = out / f"{comparison.SPARSE}.bundle"
    print(f"\n3. Answers from {bundle}, with only the picked expert in memory\n", flush=True)
    from ...benchmarking.measure.growth import room_for_one
    from ...runtime import ExpertRuntime

    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        for sentence in _SENTENCES:
            answer = runtime.predict(sentence)
            print(f"{answer.label}  {answer.score:.2f}  expert {answer.expert}  {sentence}")

    print("\n4. Benchmark on this machine\n", flush=True)
    from ...benchmarking.benchmark import benchmark
    from ...benchmarking.report.text_report import as_text

    rivals = [out / f"{name}.bundle" for name in (comparison.DENSE_ACTIVE, comparison.DENSE_ALL)]
    print(as_text(benchmark(bundle, against=rivals)))
    minutes = (time.monotonic() - start) / 60
    print(f"\nDone in {minutes:.1f} minutes. To run it on a Raspberry Pi, see docs/boards.md.")
    print_next("run", bundle, "your own sentence")

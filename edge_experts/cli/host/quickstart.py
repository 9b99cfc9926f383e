from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ..hints import print_next
from ..shared_options import require_training

_SENTENCES = (
    "A film to remember, from its first minute to its last.",
    "The battery died after two days and nobody answered my mails.",
    "best day ever :)",
)


def quickstart(
    out: Annotated[
        Path,
        typer.Option(
            metavar="FOLDER", help="Folder of runs and bundles; existing ones are replaced."
        ),
    ] = Path("quickstart"),
) -> None:
    """Deploy experts, then add one for a new domain.

    Real sentences from film reviews, product reviews and editorials come first, tweets later. A
    dense network of as many weights learns the same, fine-tuned or trained anew. Takes about five
    minutes.

    Example: edge-experts quickstart --out my-first-experts
    """
    require_training()
    start = time.monotonic()
    from ...experiments import new_domain

    step = 0

    def heading(text: str) -> None:
        nonlocal step
        step += 1
        print(f"\n{step}. {text}\n", flush=True)

    result = new_domain.arrive(new_domain.sentiment(), out, told=heading)
    bundle = out / f"{new_domain.GROWN}.bundle"
    heading(f"Answers from {bundle}, with only the picked expert in memory")
    from ...benchmarking.measure.growth import room_for_one
    from ...runtime import ExpertRuntime

    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        for sentence in _SENTENCES:
            answer = runtime.predict(sentence)
            print(f"{answer.label}  {answer.score:.2f}  expert {answer.expert}  {sentence}")

    heading("Accuracy on test examples, and what each update costs")
    print(new_domain.as_text(result))
    minutes = (time.monotonic() - start) / 60
    print(f"\nDone in {minutes:.1f} minutes. To run it on a Raspberry Pi, see docs/boards.md.")
    dense = out / f"{new_domain.RETRAINED}.bundle"
    print_next("benchmark", bundle, "--against", dense)

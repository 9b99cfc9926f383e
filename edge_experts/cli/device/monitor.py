from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..shared_options import Bundle, Json, MemoryBudget, print_json

if TYPE_CHECKING:
    from ...runtime.drift.drift_monitor import Drift


def monitor(
    bundle: Bundle,
    input: Annotated[  # noqa: A002  as of run
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Inputs, as for training: .csv, .npz, .jsonl, lines ...",
            show_default="lines of stdin",
        ),
    ] = None,
    fail_on_drift: Annotated[
        bool, typer.Option("--fail-on-drift", help="Exit code 5 if there is drift.")
    ] = False,
    memory_budget: MemoryBudget = None,
    json: Json = False,
) -> None:
    """Tell whether inputs still look like the validation data.

    Compares the router's picks, its confidence, and the confidence of the answers with those on the
    validation examples. If inputs did not change and are independent, a false alarm is raised on
    one device in a thousand, however long each runs.

    Example: edge-experts monitor sentiment.bundle --input yesterday.txt
    """
    from ...errors import ThresholdError, UsageError
    from ...runtime import ExpertRuntime
    from .examples import answers
    from .watch import Watch

    with ExpertRuntime(bundle, memory_budget=memory_budget, monitor=True) as runtime:
        if not runtime.task.watched:
            raise UsageError(
                f"{bundle}: monitoring is not supported for {runtime.task.name}; `evaluate --data "
                "FILE` measures how well it does on new inputs"
            )
        if runtime.drift is None:
            raise UsageError(
                f"{bundle}: has no figures of its validation examples; convert it again"
            )
        watch = Watch(runtime, drift=False)
        for _ in answers(runtime, None, input, watch):
            pass
        found: Drift = runtime.drift
    if not found.answers:
        raise UsageError("there are no inputs; give them on stdin, or with --input FILE")
    if json:
        print_json({"schema_version": "1.0", **in_json(found)})
    else:
        print("\n".join(_lines(found)))
    if found.drifted and fail_on_drift:
        raise ThresholdError(found.warning)
    watch.finish()


def in_json(found: Drift) -> dict[str, Any]:
    """Content of `--json`."""
    from dataclasses import asdict

    def rounded(signal: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "distance": round(signal["distance"], 4),
            "reference": [round(share, 4) for share in signal["reference"]],
            "seen": [round(share, 4) for share in signal["seen"]],
        }

    return {
        "drift": found.drifted,
        "answers": found.answers,
        "since": found.since,
        "signals": {name: rounded(asdict(one)) for name, one in found.signals.items()},
    }


def _lines(found: Drift) -> list[str]:
    from ...text_table import aligned

    rows = [["signal", "distance", "validation, %", "now, %"]]
    for name, one in sorted(found.signals.items()):
        rows.append([name, f"{one.distance:.1%}", _shares(one.reference), _shares(one.seen)])
    return [
        f"{found.answers:,} answers; the share of them in each range of a signal:",
        *aligned(rows),
        f"drift, after {found.since:,} answers: {found.warning}"
        if found.since is not None
        else "no drift was found",
    ]


def _shares(shares: tuple[float, ...]) -> str:
    """Share of each bin in percent; of many bins only the first ten."""
    shown = " ".join(f"{100 * share:.0f}" for share in shares[:10])
    return f"{shown} ..." if len(shares) > 10 else shown

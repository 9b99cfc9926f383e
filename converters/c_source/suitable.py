"""What can become C source, told before any work is done."""

from __future__ import annotations

from pathlib import Path

from edge_experts import run_folder
from edge_experts.errors import UnsuitableError


def refuse(kind: str, *, asks_one: bool) -> None:
    """Raises UnsuitableError where a board could not make the features, or asks several experts."""
    if kind not in ("array", "table"):
        raise UnsuitableError(
            f"C source holds for arrays and tables, whose features are a scaling; features of kind "
            f"{kind!r} are made by code that is not there in C. Use the runtime in Python, or make "
            "arrays of your inputs, which a board can make too, and train on them"
        )
    if not asks_one:
        raise UnsuitableError(
            "C source holds for models that ask one expert for each input; convert with --top-k 1 "
            "and without --second-share, and train with --combine top"
        )


def refuse_run(run: Path, *, top_k: int | None = None, second_share: float | None = None) -> None:
    """The same of a training that is to be converted with these options; raises likewise."""
    found = run_folder.read_run(run)
    by_gate = found.combine == "top" and (top_k or found.top_k) == 1 and second_share is None
    refuse(found.feature_kind, asks_one=by_gate or found.experts == 1)

"""Table of published checkpoints in docs/checkpoints.md, computed by the code of `inspect`.

    python -m tests.documents.checkpoint_table

prints it. `tests/data/published_checkpoints.json` has the settings of their config.json that sizes
depend on.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from edge_experts.converters.checkpoints.checkpoint_report import sizes
from edge_experts.converters.checkpoints.file_plan import plan_files
from edge_experts.converters.checkpoints.model_config import parse_config

_DATA = Path(__file__).parents[1] / "data" / "published_checkpoints.json"
_BOARDS = (0.5, 1, 2, 4, 8, 16)  # GB of memory
SYSTEM = 400_000_000  # bytes for the system and the interpreter: an assumption
RECIPES = ("int8", "int4")


def lines() -> Iterator[str]:
    """Return the rows of the table, with its head."""
    yield "| checkpoint | files | on disk | least memory | board | all experts in memory | board |"
    yield "|---|---|---|---|---|---|---|"
    for name, config in json.loads(_DATA.read_text()).items():
        plan = plan_files(
            parse_config(json.dumps(config).encode(), Path(name, "config.json")), None
        )
        for recipe in RECIPES:
            found = sizes(plan, recipe)
            yield (
                f"| {name} | {recipe} | {_gb(found.bundle)} | {_gb(found.least)} "
                f"| {_board(found.least)} | {_gb(found.resident)} | {_board(found.resident)} |"
            )


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB"


def _board(memory: int) -> str:
    fit = (size for size in _BOARDS if memory + SYSTEM <= size * 2**30)
    smallest = next(fit, None)
    return "none" if smallest is None else f"{smallest:g} GB"


if __name__ == "__main__":
    print("\n".join(lines()))

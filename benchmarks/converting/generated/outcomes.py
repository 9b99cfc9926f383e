"""Outcomes of generated networks by interpreter and recipe.

Random networks (see `random_networks.py`) are converted by the worker processes of `convert`, and
each file answers 200 inputs in a process without TensorFlow, on each installed interpreter. In
float32 no score may differ from Keras's by more than 1e-4; in other recipes 97 % of the labels must
be equal, of inputs whose two best scores in Keras differ by 0.2 or more. Networks that the
converter or the interpreter refuses, and those that `convert` refuses for their loss of accuracy,
are listed by the reason.
"""

from __future__ import annotations

import re
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from edge_experts.converters.process.pool import Workers
from edge_experts.converters.recipes import RECIPE_NAMES

from edge_experts.errors import ThresholdError

from .answer_process import INTERPRETERS
from .checking import Result, check, interpreters

_BATCH = 10
_OUTCOMES = ("agrees", "differs", "refused")


def measure(first: int, count: int, results: Path | None, each: int) -> list[Result]:
    """Check networks, one for each seed, from the first seed on.

    Args:
        results: a file that gets one JSON line for each result.
        each: one network in this many is converted in all recipes, the others in two.
    """
    found: list[Result] = []
    with tempfile.TemporaryDirectory() as temporary, Workers(Path(temporary), 1) as workers:
        for start in range(first, first + count, _BATCH):
            with tempfile.TemporaryDirectory(dir=temporary) as folder:
                seeds = range(start, min(start + _BATCH, first + count))
                batch = list(check(seeds, Path(folder), workers, lambda seed: recipes(seed, each)))
            found += batch
            if results is not None:
                with results.open("a") as file:
                    file.writelines(result.to_json() + "\n" for result in batch)
    return found


def recipes(seed: int, each: int) -> tuple[str, ...]:
    """Return all recipes for one network in `each`, and the two most different for the others."""
    return RECIPE_NAMES if seed % each == 0 else ("float32", "int8")


def missing() -> list[str]:
    """List the interpreters that are not installed here."""
    return sorted(set(INTERPRETERS) - set(interpreters()))


def report(found: Sequence[Result], count: int) -> dict[str, Any]:
    """Build the content for JSON."""
    outcomes = []
    for name in ["", *interpreters()]:
        for recipe in RECIPE_NAMES:
            own = Counter(r.outcome for r in found if (r.interpreter, r.recipe) == (name, recipe))
            counts = {outcome: own[outcome] for outcome in _OUTCOMES}
            outcomes.append({"interpreter": name or "(converter)", "recipe": recipe, **counts})
    refused = Counter(f"{r.recipe}: {_short(r.reason)}" for r in found if r.outcome == "refused")
    return {
        "models": count,
        "networks": len({(r.seed, r.network) for r in found}),
        "outcomes": outcomes,
        "refused": [{"reason": why, "times": times} for why, times in refused.most_common()],
        "differs": [asdict(r) for r in found if r.outcome == "differs"],
    }


def as_table(content: dict[str, Any]) -> list[list[str]]:
    """Build one row for each interpreter and recipe."""
    columns = ("interpreter", "recipe", *_OUTCOMES)
    rows = [[str(row[column]) for column in columns] for row in content["outcomes"]]
    return [list(columns), *rows]


def notes(content: dict[str, Any], found: Sequence[Result]) -> list[str]:
    """Describe refusals by their reasons, and every file that differs from Keras."""
    return [
        f"{content['models']} generated models, {content['networks']} networks",
        *(f"refused {row['times']} times, {row['reason']}" for row in content["refused"]),
        *(f"DIFFERS {result.to_json()}" for result in found if result.outcome == "differs"),
    ]


def refuse_differences(found: Sequence[Result]) -> None:
    """Raise ThresholdError if a file differs from Keras."""
    wrong = sum(result.outcome == "differs" for result in found)
    if wrong:
        raise ThresholdError(f"{wrong} files do not agree with Keras")


def _short(reason: str) -> str:
    """Shorten a reason: without the file, and the same for all of a kind."""
    said = re.sub(r"^\S+\.\w+: |^\S*/\S*: ", "", reason)
    return re.sub(r"\d+(\.\d+)?|of accuracy on .*", "#", said)[:160]

"""`python -m benchmarks.converting.generated [--count 200] [--first 0] [--results FILE]`.

Random networks (see `networks.py`) are converted in every recipe (with `--all-recipes-each 10`
every tenth of them, the others in float32 and int8) by the worker processes of `convert`, and each
file is asked for 200 inputs in a process without TensorFlow, on each interpreter that is installed.
In float32 no score may be farther from Keras's than 1e-4; in other recipes 97 % of the labels must
be equal, of inputs whose two best scores in Keras are 0.2 or more apart. What the converter or the
interpreter refuses, and what loses so much accuracy that `convert` refuses it, is listed by its
reason.
"""

from __future__ import annotations

import argparse
import re
import sys
import tempfile
from collections import Counter
from pathlib import Path

from edge_experts.converters.process.pool import Workers
from edge_experts.converters.recipes import RECIPE_NAMES

from edge_experts.errors import ThresholdError

from .answers import INTERPRETERS
from .checking import Result, check, interpreters

_BATCH = 10


def main(first: int, count: int, results: Path | None, each: int) -> None:
    for missing in set(INTERPRETERS) - set(interpreters()):
        print(f"Warning: {missing} is not installed, and NOT CHECKED", file=sys.stderr)
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
    _tell(found, count)


def recipes(seed: int, each: int) -> tuple[str, ...]:
    """All for every so many networks, the two that are farthest apart for the others."""
    return RECIPE_NAMES if seed % each == 0 else ("float32", "int8")


def _tell(found: list[Result], count: int) -> None:
    print(f"{count} generated models, {len({(r.seed, r.network) for r in found})} networks")
    print(f"{'interpreter':<16}{'recipe':<10}{'agree':>7}{'differ':>8}{'refused':>9}")
    for name in ["", *interpreters()]:
        for recipe in RECIPE_NAMES:
            outcomes = Counter(
                r.outcome for r in found if (r.interpreter, r.recipe) == (name, recipe)
            )
            counts = (outcomes[outcome] for outcome in ("agrees", "differs", "refused"))
            print(f"{name or '(converter)':<16}{recipe:<10}{'{:>7}{:>8}{:>9}'.format(*counts)}")
    reasons = Counter(f"{r.recipe}: {_short(r.reason)}" for r in found if r.outcome == "refused")
    for reason, times in reasons.most_common():
        print(f"refused {times} times, {reason}")
    wrong = [r for r in found if r.outcome == "differs"]
    for r in wrong:
        print(f"DIFFERS {r.to_json()}")
    if wrong:
        raise ThresholdError(f"{len(wrong)} files do not agree with Keras")


def _short(reason: str) -> str:
    """Without the file, and alike for all of a kind."""
    said = re.sub(r"^\S+\.\w+: |^\S*/\S*: ", "", reason)
    return re.sub(r"\d+(\.\d+)?|of accuracy on .*", "#", said)[:160]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--first", type=int, default=0, help="seed to start at")
    parser.add_argument("--results", type=Path, help="a file that gets a JSON line a result")
    parser.add_argument("--all-recipes-each", type=int, default=1, help="networks; 1: all of them")
    given = parser.parse_args()
    try:
        main(given.first, given.count, given.results, given.all_recipes_each)
    except ThresholdError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)

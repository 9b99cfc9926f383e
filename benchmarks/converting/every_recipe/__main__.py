"""`python -m benchmarks.converting.every_recipe RUN [RUN ...]`: what each recipe costs.

Each run is converted in every recipe, and on each interpreter that is installed a process of its
own measures the bundles: accuracy as deployed on the test examples, the median answer (all recipes
answer in turn) also as a ratio to int8's, and what the router and the largest expert take in
memory. `--max-int8-loss 0.5` ends with exit code 5 where int8 is more points below float32.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from edge_experts.converters.convert import convert
from edge_experts.converters.process.child_process import run_module
from edge_experts.converters.recipes import RECIPE_NAMES

from edge_experts import run_folder
from edge_experts.errors import ConversionError, EdgeExpertsError, ModelError, ThresholdError
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

INTERPRETERS = ("tflite_runtime", "ai_edge_litert")
_ANY_DROP = 100.0  # points: what a recipe loses is to be seen


@dataclass(frozen=True)
class Row:
    """One run in one recipe on one interpreter.

    Attributes:
        bytes: of all files of the bundle.
        accuracy: as deployed, on `examples` test examples.
        p50_us: of an answer, features included.
        time: the ratio of its time to int8's, round by round.
        resident_bytes: of the router and the largest expert, measured.
        refused: why there is nothing of all this.
    """

    run: str
    recipe: str
    interpreter: str
    bytes: int = 0
    accuracy: float = 0.0
    examples: int = 0
    p50_us: float = 0.0
    time: float = 0.0
    resident_bytes: int = 0
    refused: str = ""


def measure(run: Path, interpreters: Sequence[str], recipes: Sequence[str]) -> list[Row]:
    """The rows of one run."""
    description = run_folder.read_run(run)
    features = run_folder.read_features(run, description)
    test = run_folder.read_examples(run, features)["test"]
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        job = Path(temporary)
        sizes = {}
        for recipe in recipes:
            try:
                made = convert(
                    run,
                    job / f"{recipe}.bundle",
                    quantization=recipe,
                    max_accuracy_drop=_ANY_DROP,
                )
            except (ConversionError, ModelError) as error:
                rows += [Row(run.name, recipe, one, refused=str(error)) for one in interpreters]
            else:
                sizes[recipe] = made.bytes
        (job / "inputs.npz").write_bytes(npz(inputs=features.pack(list(test.inputs))))
        np.save(job / "targets.npy", test.targets)
        for interpreter in interpreters:
            with Progress(f"Measuring on {interpreter}", 2 * len(sizes) + 1) as progress:
                module = "benchmarks.converting.every_recipe.asking"
                run_module(module, job, progress.step, _failure, interpreter=interpreter)
            found = json.loads((job / "measured.json").read_text())
            for recipe, one in found.items():
                accuracy = one.pop("right", 0) / len(test.targets)
                rest = {"bytes": sizes[recipe], "accuracy": accuracy, "examples": len(test.targets)}
                rows.append(Row(run.name, recipe, interpreter, **rest, **one))
    return rows


def int8_losses(rows: Sequence[Row]) -> dict[tuple[str, str], float]:
    """Points of accuracy that int8 is below float32, by run and interpreter."""
    accuracy = {(r.run, r.interpreter, r.recipe): r.accuracy for r in rows if not r.refused}
    return {
        (run, interpreter): 100 * (accuracy[run, interpreter, "float32"] - value)
        for (run, interpreter, recipe), value in accuracy.items()
        if recipe == "int8" and (run, interpreter, "float32") in accuracy
    }


def as_table(rows: Sequence[Row], interpreters: Sequence[str]) -> str:
    """A row for each run and recipe, in Markdown."""
    columns = [
        f"{name}: accuracy | µs | time / int8's | resident kB" for name in map(_plain, interpreters)
    ]
    lines = [f"| run | recipe | kB | {' | '.join(columns)} |"]
    lines.append("|" + "---|" * (3 + 4 * len(interpreters)))
    for run, recipe in dict.fromkeys((r.run, r.recipe) for r in rows):
        own = {r.interpreter: r for r in rows if (r.run, r.recipe) == (run, recipe)}
        size = max(r.bytes for r in own.values())
        cells = [run, recipe, f"{size / 1000:,.0f}" if size else ""]
        for interpreter in interpreters:
            row = own[interpreter]
            cells += (
                ["refused", "", "", ""]
                if row.refused
                else [
                    f"{row.accuracy:.4f}",
                    f"{row.p50_us:,.0f}",
                    f"{row.time:.2f}",
                    f"{row.resident_bytes / 1000:,.0f}",
                ]
            )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _plain(package: str) -> str:
    return package.replace("_", "-")


def _failure(last: str, reason: str) -> EdgeExpertsError:
    return ModelError(f"measuring ended at {last}: {reason}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--interpreters", nargs="+", choices=INTERPRETERS, default=None)
    parser.add_argument("--recipes", nargs="+", choices=RECIPE_NAMES, default=list(RECIPE_NAMES))
    parser.add_argument("--max-int8-loss", type=float, help="points of accuracy under float32")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    installed = [name for name in INTERPRETERS if importlib.util.find_spec(name)]
    for missing in set(INTERPRETERS) - set(installed):
        print(f"Warning: {missing} is not installed, and NOT MEASURED", file=sys.stderr)
    interpreters = asked.interpreters or installed
    rows = [row for run in asked.runs for row in measure(run, interpreters, asked.recipes)]
    if asked.json:
        print(json.dumps({"schema_version": "1.0", "rows": [asdict(row) for row in rows]}))
    else:
        print(as_table(rows, interpreters))
    for row in rows:
        if row.refused:
            print(f"{row.run}, {row.recipe}, {row.interpreter}: {row.refused}", file=sys.stderr)
    losses = int8_losses(rows)
    for (run, interpreter), loss in losses.items():
        print(f"{run}, {interpreter}: int8 loses {loss:.2f} points to float32", file=sys.stderr)
    if asked.max_int8_loss is not None and max(losses.values(), default=0.0) > asked.max_int8_loss:
        raise ThresholdError(f"int8 loses more than --max-int8-loss {asked.max_int8_loss}")


if __name__ == "__main__":
    try:
        main()
    except EdgeExpertsError as error:
        print(f"Error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)

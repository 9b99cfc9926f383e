"""Accuracy, latency and memory of one run in every recipe, on every interpreter.

Each run is converted in every recipe, and on each interpreter that is installed a process of its
own measures the bundles: accuracy as deployed on the test examples, the median answer (all recipes
answer in turn) also as a ratio to int8's, and the memory of the router and the largest expert.
"""

from __future__ import annotations

import importlib.util
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from edge_experts.converters.convert import convert
from edge_experts.converters.process.child_process import run_module

from edge_experts import run_folder
from edge_experts.errors import ConversionError, EdgeExpertsError, ModelError, ThresholdError
from edge_experts.format.npz import npz
from edge_experts.progress import Progress

INTERPRETERS = ("tflite_runtime", "ai_edge_litert")
_ANY_DROP = 100.0  # points: no loss of accuracy is refused


@dataclass(frozen=True)
class RecipeFigures:
    """Measurements of one trained model, converted with one recipe, on one interpreter.

    Attributes:
        bytes: of all files of the bundle.
        accuracy: as deployed, on `examples` test examples.
        p50_us: of an answer, features included.
        time: the ratio of its time to int8's, round by round.
        resident_bytes: of the router and the largest expert, measured.
        refused: the error if nothing could be measured.
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


def measure_all(
    runs: Sequence[Path], interpreters: Sequence[str], recipes: Sequence[str]
) -> list[RecipeFigures]:
    """Measure the runs, one after the other."""
    return [row for run in runs for row in measure(run, interpreters, recipes)]


def measure(run: Path, interpreters: Sequence[str], recipes: Sequence[str]) -> list[RecipeFigures]:
    """Measure one run."""
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
                rows += [
                    RecipeFigures(run.name, recipe, one, refused=str(error)) for one in interpreters
                ]
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
                rows.append(RecipeFigures(run.name, recipe, interpreter, **rest, **one))
    return rows


def int8_losses(rows: Sequence[RecipeFigures]) -> dict[tuple[str, str], float]:
    """Compute the points of accuracy that int8 is below float32, by run and interpreter."""
    accuracy = {(r.run, r.interpreter, r.recipe): r.accuracy for r in rows if not r.refused}
    return {
        (run, interpreter): 100 * (accuracy[run, interpreter, "float32"] - value)
        for (run, interpreter, recipe), value in accuracy.items()
        if recipe == "int8" and (run, interpreter, "float32") in accuracy
    }


def as_table(rows: Sequence[RecipeFigures], interpreters: Sequence[str]) -> list[list[str]]:
    """Build one row for each run and recipe."""
    header = ["run", "recipe", "kB"]
    for name in map(_plain, interpreters):
        header += [f"{name}: accuracy", "µs", "time / int8's", "resident kB"]
    table = [header]
    for run, recipe in dict.fromkeys((r.run, r.recipe) for r in rows):
        own = {r.interpreter: r for r in rows if (r.run, r.recipe) == (run, recipe)}
        size = max(r.bytes for r in own.values())
        cells = [run, recipe, f"{size / 1000:,.0f}" if size else ""]
        for interpreter in interpreters:
            cells += _cells(own[interpreter])
        table.append(cells)
    return table


def _cells(row: RecipeFigures) -> list[str]:
    if row.refused:
        return ["refused", "", "", ""]
    return [
        f"{row.accuracy:.4f}",
        f"{row.p50_us:,.0f}",
        f"{row.time:.2f}",
        f"{row.resident_bytes / 1000:,.0f}",
    ]


def remarks(rows: Sequence[RecipeFigures]) -> list[str]:
    """Describe what was refused, and the accuracy that int8 lost to float32, one line each."""
    refused = [
        f"{row.run}, {row.recipe}, {row.interpreter}: {row.refused}" for row in rows if row.refused
    ]
    losses = [
        f"{run}, {interpreter}: int8 loses {loss:.2f} points to float32"
        for (run, interpreter), loss in int8_losses(rows).items()
    ]
    return [*refused, *losses]


def refuse_loss(rows: Sequence[RecipeFigures], most: float) -> None:
    """Raise ThresholdError if int8 loses more points to float32 than allowed."""
    if max(int8_losses(rows).values(), default=0.0) > most:
        raise ThresholdError(f"int8 loses more than --max-int8-loss {most}")


def installed() -> list[str]:
    """List the interpreters that are installed here."""
    return [name for name in INTERPRETERS if importlib.util.find_spec(name)]


def _plain(package: str) -> str:
    return package.replace("_", "-")


def _failure(last: str, reason: str) -> EdgeExpertsError:
    return ModelError(f"measuring ended at {last}: {reason}")

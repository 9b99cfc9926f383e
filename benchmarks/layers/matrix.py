"""Matrix of layers and joins by the ways in which a network becomes an expert or a router.

Every case is trained as `--model` and as `--router-model`, and adopted from the files of tf_keras
and Keras 3; then it is converted to float32 and int8, and the float32 files must answer as Keras
does, to 1e-3 of the largest output. Two processes try the cases, each with a process for
conversions and one for the interpreter; all are reused.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from edge_experts.converters.process.pool import Workers

from edge_experts.errors import ThresholdError
from edge_experts.progress import Progress

from . import keras3_files
from .cases import Case
from .join_cases import join_cases
from .layer_cases import layer_cases

PLAIN = "plain"  # TensorFlow's converter alone
TRAINED = ("--model", "--router-model")  # in one training
ADOPTED = (".keras", ".h5", "SavedModel", "weights only", "Keras 3 .keras", "Keras 3 .h5")
WAYS = (*TRAINED, *ADOPTED)
OUTCOMES = ("works", "falls back", "refused", "late", "traceback")
MOST_REFUSED = 0.1  # share of what TensorFlow's converter alone converts
_WEIGHTS = "weights only"  # cannot be converted by anything: they do not define the network

Found = Mapping[str, Any]  # an `Outcome` as JSON


def every_case() -> list[Case]:
    return [*layer_cases(), *join_cases()]


def measure(
    cases: Sequence[Case],
    ways: Sequence[str] = WAYS,
    *,
    processes: int = 2,
    results: Path | None = None,
) -> list[dict[str, Any]]:
    """Try cases; return the outcomes as JSON, and those of TensorFlow's converter alone.

    Args:
        results: file that gets a line for each outcome, as soon as it is known.
    """

    def on_done(task: Mapping[str, Any]) -> None:
        progress.step(f"{task['case']}, {task['way']}")
        if results is not None and Path(task["out"]).exists():
            with results.open("a", encoding="utf-8") as file:
                file.writelines(
                    json.dumps(each) + "\n"
                    for each in json.loads(Path(task["out"]).read_text(encoding="utf-8"))
                )

    tasks: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keras_3 = folder / "keras-3"
        keras_3.mkdir()
        if any(way.startswith("Keras 3") for way in ways):
            keras3_files.save(keras_3, cases)
        for case in cases:
            for way in (PLAIN, *ways):
                if way != TRAINED[1] and _exists(case, way, keras_3):
                    out = str(folder / f"{len(tasks)}.json")
                    tasks.append({"do": "convert", "case": case.name, "way": way, "out": out})
                    tasks[-1]["keras_3"] = str(keras_3)
        with (
            Workers(folder, processes, "benchmarks.layers.matrix_process") as workers,
            Progress("Layers", len(tasks)) as progress,
        ):
            workers.start(processes)
            died = workers.run(tasks, on_done)
        found: list[dict[str, Any]] = []
        for place, task in enumerate(tasks):
            if place in died:
                found.append(_died(task, died[place]))
            else:
                found += json.loads(Path(task["out"]).read_text(encoding="utf-8"))
    return found


def _exists(case: Case, way: str, keras_3: Path) -> bool:
    """True for a way that the case can go: Keras 3 has it, and no texts are adopted."""
    if way.startswith("Keras 3"):
        return keras3_files.file_of(keras_3, case, way.rpartition(" ")[2]).exists()
    return way in (PLAIN, *TRAINED) or case.data != "text"


def _died(task: Mapping[str, Any], reason: str) -> dict[str, Any]:
    failed = {"case": task["case"], "way": task["way"], "outcome": "traceback", "reason": reason}
    return {**failed, "int8": "", "seconds": 0.0}


def report(found: Sequence[Found]) -> dict[str, Any]:
    """Count the outcomes of each way, and list all that is not simply working."""
    plain = {each["case"] for each in found if (each["way"], each["outcome"]) == (PLAIN, "works")}
    rows = []
    for way in WAYS:
        own = [each for each in found if each["way"] == way]
        counts = Counter(each["outcome"] for each in own)
        refused = [each for each in own if each["outcome"] == "refused" and each["case"] in plain]
        rows.append(
            {
                "way": way,
                "cases": len(own),
                **{outcome: counts[outcome] for outcome in OUTCOMES},
                "int8": sum(each["int8"] == "works" for each in own),
                "plain": sum(each["case"] in plain for each in own),
                "refused_of_plain": len(refused),
            }
        )
    others = [each for each in found if each["way"] != PLAIN and each["outcome"] != "works"]
    counted = [row for row in rows if row["way"] != _WEIGHTS]
    total = sum(row["plain"] for row in counted)
    return {
        "ways": [row for row in rows if row["cases"]],
        "refused_share": sum(row["refused_of_plain"] for row in counted) / max(1, total),
        "others": others,
        "seconds": round(sum(each["seconds"] for each in found)),
    }


def as_table(content: Mapping[str, Any]) -> list[list[str]]:
    """Build one row for each way."""
    columns = ("way", "cases", *OUTCOMES, "int8", "plain", "refused_of_plain")
    return [
        list(columns),
        *([str(row[column]) for column in columns] for row in content["ways"]),
    ]


def notes(content: Mapping[str, Any]) -> list[str]:
    """List refusals, loops and failures by their reasons."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for each in content["others"]:
        if each["way"] != _WEIGHTS:
            key = (each["outcome"], each["case"], str(each["reason"])[:160])
            grouped.setdefault(key, []).append(each["way"])
    return [
        *(
            f"{what}: {case} ({', '.join(ways)}): {why}"
            for (what, case, why), ways in grouped.items()
        ),
        f"refused of what TensorFlow's converter alone converts: {content['refused_share']:.1%}",
    ]


def refuse_failures(content: Mapping[str, Any]) -> None:
    """Raise ThresholdError for late errors and tracebacks, or if too much is refused."""
    wrong = sum(row["late"] + row["traceback"] for row in content["ways"])
    if wrong:
        raise ThresholdError(f"{wrong} cases ended with a traceback or a late error")
    if content["refused_share"] > MOST_REFUSED:
        raise ThresholdError(
            f"{content['refused_share']:.1%} refused of what TensorFlow's converter alone "
            f"converts; at most {MOST_REFUSED:.0%} may be"
        )

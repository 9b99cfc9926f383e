"""Matrix of layers and joins by the ways in which a network becomes an expert or a router.

Every case is trained as `--model` and as `--router-model`, used as `--backbone`, and adopted from
the files of tf_keras and Keras 3. Its networks are converted to float32 and int8, before a training
or after an adoption, and the float32 files must answer as Keras does, to 1e-3 of the largest
output; trained networks are converted as `train` says at its end. A network that `adopt` gets from
several formats with the same layers, settings and weights is converted once. Two processes try the
cases, each with a process for conversions, one for the interpreter and one of Keras 3; all are
reused.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
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
BACKBONE = "--backbone"
ADOPTED = (".keras", ".h5", "SavedModel", "weights only", "Keras 3 .keras", "Keras 3 .h5")
WAYS = (*TRAINED, BACKBONE, *ADOPTED)
OUTCOMES = ("works", "falls back", "refused", "late", "traceback")
MOST_REFUSED = 0.1  # share of what TensorFlow's converter alone converts
_WEIGHTS = "weights only"  # cannot be converted by anything: they do not define the network

Found = Mapping[str, Any]  # an `Outcome` as JSON


def every_case() -> list[Case]:
    return [*layer_cases(), *join_cases()]


def attempts(cases: Iterable[Case], ways: Iterable[str] = WAYS) -> list[tuple[Case, str]]:
    """List every case with every way, and TensorFlow's converter alone."""
    ways = (PLAIN, *ways)
    return [(case, way) for case in cases for way in ways]


def measure(
    tried: Sequence[tuple[Case, str]], *, processes: int = 2, results: Path | None = None
) -> list[dict[str, Any]]:
    """Try cases in their ways; return the outcomes as JSON.

    Args:
        results: file that gets a line for each outcome, as soon as it is known. Outcomes that it
            has already are not repeated.
    """
    known = _known(results)

    def on_done(task: Mapping[str, Any]) -> None:
        progress.step(f"{task['case']}, {', '.join(task['ways'])}")
        if results is not None:
            with results.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(each) + "\n" for each in _outcomes(task))

    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        keras_3 = folder / "keras-3"
        keras_3.mkdir()
        of_keras_3 = dict.fromkeys(
            case
            for case, way in tried
            if way.startswith("Keras 3") and (case.name, way) not in known
        )
        if of_keras_3:
            keras3_files.save(keras_3, of_keras_3)
        tasks = [
            {
                "do": "convert",
                "case": case.name,
                "ways": ways,
                "keras_3": str(keras_3),
                "out": str(folder / f"{place}.json"),
            }
            for place, (case, ways) in enumerate(_together(tried, known, keras_3))
        ]
        with (
            Workers(folder, processes, "benchmarks.layers.matrix_process") as workers,
            Progress("Layers", len(tasks)) as progress,
        ):
            workers.start(min(processes, len(tasks)))
            died = workers.run(tasks, on_done)
        done = [found for task in tasks for found in _outcomes(task)]
        done += [
            _died(tasks[place], way, why)
            for place, why in died.items()
            for way in tasks[place]["ways"]
        ]
    asked = {(case.name, way) for case, way in tried}
    return [known[each] for each in known if each in asked] + done


def _known(results: Path | None) -> dict[tuple[str, str], dict[str, Any]]:
    """Outcomes in a file, by case and way; a line that an interruption cut off is removed."""
    if results is None or not results.exists():
        return {}
    found: dict[tuple[str, str], dict[str, Any]] = {}
    whole, end, _ = results.read_text(encoding="utf-8").rpartition("\n")
    results.write_text(whole + end, encoding="utf-8")
    for line in whole.splitlines():
        each = json.loads(line)
        found[each["case"], each["way"]] = each
    return found


def _together(
    tried: Iterable[tuple[Case, str]], known: Mapping[tuple[str, str], Any], keras_3: Path
) -> list[tuple[Case, list[str]]]:
    """Each case with each way to try; the ways of one training, or of adoption, are one entry."""
    found: list[tuple[Case, list[str]]] = []
    for case, way in tried:
        if (case.name, way) in known or not _exists(case, way, keras_3):
            continue
        last = found[-1] if found else None
        if last and last[0] == case and _group(way) and _group(way) == _group(last[1][0]):
            last[1].append(way)
        else:
            found.append((case, [way]))
    return found


def _group(way: str) -> tuple[str, ...]:
    """The ways that are tried together with this one; empty if it is tried by itself."""
    return next((ways for ways in (TRAINED, ADOPTED) if way in ways), ())


def _exists(case: Case, way: str, keras_3: Path) -> bool:
    """True for a way that the case can go: Keras 3 has it, and of texts `--model` only."""
    if way.startswith("Keras 3"):
        return keras3_files.file_of(keras_3, case, way.rpartition(" ")[2]).exists()
    return way in (PLAIN, *TRAINED) or case.data != "text"


def _outcomes(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Outcomes of a finished task; none if its process died."""
    out = Path(task["out"])
    found: list[dict[str, Any]] = []
    if out.exists():
        found = json.loads(out.read_text(encoding="utf-8"))
    return found


def _died(task: Mapping[str, Any], way: str, reason: str) -> dict[str, Any]:
    failed = {"case": task["case"], "way": way, "outcome": "traceback", "reason": reason}
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

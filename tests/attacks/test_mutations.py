"""The short form of `python -m benchmarks mutations`, and that it can fail."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from benchmarks.runtime import accidents, mutations
from edge_experts.errors import MachineError
from edge_experts.runtime.interpreter import description


def test_no_accident_makes_a_wrong_answer(tiny: Path) -> None:
    outcomes, bad = mutations.run(tiny, 1500)
    assert bad == []
    assert outcomes.total() == 1500
    assert {key.split()[0] for key in outcomes} == {one.__name__ for one in accidents.MUTATIONS}
    assert all(outcomes[f"{one.__name__} refused"] > 10 for one in accidents.MUTATIONS)
    assert all(outcomes[f"{one.__name__} degraded"] for one in accidents.MUTATIONS[:-1])


def test_no_accident_makes_a_wrong_answer_of_a_trained_bundle(sentiment_bundle: Path) -> None:
    outcomes, bad = mutations.run(sentiment_bundle, 500, seed=7)
    assert bad == []
    assert outcomes.total() == 500


RUNNER = """
import os, time
from benchmarks.runtime import mutation_process
from edge_experts.format import checked_files

last = mutation_process._alone  # of what asks the bundle before it is damaged

def alone(folder, arrays):
    found = last(folder, arrays)
    checked_files.check = lambda *_, **__: {spoilt}
    return found

mutation_process._alone = alone
mutation_process.main()
"""


@pytest.mark.parametrize(
    ("outcomes", "spoilt"),
    [
        # Without a check damaged files reach the interpreter.
        (("crash", "wrong", "hang", "foreign"), "None"),
        (("crash",), "os.abort()"),
        (("foreign",), "1 / 0"),
        (("hang",), "time.sleep(99)"),
    ],
)
def test_what_is_bad_is_counted(tiny: Path, outcomes: tuple[str, ...], spoilt: str) -> None:
    if spoilt == "None" and description()["interpreter"] != "tflite_runtime":
        pytest.skip("LiteRT refuses or survives what damage does to a model as small as this one")
    count = {"hang": 3, "crash": 6}.get(outcomes[0], 30) if len(outcomes) == 1 else 200
    program = ["-c", RUNNER.format(spoilt=spoilt)]
    found, bad = mutations.run(tiny, count, program=program, patience=3)
    assert found.total() == count
    assert sum(found[key] for key in found if key.split()[1] in outcomes) == len(bad) > 0
    assert bad[0].startswith("--seed 0 --only ")
    command = mutations.commands(tiny, bad)[0]
    start = f"python -m benchmarks mutations {tiny} --seed 0 --only "
    number = re.match(rf"{start}(\d+)  # \w+: ", command)
    assert number is not None
    kind, outcome = mutations.repeat(tiny, int(number[1]), 0)
    assert f"{kind}: " in command
    assert outcome.split()[0] in mutations.GOOD, "the intact program passes"


def test_a_bundle_that_does_not_work_to_begin_with_is_said(tiny: Path) -> None:
    (tiny / "router.tflite").write_bytes(b"")
    with pytest.raises(MachineError, match="does not start"):
        mutations.run(tiny, 3)

"""Examples that train: from made data to answers, as their READMEs show (minutes)."""

from __future__ import annotations

import csv
import re
import shutil

import pytest

from edge_experts import ExpertRuntime

from .programs import Programs, require

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def machine(programs: Programs) -> dict[str, str]:
    """Outputs of own_data, whose bundle other examples use."""
    return programs.run_shown("own_data")


def test_own_data_become_a_bundle_that_answers(machine: dict[str, str], programs: Programs) -> None:
    *_, evaluated, answered = machine.values()
    accuracy = re.search(r"accuracy ([\d.]+) on 3\d\d examples", evaluated)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.85
    labels = re.findall(r"\}: (\w+) \(", answered)
    assert labels == ["ok", "imbalance", "bearing", "imbalance"]
    shutil.move(programs.folder / "own_data/machine.bundle", programs.folder / "kept")
    try:
        said = programs.run("own_data", "python answer.py", exit_code=1)
    finally:
        shutil.move(programs.folder / "kept", programs.folder / "own_data/machine.bundle")
    assert said.startswith("error: machine.bundle: no such bundle folder; ")


def test_a_microcontroller_answers_as_the_runtime(
    machine: dict[str, str], programs: Programs
) -> None:
    require("gcc", "arm-none-eabi-gcc")
    pytest.importorskip("tflite_micro", reason="tflite-micro has wheels for x86-64 Linux only")
    _, _, simulated, _ = programs.run_shown("microcontroller").values()
    folder = programs.folder
    with (
        (folder / "microcontroller/readings.csv").open(encoding="utf-8") as file,
        ExpertRuntime(folder / "own_data/machine.bundle") as runtime,
    ):
        answers = [runtime.predict(row) for row in csv.DictReader(file)]
    lines = simulated.splitlines()
    for line, answer in zip(lines, answers, strict=True):
        assert line.startswith(f"{answer.label}, ")
        assert f"expert {answer.expert}" in line
    assert [line.endswith(", ALARM") for line in lines] == [False] * 5 + [True]
    said = programs.run("microcontroller", "python simulate.py none.so < readings.csv", 1)
    assert "compile it first" in said
    said = programs.run("microcontroller", "python simulate.py ./monitor.so < monitor.c", 1)
    assert "need the columns speed, vibration, temperature" in said


def test_an_own_expert_is_trained_in_python_and_by_the_command(programs: Programs) -> None:
    in_python, _ = programs.run_shown("own_expert").values()
    accuracy = re.search(r"accuracy as deployed: ([\d.]+) on 300", in_python)
    assert accuracy is not None
    assert float(accuracy[1]) > 0.8
    assert len(re.findall(r"is answered (?:even|rattle|drift) by expert \d", in_python)) == 5
    again = programs.run("own_expert", "python waves.py", exit_code=1)
    assert "error: waves.run" in again


def test_a_camera_counts_parts(programs: Programs) -> None:
    counted = list(programs.run_shown("camera").values())[-1]
    assert counted.splitlines()[-1] == "bolt: 5, washer: 5"


def test_a_microphone_tells_what_it_hears(programs: Programs) -> None:
    heard = list(programs.run_shown("microphone").values())[-1]
    found = re.findall(r"([\d.]+) s  (\w+ \w+|Smoke)", heard)
    assert [said for _, said in found] == [
        "Somebody rings", "Somebody knocks", "Smoke", "Somebody knocks",
    ]  # fmt: skip
    for (time, _), begin in zip(found, (2, 4.5, 7, 9.5), strict=True):
        assert begin <= float(time) <= begin + 1

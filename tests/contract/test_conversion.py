"""Run folders of 0.1.0 become the same model files, byte for byte.

In float32, float16 and dynamic a file holds weights and what is computed of them, so that its bytes
are the same on every processor. In int8 it also holds ranges that conversion measures by answering
calibration inputs in float32. Kernels for other vector instructions (AVX-512, AMX) add in another
order, which may move a range by its last bit. So int8 is held to the bytes where the processor has
the vector instructions of the one that recorded them, and to the answers everywhere.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from . import answers
from .conftest import Convert
from .data import conversions, is_recorded_processor, snapshot, versions


def _digests(bundle: Path) -> dict[str, str]:
    files = [*bundle.rglob("*.tflite"), *bundle.glob("features.npz")]
    return {
        path.relative_to(bundle).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


@pytest.mark.parametrize(("run", "recipe"), conversions())
def test_model_files_are_those_of_0_1_0(converted: Convert, run: str, recipe: str) -> None:
    bundle, machine = converted(run, recipe), snapshot("machine")
    wanted, made = snapshot("model_digests")[f"{run} {recipe}"], _digests(bundle)
    assert versions() == machine["versions"], "other packages write other bytes: record them anew"
    assert sorted(made) == sorted(wanted)
    if recipe != "int8" or is_recorded_processor():
        assert made == wanted


@pytest.mark.parametrize("run", [run for run, recipe in conversions() if recipe == "int8"])
def test_int8_files_answer_like_those_of_0_1_0(converted: Convert, run: str) -> None:
    """On any processor: where ranges differ by a bit, outputs differ by a step or two of int8.

    A step is a 256th of the range of the logits, which is some hundredths of a probability.
    """
    inputs, wanted = answers.recorded(run)
    given = answers.ask_bundle(converted(run, "int8"), inputs)
    answers.refuse_other(wanted, given, inputs, floats=False)

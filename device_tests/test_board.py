"""Tests of a bundle on a board, to pass before it is used."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from device_tests.soak import Soak, soak
from edge_experts import ExpertRuntime
from edge_experts.benchmarking.measure.growth import measure_growth, room_for_one
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.errors import DigestError
from edge_experts.format.checked_files import read_checked
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden, interpreter, selfcheck


def test_the_interpreter_computes() -> None:
    assert selfcheck.run_tiny_model()
    assert "tensorflow" not in sys.modules


def test_every_file_is_intact(published: Path) -> None:
    for entry in read_manifest(published).files:
        read_checked(published, entry)


def test_golden_examples_are_answered_as_published(published: Path) -> None:
    with ExpertRuntime(published) as runtime:
        assert golden.check(runtime) > 0


def test_answers_equal_the_reference_loops(published: Path) -> None:
    if not read_manifest(published).asks_one:
        pytest.skip("the reference loop runs one expert; this bundle may run several")
    ask = reference_texts(published)
    with ExpertRuntime(published) as runtime:
        for example in golden.read(published).inputs:
            assert runtime.predict(example).text == ask(example)


def test_every_expert_loads_and_answers(published: Path) -> None:
    with ExpertRuntime(published) as runtime:
        if runtime.manifest.generation is not None:
            _writes(runtime)
            return
        one = runtime.features.encode(golden.read(published).inputs[0])
        runtime.task.pick(one, runtime.access)  # which may add inputs of the experts
        for index in range(len(runtime.manifest.experts)):
            output = runtime.models.expert(index)(one)
            assert output.shape == (len(runtime.manifest.labels),)
            assert np.isfinite(output).all()


def _writes(runtime: ExpertRuntime) -> None:
    """Test that every expert generates text when an example names it."""
    text, _ = golden.read(runtime.folder).inputs[0]
    answers = [runtime.predict((text, label)) for label in runtime.manifest.labels]
    assert {answer.expert for answer in answers} == set(range(len(runtime.manifest.experts)))
    assert all(0 < answer.score <= 1 for answer in answers)


@pytest.mark.memory
def test_memory_stays_within_the_bound(published: Path) -> None:
    manifest = read_manifest(published)
    routers = sum(entry.bytes for entry in manifest.routers)
    largest = max(entry.bytes for entry in manifest.experts)
    grown = measure_growth(published, room_for_one(published))
    bound = 2 * (routers + largest) + 4_000_000
    if interpreter.description()["interpreter"] == "tflite_runtime":
        assert grown.growth_bytes <= bound
    # LiteRT touches more than 4 MB of its own code with its first model, for any bundle.
    assert grown.anonymous_bytes <= bound


def test_damaged_experts_are_refused(bundle: Path) -> None:
    for entry in read_manifest(bundle).experts:
        content = bytearray((bundle / entry.path).read_bytes())
        content[len(content) // 2] ^= 1
        (bundle / entry.path).write_bytes(content)
    with ExpertRuntime(bundle, strict=True) as runtime, pytest.raises(DigestError, match="damaged"):
        runtime.predict(golden.read(bundle).inputs[0])


def test_threads_share_a_runtime(published: Path) -> None:
    examples = golden.read(published)
    with ExpertRuntime(published, memory_budget=room_for_one(published)) as runtime:
        alone = [runtime.predict(example) for example in examples.inputs]
        wrong: list[int] = []

        def work() -> None:
            for row, example in enumerate(examples.inputs):
                answer, before = runtime.predict(example), alone[row]
                same = np.array_equal(answer.scores, before.scores)
                if not same or answer.text != before.text:
                    wrong.append(row)

        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


@pytest.fixture(scope="module")
def soaked(published: Path) -> Soak:
    """Some hundred requests by three threads, with a budget for one expert; fewer for texts.

    `python -m benchmarks soak` does the same for a million.
    """
    writes = read_manifest(published).generation is not None
    return soak(published, requests=90 if writes else 900, threads=3, experts=1)


def test_no_request_of_many_goes_wrong(soaked: Soak) -> None:
    assert soaked.requests in (90, 900)
    assert soaked.wrong == 0
    assert soaked.over_budget == 0


@pytest.mark.memory
def test_many_requests_leave_memory_as_it_was(soaked: Soak) -> None:
    soaked.refuse()

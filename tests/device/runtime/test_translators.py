"""Experts that write, in the runtime: all that holds for experts that choose holds for them."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.benchmarking.measure.growth import measure_growth, room_for_one
from edge_experts.errors import BundleError, DigestError, MemoryBudgetError, ModelError, UsageError
from edge_experts.format.drift_reference import DriftReference, Histogram
from edge_experts.format.manifest import MANIFEST, FileEntry, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import interpreter, selfcheck
from edge_experts.runtime.tasks.translation.writer import Written

from ...attacks.bundles import publish, rewritten
from ...conftest import run_cli
from ..many import spoil, together

SENTENCES = ["open the file", "close old page", "print", "the new table"]
EXAMPLES = [(sentence, to) for sentence in SENTENCES for to in ("de", "fr")]


@pytest.fixture(scope="module")
def alone(translator_bundle: Path) -> list[str]:
    """What each example's answer is with everything in memory."""
    with ExpertRuntime(translator_bundle) as runtime:
        texts = [answer.text for answer in runtime.predict_many(EXAMPLES)]
    assert len(set(texts)) > len(SENTENCES), "languages and sentences must differ"
    return texts


@pytest.fixture(scope="module")
def greedy(translator_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same experts, which follow one beam."""
    folder = tmp_path_factory.mktemp("greedy") / "toy.bundle"
    done = run_cli("convert", translator_run, "--out", folder)
    assert done.returncode == 0, done.stderr
    return folder


def test_all_kernels_write_alike(translator_bundle: Path, greedy: Path) -> None:
    for bundle in (translator_bundle, greedy):
        written = []
        for delegate in ("xnnpack", "none", "reference"):
            with ExpertRuntime(bundle, delegate=delegate) as runtime:
                written.append([answer.text for answer in runtime.predict_many(EXAMPLES)])
        usual, *others = written
        for other in others:
            # They round otherwise by a step, which changes a word here and there.
            alike = sum(map(str.__eq__, usual, other))
            assert alike >= 0.75 * len(EXAMPLES), list(zip(usual, other, strict=True))


@pytest.mark.parametrize("limit", ["bytes", "count"])
def test_with_room_for_one_expert_answers_are_the_same(
    translator_bundle: Path, alone: list[str], limit: str
) -> None:
    budget = room_for_one(translator_bundle)
    room: dict[str, Any] = {"memory_budget": budget} if limit == "bytes" else {"max_experts": 1}
    with ExpertRuntime(translator_bundle, **room) as runtime:
        for example, expected in zip(EXAMPLES, alone, strict=True):
            answer = runtime.predict(example)
            assert (answer.text, answer.label) == (expected, example[1])
            assert runtime.resident == (answer.expert,)
            assert runtime.resident_bytes <= budget
        assert runtime.counts == (len(EXAMPLES), len(EXAMPLES) - 1)


def test_a_budget_below_an_expert_is_refused(translator_bundle: Path) -> None:
    with pytest.raises(MemoryBudgetError, match=r"expert \d needs"):
        ExpertRuntime(translator_bundle, memory_budget=1000)


@pytest.mark.skipif(sys.platform != "linux", reason="/proc")
def test_memory_stays_within_the_runtimes_bound(translator_bundle: Path) -> None:
    grown = measure_growth(translator_bundle, room_for_one(translator_bundle))
    largest = max(entry.bytes for entry in read_manifest(translator_bundle).experts)
    assert grown.bound_bytes == 2 * largest + 4_000_000
    assert grown.anonymous_bytes <= grown.bound_bytes
    if interpreter.description()["interpreter"] == "tflite_runtime":
        assert grown.growth_bytes <= grown.bound_bytes
    assert len(grown.timeline.loads) == len(grown.timeline.evictions) + 1 > 2


def test_a_batch_loads_each_expert_once(translator_bundle: Path, alone: list[str]) -> None:
    with ExpertRuntime(translator_bundle, max_experts=1) as runtime:
        answers = runtime.predict_batch(EXAMPLES)
        assert runtime.counts.loads == 2
    assert [answer.text for answer in answers] == alone
    assert [answer.label for answer in answers] == [to for _, to in EXAMPLES]
    for answer in answers:
        assert isinstance(answer, Written)
        assert 0 < answer.first_us <= sum(answer.timings)


def test_a_pinned_language_stays(translator_bundle: Path) -> None:
    with ExpertRuntime(translator_bundle, pin=[1], costs=[100, 100], memory_budget=200) as runtime:
        runtime.predict(EXAMPLES[0])
        assert set(runtime.resident) == {0, 1}
    with pytest.raises(MemoryBudgetError, match="cannot pin"):
        ExpertRuntime(translator_bundle, pin=[1], max_experts=1)


def test_the_next_language_is_there_before_it_is_asked(translator_bundle: Path) -> None:
    with ExpertRuntime(translator_bundle, max_experts=1, prefetch=True) as runtime:
        for turn in range(16):
            answer = runtime.predict(EXAMPLES[turn % 2])
            assert answer.expert == turn % 2
            end = time.monotonic() + 30
            while turn > 8 and runtime.resident != (1 - turn % 2,):
                assert time.monotonic() < end, "nobody loaded it"
                time.sleep(0.001)


def test_threads_get_the_answers_they_would_get_alone(
    translator_bundle: Path, alone: list[str]
) -> None:
    with ExpertRuntime(translator_bundle, max_experts=1) as runtime:

        def work(offset: int) -> Callable[[], None]:
            def go() -> None:
                for turn in range(24):
                    row = (turn + offset) % len(EXAMPLES)
                    assert runtime.predict(EXAMPLES[row]).text == alone[row]

            return go

        together([work(offset) for offset in (0, 3, 5)])


def test_a_forked_child_answers(translator_bundle: Path, alone: list[str]) -> None:
    with ExpertRuntime(translator_bundle) as runtime:
        runtime.predict(EXAMPLES[0])
        child = os.fork()
        if child == 0:
            right = [answer.text for answer in runtime.predict_many(EXAMPLES)] == alone
            os._exit(0 if right else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert runtime.predict(EXAMPLES[1]).text == alone[1]


def test_loading_leaves_nothing_behind(translator_bundle: Path) -> None:
    """tflite-runtime's lists of signatures did: 30 blocks of Python's memory for each load."""
    with ExpertRuntime(translator_bundle, max_experts=1) as runtime:

        def load(times: int) -> int:
            for turn in range(times):
                runtime._experts.free(runtime._experts.hold(turn % 2))
            gc.collect()
            return sys.getallocatedblocks()

        load(20)
        before = load(20)
        assert load(200) - before < 400


@pytest.mark.parametrize("strict", [False, True])
def test_nobody_stands_in_for_a_damaged_language(toy: Path, alone: list[str], strict: bool) -> None:
    spoil(toy, 1)
    with ExpertRuntime(toy, strict=strict) as runtime:
        for _ in range(2):
            with pytest.raises(DigestError, match=r"^fr: .*experts/001.tflite: damaged"):
                runtime.predict(EXAMPLES[1])
            answer = runtime.predict(EXAMPLES[0])
            assert (answer.text, answer.degraded) == (alone[0], False)
        with pytest.raises(DigestError, match=r"^fr: "):
            runtime.predict_batch(EXAMPLES)
        assert [each.text for each in runtime.predict_batch(EXAMPLES[::2])] == alone[::2]
        assert runtime.quarantined.keys() == {1}


def test_a_language_that_was_put_right_is_tried_again(toy: Path, alone: list[str]) -> None:
    whole = (toy / expert_path(1)).read_bytes()
    (toy / expert_path(1)).unlink()
    with ExpertRuntime(toy, retry_after=600) as runtime:
        with pytest.raises(DigestError, match=r"^fr: .*missing"):
            runtime.predict(EXAMPLES[1])
        (toy / expert_path(1)).write_bytes(whole)
        with pytest.raises(DigestError, match=r"^fr: .*missing"):
            runtime.predict(EXAMPLES[1])
        runtime.reset()
        assert runtime.predict(EXAMPLES[1]).text == alone[1]
        assert not runtime.quarantined


def test_a_language_that_does_not_fit_is_named(toy: Path) -> None:
    first, second = read_manifest(toy).experts
    large = replace(second, resident_bytes=10**9)
    publish(toy, replace(read_manifest(toy), experts=(first, large)))
    with ExpertRuntime(toy, memory_budget=first.resident_bytes) as runtime:
        assert not runtime.predict(EXAMPLES[0]).degraded
        with pytest.raises(MemoryBudgetError, match="expert 1 needs 1,000,000,000 bytes"):
            runtime.predict(EXAMPLES[1])


def test_a_file_of_another_kind_is_no_translator(toy: Path) -> None:
    content = Path(selfcheck.__file__).with_name("tiny.tflite").read_bytes()
    (toy / expert_path(1)).write_bytes(content)
    first, _ = read_manifest(toy).experts
    other = FileEntry.of(expert_path(1), content)
    publish(toy, replace(read_manifest(toy), experts=(first, other)))
    with ExpertRuntime(toy) as runtime:
        with pytest.raises(ModelError, match=r"^fr: .*lacks one of its functions"):
            runtime.predict(EXAMPLES[1])
        assert not runtime.predict(EXAMPLES[0]).degraded


def test_an_interpreter_that_fails_while_writing_is_left_alone(translator_bundle: Path) -> None:
    with ExpertRuntime(translator_bundle) as runtime:
        task: Any = runtime.task
        encode = task.encode

        def beyond(example: Any, warnings: list[str]) -> dict[str, np.ndarray]:
            """Pieces that there are not, which the interpreter refuses to look up."""
            arrays = encode(example, warnings)
            return {**arrays, "source": np.full_like(arrays["source"], 10**6)}

        task.encode = beyond
        with pytest.raises(ModelError, match=r"^fr: .*cannot compute encode: "):
            runtime.predict(EXAMPLES[1])
        task.encode = encode
        with pytest.raises(ModelError, match=r"^fr: .*cannot compute encode: "):
            runtime.predict(EXAMPLES[1])
        assert 1 not in runtime.resident
        runtime.reset()
        assert runtime.predict(EXAMPLES[1]).text


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content["features"]["config"].update(targets=["fr", "de"]),
        lambda content: content["features"]["config"].update(targets=["de", "fr", "it"]),
        lambda content: content.update(labels=["de", "it"]),
    ],
)
def test_features_that_do_not_name_the_labels_are_refused(
    toy: Path, change: Callable[[dict[str, Any]], object]
) -> None:
    rewritten(toy, change)
    with pytest.raises(BundleError, match="whose targets are its labels"):
        ExpertRuntime(toy)


def test_features_that_do_not_spell_are_refused(toy: Path, many_experts: Path) -> None:
    manifest = read_manifest(toy)
    other = read_manifest(many_experts).features
    assert other.file is not None
    (toy / other.file.path).write_bytes((many_experts / other.file.path).read_bytes())
    (toy / MANIFEST).write_text(replace(manifest, features=other).to_json())
    with pytest.raises(BundleError, match="whose targets are its labels"):
        ExpertRuntime(toy)


def test_a_reference_of_labels_says_nothing_of_texts(toy: Path) -> None:
    some = Histogram((), (40,))
    publish(toy, replace(read_manifest(toy), reference=DriftReference(some, (30, 10), some, some)))
    with ExpertRuntime(toy, monitor=True) as runtime:
        assert runtime.predict(EXAMPLES[0]).text
        assert runtime.drift is None


def test_whoever_watches_sees_every_answer(translator_bundle: Path) -> None:
    seen: list[tuple[Any, Any]] = []
    with ExpertRuntime(translator_bundle) as runtime:
        runtime.observer = lambda *answer: seen.append(answer)
        answers = [runtime.predict(EXAMPLES[1]), *runtime.predict_batch(EXAMPLES[:2])]
    assert [np.argmax(gate) for gate, _ in seen] == [1, 0, 1]
    for answer, (_, text) in zip(answers, seen, strict=True):
        assert isinstance(answer, Written)
        assert np.array_equal(answer.pieces, text.pieces)


def test_arrays_are_for_labels(translator_bundle: Path) -> None:
    with (
        ExpertRuntime(translator_bundle) as runtime,
        pytest.raises(UsageError, match="predict_batch"),
    ):
        runtime.predict_arrays(runtime.features.encode(EXAMPLES[0]))


def test_sentences_of_a_text_are_answered_alone_and_joined(translator_bundle: Path) -> None:
    text = "Open the file. Close old page! print"
    with ExpertRuntime(translator_bundle) as runtime:
        task = runtime.task
        split = task.parts((text, "fr"))
        assert split == [("Open the file.", "fr"), ("Close old page!", "fr"), ("print", "fr")]
        assert task.parts(("", "fr")) == [("", "fr")]
        each = [answer for answer in map(runtime.predict, split) if isinstance(answer, Written)]
    whole = task.joined(each)
    assert isinstance(whole, Written)
    assert whole.text == " ".join(answer.text for answer in each)
    assert (whole.label, whole.expert, whole.experts) == ("fr", 1, (1,))
    assert whole.score == min(answer.score for answer in each)
    assert len(whole.pieces) == sum(len(answer.pieces) for answer in each)
    assert whole.timings == pytest.approx(np.sum([one.timings for one in each], axis=0), abs=0.01)
    assert whole.first_us == each[0].first_us
    assert task.joined(each[:1]) is each[0]

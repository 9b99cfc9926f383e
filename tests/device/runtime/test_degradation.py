"""An expert that cannot be used: the next choice answers, and the answer says so."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.errors import DigestError, GoldenError, MemoryBudgetError, ModelError
from edge_experts.format.manifest import MANIFEST, ROUTER, FileEntry, expert_path
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden
from edge_experts.runtime.answer import softmax
from edge_experts.runtime.memory import quarantine
from edge_experts.runtime.memory.quarantine import Quarantine

from ...conftest import Cli
from ..many import INPUTS, of_expert, spoil, together


def _rewrite(bundle: Path, **changes: Any) -> None:
    (bundle / MANIFEST).write_text(replace(read_manifest(bundle), **changes).to_json())


def _ranked(runtime: ExpertRuntime, example: np.ndarray) -> tuple[np.ndarray, list[int]]:
    """The router's logits, and the experts from its first choice to its last."""
    assert runtime.models.router is not None
    gate = runtime.models.router(runtime.features.encode(example))
    return gate, np.argsort(-gate, kind="stable").tolist()


@pytest.mark.parametrize(
    ("harm", "told"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "bytes long"),
        (lambda path: path.write_bytes(b"TFL3" * 570), "damaged"),
    ],
)
def test_the_next_choice_answers(many: Path, harm: Callable[[Path], object], told: str) -> None:
    example = INPUTS[0]
    with ExpertRuntime(many) as whole:
        _, (first, second, *_) = _ranked(whole, example)
        expected = whole.models.expert(second)(whole.features.encode(example))
        assert whole.predict(example).expert == first
    harm(many / expert_path(first))
    with ExpertRuntime(many) as runtime:
        answer = runtime.predict(example)
        assert answer.degraded
        assert answer.reason is not None
        assert f"expert {first}: " in answer.reason
        assert told in answer.reason
        assert (answer.expert, answer.experts) == (second, (second,))
        assert np.array_equal(answer.scores, softmax(expected, runtime.manifest.temperature))
        assert "degraded" in repr(answer)
        assert list(runtime.quarantined) == [first]
        assert runtime.resident == (second,)
        other = next(x for x in INPUTS if _ranked(runtime, x)[1][0] not in (first, second))
        fine = runtime.predict(other)
    assert (fine.degraded, fine.reason) == (False, None)


Refusing = tuple[Path, int, np.ndarray, np.ndarray]


@pytest.fixture
def refusing(many: Path) -> Refusing:
    """A bundle, an expert, an input that it answers, and one at which its interpreter fails.

    The expert divides whole numbers by 1 where the first input is not positive, and else by 0: made
    by TensorFlow's converter from `6 // tf.cast(x[:, :1] <= 0, tf.int32)`, added to `x @ weights`.
    """
    with ExpertRuntime(many) as runtime:
        answers = [(runtime.predict(example).expert, example) for example in INPUTS]
    index = answers[0][0]
    content = (Path(__file__).parents[1] / "models/refusing.tflite").read_bytes()
    (many / expert_path(index)).write_bytes(content)
    experts = list(read_manifest(many).experts)
    experts[index] = FileEntry.of(expert_path(index), content, 10_000)
    _rewrite(many, experts=tuple(experts))
    own = [example for expert, example in answers if expert == index]
    fine = next(example for example in own if example[0] <= 0)
    return many, index, fine, next(example for example in own if example[0] > 0)


def test_an_interpreter_that_fails_while_answering_is_a_reason_too(refusing: Refusing) -> None:
    bundle, index, fine, bad = refusing
    with ExpertRuntime(bundle) as runtime:
        assert (runtime.predict(fine).expert, runtime.predict(fine).degraded) == (index, False)
        second = _ranked(runtime, bad)[1][1]
        expected = runtime.models.expert(second)(runtime.features.encode(bad))
        answer = runtime.predict(bad)
        assert (answer.expert, answer.degraded) == (second, True)
        assert np.array_equal(answer.scores, softmax(expected, runtime.manifest.temperature))
        assert f"expert {index}: " in str(answer.reason)
        assert "cannot compute it: Division by 0" in str(answer.reason)
        # It left, and is left alone for a while, also by inputs that it would answer.
        assert runtime.resident == (second,)
        assert "Division by 0" in runtime.quarantined[index]
        assert runtime.predict(fine).degraded
        runtime.reset()
        assert not runtime.predict(fine).degraded
        assert runtime.quarantined == {}


def test_in_a_batch_those_before_it_keep_their_answers(refusing: Refusing) -> None:
    bundle, index, fine, bad = refusing
    with ExpertRuntime(bundle) as runtime:
        found = runtime.predict_batch([fine, bad, fine])
        assert [answer.degraded for answer in found] == [False, True, True]
        assert found[0].expert == index
        assert index not in [answer.expert for answer in found[1:]]
        runtime.reset()
        arrays = {"x": np.array([fine, bad])}
        assert runtime.predict_arrays(arrays).degraded.tolist() == [False, True]


def test_strict_raises_where_the_interpreter_fails(refusing: Refusing) -> None:
    bundle, index, fine, bad = refusing
    with ExpertRuntime(bundle, strict=True) as runtime:
        for ask in (runtime.predict, lambda x: runtime.predict_batch([x])) * 2:
            with pytest.raises(ModelError, match="Division by 0"):
                ask(bad)
        assert runtime.resident == ()
        assert runtime.predict(fine).expert == index
    with ExpertRuntime(bundle, pin=[index], max_experts=2) as runtime:
        assert runtime.predict(bad).degraded
        assert index not in runtime.resident


def test_threads_that_hold_an_expert_that_fails_finish(refusing: Refusing) -> None:
    bundle, index, fine, bad = refusing
    with ExpertRuntime(bundle, max_experts=2, retry_after=0) as runtime:
        scores = runtime.predict(fine).scores

        def ask(examples: list[np.ndarray]) -> None:
            for example in examples * 100:
                answer = runtime.predict(example)
                assert answer.degraded or np.array_equal(answer.scores, scores)
                assert answer.degraded == (answer.expert != index)

        together([lambda: ask([fine]), lambda: ask([bad, fine]), lambda: ask([fine, bad])])
        assert runtime._experts.used <= 2 * max(runtime._room.costs)
        assert len(runtime.resident) <= 2


def test_strict_raises_each_time(many: Path) -> None:
    example = INPUTS[0]
    with ExpertRuntime(many) as runtime:
        first = runtime.predict(example).expert
    spoil(many, first)
    with ExpertRuntime(many, strict=True) as runtime:
        for ask in (runtime.predict, lambda x: runtime.predict_batch([x])) * 2:
            with pytest.raises(DigestError, match="damaged"):
                ask(example)


def test_an_expert_is_tried_again_after_a_while(
    many: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1000.0
    monkeypatch.setattr(quarantine, "monotonic", lambda: now)
    example = INPUTS[0]
    with ExpertRuntime(many, retry_after=30) as runtime:
        first = runtime.predict(example).expert
        runtime.release()
        whole = (many / expert_path(first)).read_bytes()
        spoil(many, first)
        assert runtime.predict(example).expert != first
        (many / expert_path(first)).write_bytes(whole)
        now += 29
        assert runtime.predict(example).degraded
        now += 2
        answer = runtime.predict(example)
        assert (answer.expert, answer.degraded) == (first, False)
        assert runtime.quarantined == {}
        runtime.release()
        spoil(many, first)
        assert runtime.predict(example).degraded
        (many / expert_path(first)).write_bytes(whole)
        runtime.reset()
        assert not runtime.predict(example).degraded


def test_errors_of_the_machine_count_too(many: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    example = INPUTS[0]
    with ExpertRuntime(many) as runtime:
        first = _ranked(runtime, example)[1][0]
        real = runtime._experts._load

        def load(index: int) -> Any:
            if index == first:
                raise OSError(5, "Input/output error")
            return real(index)

        monkeypatch.setattr(runtime._experts, "_load", load)
        assert "Input/output error" in str(runtime.predict(example).reason)


def test_no_expert_at_all_raises(many: Path) -> None:
    for index in range(64):
        (many / expert_path(index)).unlink()
    with ExpertRuntime(many) as runtime:
        for ask in (runtime.predict, lambda x: runtime.predict_batch([x])):
            with pytest.raises(DigestError, match=r"experts/\d+\.tflite: missing"):
                ask(INPUTS[0])
        assert len(runtime.quarantined) == 64


def test_two_of_those_that_are_left_answer(many: Path) -> None:
    example = INPUTS[0]
    _rewrite(many, top_k=2)
    with ExpertRuntime(many) as whole:
        gate, (first, second, third, *_) = _ranked(whole, example)
        arrays = whole.features.encode(example)
        answers = [softmax(whole.models.expert(index)(arrays)) for index in (second, third)]
    weights = softmax(gate[[second, third]])
    spoil(many, first)
    with ExpertRuntime(many) as runtime:
        answer = runtime.predict(example)
    assert (answer.experts, answer.expert, answer.degraded) == ((second, third), second, True)
    assert answer.scores == pytest.approx(weights @ np.array(answers), abs=1e-5)


def test_the_last_one_that_is_left_answers_alone(many: Path) -> None:
    example = INPUTS[0]
    _rewrite(many, top_k=3)
    left = of_expert(many, 7)
    for index in range(64):
        if index != 7:
            spoil(many, index)
    with ExpertRuntime(many) as runtime:
        for one in (example, left):
            answer = runtime.predict(one)
            assert (answer.experts, answer.degraded) == ((7,), True)


def test_a_sum_of_all_has_no_next_choice(many: Path) -> None:
    _rewrite(many, combine="sum", router=None)
    spoil(many, 3)
    with ExpertRuntime(many) as runtime, pytest.raises(DigestError, match=r"003\.tflite"):
        runtime.predict(INPUTS[0])
    experts = list(read_manifest(many).experts)
    experts[5] = replace(experts[5], resident_bytes=10**9)
    _rewrite(many, experts=tuple(experts))
    with pytest.raises(MemoryBudgetError, match="1,000,000,000"):
        ExpertRuntime(many, memory_budget=10**6)


def test_a_single_expert_has_no_next_choice(many: Path) -> None:
    _rewrite(many, router=None, experts=read_manifest(many).experts[:1])
    spoil(many, 0)
    with ExpertRuntime(many) as runtime, pytest.raises(DigestError, match="damaged"):
        runtime.predict(INPUTS[0])


def test_an_expert_too_large_for_the_budget_is_left_out(many: Path) -> None:
    example = INPUTS[0]
    with ExpertRuntime(many) as runtime:
        first = runtime.predict(example).expert
    experts = list(read_manifest(many).experts)
    experts[first] = replace(experts[first], resident_bytes=10**9)
    _rewrite(many, experts=tuple(experts))
    with ExpertRuntime(many, memory_budget=10**6) as runtime:
        answer = runtime.predict(example)
        assert answer.expert != first
        assert f"memory budget: expert {first} needs 1,000,000,000 bytes" in str(answer.reason)
        runtime.reset()
        assert runtime.predict(example).degraded
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(many, memory_budget=10**6, strict=True)
    with pytest.raises(MemoryBudgetError):
        ExpertRuntime(many, memory_budget=1000)
    costs, router = [10] * 64, read_manifest(many).router
    assert router is not None
    with ExpertRuntime(many, memory_budget=10**6, costs=costs, strict=True) as runtime:
        assert runtime.predict(example).expert == first
        assert runtime.resident_bytes == 10 + router.resident_bytes


def test_a_damaged_router_is_fatal(many: Path) -> None:
    content = bytearray((many / ROUTER).read_bytes())
    content[100] ^= 1
    (many / ROUTER).write_bytes(content)
    with pytest.raises(DigestError, match=r"router\.tflite: damaged"):
        ExpertRuntime(many)


def test_a_damaged_pinned_expert_is_left_out_unless_strict(many: Path) -> None:
    example = of_expert(many, 7)
    spoil(many, 7)
    with ExpertRuntime(many, pin=[7, 8]) as runtime:
        assert runtime.resident == (8,)
        assert runtime.predict(example).degraded
    with pytest.raises(DigestError):
        ExpertRuntime(many, pin=[7], strict=True)


def test_golden_examples_are_not_answered_by_others(many: Path) -> None:
    spoil(many, int(golden.read(many).experts[0]))
    with ExpertRuntime(many) as runtime, pytest.raises(GoldenError, match="damaged"):
        golden.check(runtime)


def test_the_command_line_tells_once(cli: Cli, many: Path, tmp_path: Path) -> None:
    first = of_expert(many, 7)
    spoil(many, 7)
    np.save(tmp_path / "x.npy", np.array([first, first, of_expert(many, 8)]))
    done = cli("run", many, "--input", tmp_path / "x.npy", "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["degraded"] for line in lines] == [True, True, False]
    assert "expert 7: " in lines[0]["reason"]
    assert lines[2]["reason"] is None
    assert done.stderr.count("warning: expert 7 is left out") == 1
    strict = cli("run", many, "--input", tmp_path / "x.npy", "--strict")
    assert (strict.returncode, strict.stdout) == (3, "")


def test_a_quarantine_of_no_time_keeps_nobody() -> None:
    kept = Quarantine(0)
    kept.add(1, DigestError("damaged"))
    kept.add(2, MemoryError())
    kept.refuse(1)
    assert kept.reasons == {1: "damaged", 2: "MemoryError"}
    kept.remove(1)
    kept.clear()
    assert kept.reasons == {}

"""The runtime on a real bundle and a real interpreter."""

from __future__ import annotations

import json
import shutil
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.benchmarking.measure.growth import measure_growth, room_for_one
from edge_experts.benchmarking.reference_loop import reference_texts
from edge_experts.errors import (
    DigestError,
    GoldenError,
    ManifestError,
    MemoryBudgetError,
    ModelError,
    UsageError,
)
from edge_experts.format.limits import LIMITS
from edge_experts.format.manifest import MANIFEST, Manifest
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden, interpreter, selfcheck
from edge_experts.runtime.answer import Answer, softmax
from edge_experts.runtime.interpreter import Model

ODD = ["", "😀", "a" * 1_000_000, "\ud800", "\n", "日本語" * 1000]


def _rewrite(bundle: Path, **changes: Any) -> None:
    manifest: Manifest = replace(read_manifest(bundle), **changes)
    (bundle / MANIFEST).write_text(manifest.to_json())


def test_golden_examples_are_answered_as_published(sentiment_bundle: Path) -> None:
    with ExpertRuntime(sentiment_bundle) as runtime:
        assert golden.check(runtime) == 32


def test_answers_equal_the_reference_loops(sentiment_bundle: Path) -> None:
    ask = reference_texts(sentiment_bundle)
    inputs = [*golden.read(sentiment_bundle).inputs, *ODD]
    with ExpertRuntime(sentiment_bundle) as runtime:
        assert [runtime.predict(text).label for text in inputs] == [ask(text) for text in inputs]


@pytest.mark.parametrize("text", ODD)
def test_odd_texts_are_answered(sentiment_bundle: Path, text: str) -> None:
    with ExpertRuntime(sentiment_bundle) as runtime:
        answer = runtime.predict(text)
    assert answer.label in runtime.manifest.labels
    assert answer.scores.sum() == pytest.approx(1, abs=1e-5)
    assert answer.score == pytest.approx(float(answer.scores.max()))
    assert min(answer.timings) >= 0


def test_opening_reads_no_expert_and_answering_only_the_picked_one(bundle: Path) -> None:
    shutil.rmtree(bundle / "experts")
    runtime = ExpertRuntime(bundle)
    assert runtime.resident == ()
    with pytest.raises(DigestError, match=r"experts/00\d\.tflite: missing"):
        runtime.predict("a film to remember")


def test_only_experts_that_were_asked_are_in_memory(sentiment_bundle: Path) -> None:
    with ExpertRuntime(sentiment_bundle) as runtime:
        answer = runtime.predict("a film to remember")
        assert runtime.resident == (answer.expert,)
        assert answer.timings.load_us > runtime.predict("a film to remember").timings.load_us


def test_with_room_for_one_the_answers_stay_the_same(sentiment_bundle: Path) -> None:
    inputs = golden.read(sentiment_bundle).inputs
    budget = room_for_one(sentiment_bundle)
    with (
        ExpertRuntime(sentiment_bundle) as roomy,
        ExpertRuntime(sentiment_bundle, memory_budget=budget) as tight,
    ):
        for text in inputs:
            expected, answer = roomy.predict(text), tight.predict(text)
            assert (answer.label, answer.expert) == (expected.label, expected.expert)
            assert np.array_equal(answer.scores, expected.scores)
            assert tight.resident == (answer.expert,)
        assert len(roomy.resident) > 1


def test_a_budget_without_room_for_an_expert_is_refused(sentiment_bundle: Path) -> None:
    with pytest.raises(MemoryBudgetError, match=r"expert \d needs"):
        ExpertRuntime(
            sentiment_bundle, memory_budget=room_for_one(sentiment_bundle) - 1, strict=True
        )


def test_memory_stays_within_the_promised_bound(sentiment_bundle: Path) -> None:
    manifest = read_manifest(sentiment_bundle)
    assert manifest.router is not None
    largest = max(entry.bytes for entry in manifest.experts)
    grown = measure_growth(sentiment_bundle, room_for_one(sentiment_bundle))
    assert grown.experts_visited > 1
    bound = 2 * (manifest.router.bytes + largest) + 4_000_000
    if interpreter.description()["interpreter"] == "tflite_runtime":
        assert grown.growth_bytes <= bound
    # LiteRT touches more than 4 MB of its own code with its first model, whatever the bundle.
    assert grown.anonymous_bytes <= bound


def test_threads_get_the_answers_they_would_get_alone(sentiment_bundle: Path) -> None:
    inputs = list(golden.read(sentiment_bundle).inputs)
    with ExpertRuntime(sentiment_bundle, memory_budget=room_for_one(sentiment_bundle)) as runtime:
        alone = [runtime.predict(text) for text in inputs]
        wrong: list[str] = []

        def work(offset: int) -> None:
            for turn in range(len(inputs)):
                row = (turn + offset) % len(inputs)
                answer = runtime.predict(inputs[row])
                if not np.array_equal(answer.scores, alone[row].scores):
                    wrong.append(inputs[row])

        threads = [threading.Thread(target=work, args=(offset,)) for offset in (0, 5, 11)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert wrong == []


def test_a_closed_runtime_says_so(sentiment_bundle: Path) -> None:
    runtime = ExpertRuntime(sentiment_bundle)
    runtime.close()
    with pytest.raises(UsageError, match="closed"):
        runtime.predict("late")


def test_top_k_mixes_the_best_experts_by_the_gate(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        one = {text: runtime.predict(text) for text in ("dull", "a joy", "it runs hot")}
        router, features = runtime.models.router, runtime.features
        assert router is not None
        gates = {text: softmax(router(features.encode(text))) for text in one}
        experts = [runtime.models.expert(index) for index in range(3)]
    _rewrite(bundle, top_k=3, temperature=1.0)
    with ExpertRuntime(bundle) as runtime:
        for text, single in one.items():
            answer = runtime.predict(text)
            arrays = features.encode(text)
            expected = sum(
                weight * softmax(expert(arrays))
                for weight, expert in zip(gates[text], experts, strict=True)
            )
            assert answer.scores == pytest.approx(expected, abs=1e-5)
            assert answer.expert == single.expert
        assert len(runtime.resident) == 3


def test_sum_adds_all_outputs_and_asks_no_router(bundle: Path) -> None:
    with ExpertRuntime(bundle) as runtime:
        arrays = runtime.features.encode("a joy")
        outputs = [runtime.models.expert(index)(arrays) for index in range(3)]
    _rewrite(bundle, combine="sum", router=None, temperature=2.0)
    (bundle / "router.tflite").unlink()
    # Room for one: the experts are visited one after the other.
    with ExpertRuntime(bundle, memory_budget=room_for_one(bundle)) as runtime:
        answer = runtime.predict("a joy")
        assert len(runtime.resident) == 1
    assert answer.scores == pytest.approx(softmax(np.sum(outputs, axis=0), 2.0), abs=1e-6)
    assert answer.expert == -1


@pytest.mark.parametrize("count", [2, 1000])
def test_scores_are_the_softmax_at_the_bundles_temperature(count: int) -> None:
    logits = np.random.default_rng(count).normal(size=count).astype(np.float32) * 5
    powers = np.exp((logits.astype(np.float64) - logits.max()) / 1.7)
    answer = Answer("a", 0, logits, 1.7, (1000, 2000, 4000, 7000, 11500), (0,))
    assert answer.scores == pytest.approx(powers / powers.sum(), abs=1e-6)
    assert answer.score == answer.scores.max()
    assert answer.timings == (1, 2, 3, 4.5)


def test_softmax_does_not_overflow() -> None:
    assert softmax(np.array([1e4, 0, -1e4], np.float32)).tolist() == [1.0, 0.0, 0.0]


def test_golden_examples_notice_another_answer(bundle: Path) -> None:
    _rewrite(bundle, temperature=5 * read_manifest(bundle).temperature)
    with ExpertRuntime(bundle) as runtime, pytest.raises(GoldenError, match="was expected"):
        golden.check(runtime)


def test_golden_examples_notice_other_features(bundle: Path) -> None:
    features = read_manifest(bundle).features
    config = {**features.config, "char_ngrams": [3, 4]}
    _rewrite(bundle, features=replace(features, config=config))
    with ExpertRuntime(bundle) as runtime, pytest.raises(GoldenError, match="its features"):
        golden.check(runtime)


@pytest.mark.parametrize("threads", [0, -1, LIMITS.threads + 1, 10**30, True, 2.0, "2"])
def test_threads_out_of_range_are_refused_before_any_file_is_read(threads: Any) -> None:
    with pytest.raises(UsageError, match="threads must be a whole number from 1 to 256, got "):
        ExpertRuntime("there is no such bundle", threads=threads)


def test_a_link_out_of_the_bundle_is_refused(bundle: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.tflite"
    (bundle / "router.tflite").rename(outside)
    (bundle / "router.tflite").symlink_to(outside)
    with pytest.raises(DigestError, match="leads out"):
        ExpertRuntime(bundle)


def test_unknown_features_are_named(bundle: Path) -> None:
    _rewrite(bundle, features=replace(read_manifest(bundle).features, kind="smell"))
    with pytest.raises(ManifestError, match="smell"):
        ExpertRuntime(bundle)


def test_the_interpreters_refusal_names_the_file() -> None:
    with pytest.raises(ModelError, match=r"x\.tflite: \w+ refuses it"):
        Model(b"not a flatbuffer", "x.tflite")


def test_the_tiny_model_runs() -> None:
    assert selfcheck.run_tiny_model()["interpreter"] in ("tflite_runtime", "ai_edge_litert")


def test_every_file_has_a_cost_of_at_least_its_size_twice(sentiment_bundle: Path) -> None:
    manifest = json.loads((sentiment_bundle / MANIFEST).read_text())
    for entry in [manifest["router"], *manifest["experts"]]:
        assert entry["resident_bytes"] >= 2 * entry["bytes"]

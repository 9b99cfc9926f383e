"""The monitor: quiet where nothing changed, at the rate it states; and what it counts."""

from __future__ import annotations

import json
import math
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edge_experts import ExpertRuntime
from edge_experts.format.drift_reference import DriftReference, Histogram
from edge_experts.format.manifest import MANIFEST
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.drift import drift_monitor, evidence
from edge_experts.runtime.drift.drift_monitor import Monitor, first_probabilities
from edge_experts.runtime.metrics import RuntimeCollector

from ...attacks.bundles import EXAMPLES, publish, tiny_bundle
from ...conftest import Cli

EXPERTS, LABELS = 4, 3


def drawn(dice: np.random.Generator, count: int, scale: float = 2.0) -> tuple[np.ndarray, ...]:
    """Logits of a router and of answers, (count, EXPERTS) and (count, LABELS)."""
    gates = dice.normal(size=(count, EXPERTS)) * scale + np.arange(EXPERTS)
    return gates.astype(np.float32), dice.normal(size=(count, LABELS)).astype(np.float32) * 2


def histogram(values: np.ndarray) -> Histogram:
    edges = np.quantile(values, np.arange(1, 10) / 10)
    return Histogram(
        tuple(edges.tolist()),
        tuple(np.bincount(np.searchsorted(edges, values, side="right"), minlength=10).tolist()),
    )


def reference(gates: np.ndarray, logits: np.ndarray) -> DriftReference:
    return DriftReference(
        score=histogram(first_probabilities(logits)),
        experts=tuple(np.bincount(gates.argmax(axis=1), minlength=EXPERTS).tolist()),
        confidence=histogram(first_probabilities(gates)),
        entropy=histogram(drift_monitor.entropies(gates)),
    )


def watched(found: Monitor, gates: np.ndarray, logits: np.ndarray) -> Monitor:
    for pair in zip(gates, logits, strict=True):
        found.observe(*pair)
    return found


def test_signals_are_those_of_the_softmax() -> None:
    gates, _ = drawn(np.random.default_rng(0), 50)
    powers = np.exp(gates.astype(np.float64))
    shares = powers / powers.sum(axis=1, keepdims=True)
    assert first_probabilities(gates) == pytest.approx(shares.max(axis=1), abs=1e-6)
    entropy = -(shares * np.log(shares)).sum(axis=1)
    assert drift_monitor.entropies(gates) == pytest.approx(entropy, abs=1e-5)


def test_evidence_is_the_product_of_what_each_answer_was_predicted_with() -> None:
    counts, dice = np.array([5, 0, 20, 3]), np.random.default_rng(1)
    expected = evidence.Expected(counts)
    known, seen = counts + 0.5, np.zeros(4, int)
    learned = [one.copy() for one in expected.learned]
    ratios = np.ones(len(learned))
    for bin_ in dice.integers(0, 4, 60):
        predicted = known[bin_] / known.sum()
        ratios *= [one[bin_] / one.sum() / predicted for one in learned]
        for one in (known, *learned, seen):
            one[bin_] += 1
        assert math.exp(expected.evidence(seen)) == pytest.approx(ratios.mean())


def test_evidence_is_a_martingale_where_nothing_changed() -> None:
    counts = np.array([5, 0, 20, 3])
    expected = evidence.Expected(counts)
    for seen in ([0, 0, 0, 0], [3, 1, 2, 0], [0, 9, 0, 0]):
        posterior = counts + seen + 0.5
        after = [math.exp(expected.evidence(np.array(seen) + one)) for one in np.eye(4, dtype=int)]
        mean = float(np.dot(posterior / posterior.sum(), after))
        assert mean == pytest.approx(math.exp(expected.evidence(np.array(seen))))


def test_false_alarms_are_no_more_than_stated() -> None:
    dice, stated, trials = np.random.default_rng(2), 0.3, 60
    alarms = 0
    for _ in range(trials):
        # A small reference, far from exact.
        found = Monitor(reference(*drawn(dice, 80)), first_probabilities, false_alarms=stated)
        alarms += watched(found, *drawn(dice, 1500)).drift.drifted
    assert alarms <= trials * stated + 3 * math.sqrt(trials * stated * (1 - stated))


def test_taking_the_reference_for_exact_would_alarm_more_often() -> None:
    # The posterior is not there for show: without it, a small sample is mistaken for the truth.
    dice, alarms = np.random.default_rng(3), 0
    for _ in range(30):
        counts = np.bincount(dice.integers(0, 10, 40), minlength=10)
        exact = evidence.Expected(counts)
        exact.weights = (counts + 0.5) * 1e6
        seen = np.bincount(dice.integers(0, 10, 4000), minlength=10)
        alarms += exact.evidence(seen) > math.log(1000)
        assert evidence.Expected(counts).evidence(seen) < math.log(1000)
    assert alarms > 15


@pytest.mark.parametrize(("scale", "within"), [(8.0, 300), (3.0, 1500), (2.4, 20_000)])
def test_changes_are_found_the_sooner_the_larger_they_are(scale: float, within: int) -> None:
    dice = np.random.default_rng(4)
    found = Monitor(reference(*drawn(dice, 2000)), first_probabilities)
    watched(found, *drawn(dice, 3000))
    assert not found.drift.drifted
    watched(found, *drawn(dice, within, scale))
    drift = found.drift
    assert drift.drifted
    assert drift.since is not None
    assert 3000 < drift.since <= 3000 + within
    assert max(one.distance for one in drift.signals.values()) > evidence.LEAST_DISTANCE
    assert "accuracy on them is unknown" in drift.warning
    found.reset()
    assert found.drift == replace(found.drift, answers=0, drifted=False, since=None)
    assert found.drift.warning == ""


def test_small_changes_do_not_matter_however_sure_they_are() -> None:
    counts = np.full(10, 10**6)
    same = Histogram(tuple(range(1, 10)), tuple(counts.tolist()))
    block = Monitor(DriftReference(same), first_probabilities)._blocks[-1]
    block.add({"score": np.repeat(np.arange(10), np.array([4600, 3400, *[4000] * 8]))}, 40_000)
    assert not block.speaks(0.001)
    assert block._expected["score"].evidence(block.counts["score"]) > math.log(1000)
    block.add({"score": np.zeros(4000, int)}, 4000)
    assert block.speaks(0.001)


def test_what_all_blocks_may_spend_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    gates, logits = drawn(np.random.default_rng(5), 500)
    found = Monitor(reference(gates, logits), first_probabilities, false_alarms=0.3)
    block, spent = found._blocks[0], 0.0
    monkeypatch.setattr(evidence.AnswerBlock, "_matters", lambda _: True)
    for _ in range(2000):
        # As much evidence as is just not enough tells what the block may spend.
        allowed = found._false_alarms / (block.number * (block.number + 1))
        for factor, speaks in ((1.001, True), (0.999, False)):
            log = -math.log(allowed) + math.log(factor)
            monkeypatch.setattr(evidence.Expected, "evidence", lambda *_, log=log: log)
            assert block.speaks(found._false_alarms) is speaks
        spent += allowed
        block.restart()
    assert spent * len(found._blocks) <= 0.3
    assert spent * len(found._blocks) == pytest.approx(0.3, rel=1e-3)


def test_memory_is_constant() -> None:
    gates, logits = drawn(np.random.default_rng(6), 4000)
    found = watched(Monitor(reference(gates, logits), first_probabilities), gates, logits)
    tracemalloc.start()
    try:
        watched(found, gates, logits)
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(5):
            watched(found, gates, logits)
        assert tracemalloc.get_traced_memory()[0] - before < 20_000
    finally:
        tracemalloc.stop()
    assert found.drift.answers == 7 * 4000


def test_many_labels_wait_in_few_rows() -> None:
    score = Histogram((0.5,), (1, 1))
    found = Monitor(DriftReference(score), first_probabilities)
    for _ in range(5):
        found.observe(None, np.zeros(100_000, np.float32))
    assert found._outputs.nbytes <= 4 * max(100_000, drift_monitor._NUMBERS)
    assert found.drift.answers == 5


def test_an_answer_that_would_have_to_wait_is_left_out() -> None:
    gates, logits = drawn(np.random.default_rng(7), 10)
    found = watched(Monitor(reference(gates, logits), first_probabilities), gates, logits)
    with found._lock:
        found.observe(gates[0], logits[0])
    assert found.drift.answers == 10


def _with_reference(folder: Path) -> Path:
    bundle = tiny_bundle(folder)
    flat = Histogram((0.5,), (50, 50))
    publish(
        bundle, replace(read_manifest(bundle), reference=DriftReference(flat, (50, 50), flat, flat))
    )
    return bundle


def test_a_runtime_tells_of_drift_where_it_is_asked_to(tmp_path: Path) -> None:
    with ExpertRuntime(tiny_bundle(tmp_path / "plain"), monitor=True) as runtime:
        runtime.predict(EXAMPLES[0])
        assert runtime.drift is None
    bundle = _with_reference(tmp_path / "bundle")
    with ExpertRuntime(bundle) as runtime:
        assert runtime.drift is None
    with ExpertRuntime(bundle, monitor=True) as runtime:
        for _ in range(300):
            runtime.predict(EXAMPLES[0])
        assert runtime.drift is not None
        assert runtime.drift.drifted
        assert runtime.drift.signals["experts"].distance == 0.5


def test_metrics_are_what_prometheus_reads(tmp_path: Path) -> None:
    from prometheus_client import CollectorRegistry, generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    def read(runtime: ExpertRuntime) -> dict[str, dict[str, float]]:
        registry = CollectorRegistry()
        registry.register(RuntimeCollector(runtime))
        families = text_string_to_metric_families(generate_latest(registry).decode())
        return {
            family.name: {",".join(one.labels.values()): one.value for one in family.samples}
            for family in families
        }

    bundle = _with_reference(tmp_path / "bundle")
    manifest = read_manifest(bundle)
    assert manifest.router is not None
    with ExpertRuntime(bundle, monitor=True) as runtime:
        before = read(runtime)
        for _ in range(300):
            pick = runtime.predict(EXAMPLES[0]).expert
        after = read(runtime)
    assert before["edge_experts_bundle_info"] == {"tiny,1": 1}
    assert before["edge_experts_residency_info"] == {"plain": 1}
    assert before["edge_experts_resident"] == {"": 0}
    assert before["edge_experts_resident_bytes"] == {"": manifest.router.resident_bytes}
    assert before["edge_experts_drift"] == {"": 0}
    cost = manifest.router.resident_bytes + manifest.experts[pick].resident_bytes
    assert after["edge_experts_resident_bytes"] == {"": cost}
    assert after["edge_experts_drift"] == {"": 1}
    assert after["edge_experts_drift_distance"]["experts"] == 0.5
    with ExpertRuntime(bundle) as runtime:
        assert "edge_experts_drift" not in read(runtime)


def test_the_command_says_whether_inputs_changed(
    cli: Cli, tmp_path: Path, sentiment_bundle: Path
) -> None:
    bundle = _with_reference(tmp_path / "bundle")
    lines = tmp_path / "lines.txt"
    lines.write_text("[1, 2]\n" * 300)
    done = cli("monitor", bundle, "--input", lines, "--json", "--fail-on-drift")
    assert done.returncode == 5, done.stderr
    found = json.loads(done.stdout)
    assert found["schema_version"] == "1.0"
    assert (found["drift"], found["answers"]) == (True, 300)
    assert found["signals"]["experts"]["reference"] == [0.5, 0.5]
    assert found["signals"]["experts"]["distance"] == 0.5
    done = cli("monitor", bundle, stdin="[1, 2]\n[-3, 1]\n")
    assert done.returncode == 0, done.stderr
    assert "no drift was found" in done.stdout
    assert cli("monitor", bundle, stdin="").returncode == 2
    content = json.loads((sentiment_bundle / MANIFEST).read_text())
    assert sum(content["reference"]["experts"]) == sum(content["reference"]["score"]["counts"])
    plain = tiny_bundle(tmp_path / "plain")
    done = cli("monitor", plain, stdin="[1, 2]\n")
    assert done.returncode == 2
    assert "convert it again" in done.stderr


def test_run_warns_once(cli: Cli, tmp_path: Path) -> None:
    bundle = _with_reference(tmp_path / "bundle")
    done = cli("run", bundle, "--json", stdin="[1, 2]\n" * 300)
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("warning: inputs differ") == 1
    drift = [json.loads(line).get("drift") for line in done.stdout.splitlines()]
    assert drift[0] is None
    assert drift[20] is False or drift[20] is True
    assert drift[-1] is True
    done = cli("run", tiny_bundle(tmp_path / "plain"), "--json", "[1, 2]")
    assert "drift" not in json.loads(done.stdout)

"""Conversion: every quantization, proven; what fails is named; nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import run_folder
from edge_experts.errors import ConversionError, UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden

from ..conftest import TARGETS, TEXTS

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8", "int16x8")


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_every_quantization_answers_as_keras_does(
    make_run: Any, make_model: Any, tmp_path: Path, quantization: str
) -> None:
    from edge_experts.converters import convert

    made = convert(
        make_run(make_model()),
        tmp_path / "b",
        quantization=quantization,
        max_accuracy_drop=100,
    )
    exact = quantization in ("float32", "float16")
    assert sum(one.examples for one in made.parity.experts) <= len(TEXTS)
    for one in made.parity.experts:
        assert one.equal_labels >= (1.0 if exact else 0.8)
        assert one.keras_accuracy == one.deployed_accuracy or not exact
    assert made.parity.examples == len(TEXTS)
    assert made.parity.equal_labels >= (1.0 if exact else 0.9)
    assert made.parity.largest_score_difference <= (0.01 if exact else 1.0)
    assert len(read_manifest(tmp_path / "b").experts) == 3
    assert read_manifest(tmp_path / "b").verified_on["interpreter"] in (
        "tflite_runtime",
        "ai_edge_litert",
    )
    assert "## Limits" in (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert not list(tmp_path.glob(".*partial"))


@pytest.mark.parametrize("options", [{"combine": "sum"}, {"top_k": 2}, {"experts": 1}])
def test_every_way_to_combine_is_deployed_as_trained(
    make_run: Any, make_model: Any, tmp_path: Path, options: Any
) -> None:
    from edge_experts.converters import convert

    made = convert(make_run(make_model(**options)), tmp_path / "b", quantization="float32")
    assert made.parity.largest_score_difference < 1e-4
    assert made.parity.equal_labels == 1
    assert (made.manifest.router is None) == (options != {"top_k": 2})


def test_one_training_gives_bundles_that_ask_one_or_two(
    make_run: Any, make_model: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    run = _with_macs(make_run(make_model()))
    for top_k in (1, 2):
        out = tmp_path / f"{top_k}"
        made = convert(run, out, quantization="float32", top_k=top_k, max_accuracy_drop=100)
        assert made.parity.largest_score_difference < 1e-4
        assert read_manifest(out).top_k == top_k
        assert made.manifest.provenance["macs"]["active"] == 10 + top_k * 100
        assert made.unsure.to_json() == made.manifest.provenance["validation"] == {}


def test_a_second_expert_is_asked_as_keras_would(
    keras: Any, make_run: Any, make_model: Any, arrays: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import convert

    model = make_model()
    made = convert(
        _with_macs(make_run(model)),
        tmp_path / "b",
        quantization="float32",
        second_share=0.4,
        abstain_below=0.75,
        max_accuracy_drop=100,
    )
    manifest = read_manifest(tmp_path / "b")
    gate = np.exp(model.router.predict(arrays, verbose=0))
    gate /= gate.sum(axis=1, keepdims=True)
    assert manifest.second_below is not None
    unsure = gate.max(axis=1) < manifest.second_below
    assert unsure.mean() == pytest.approx(0.4, abs=1 / len(TEXTS))
    assert made.unsure.asked_second == unsure.mean()
    assert manifest.provenance["macs"]["active"] == 10 + round(100 * (1 + unsure.mean()))
    # By hand: the gate's two best, weighted.
    answers = np.stack([keras.activations.softmax(e(arrays)) for e in model.experts], axis=1)
    kept = np.where(gate >= np.sort(gate, axis=1)[:, [-2]], gate, 0)
    kept[~unsure] = np.where(gate >= gate.max(axis=1, keepdims=True), gate, 0)[~unsure]
    scores = np.einsum("be,bel->bl", kept / kept.sum(axis=1, keepdims=True), answers)
    scores = scores ** (1 / manifest.temperature)
    scores /= scores.sum(axis=1, keepdims=True)
    published = golden.read(tmp_path / "b")
    rows = [TEXTS.index(text) for text in published.inputs]
    assert published.scores == pytest.approx(scores[rows], abs=1e-3)
    assert len(set(unsure[rows])) == 2
    assert made.parity.largest_score_difference < 1e-4
    abstained = scores.max(axis=1) < 0.75
    right = scores.argmax(axis=1) == TARGETS
    assert made.unsure.abstained == pytest.approx(abstained.mean())
    assert made.unsure.accuracy_answered == pytest.approx(right[~abstained].mean())
    card = (tmp_path / "b" / "MODEL_CARD.md").read_text()
    assert f"| a second expert run | {unsure.mean():.1%} of the validation examples |" in card
    assert "| abstains, under a score of 0.75 |" in card
    assert "It always answers" not in card


def _with_macs(run: Path) -> Path:
    """The run, as if its router and its experts took so many multiply-adds."""
    description = run_folder.read_run(run)
    counts = {"router": 10, "expert": 100, "active": 110}
    replace(description, metrics={**description.metrics, "macs": counts}).write(run)
    return run


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        ({"combine": "sum"}, {"top_k": 2}, "top_k requires a model with a router"),
        ({}, {"top_k": 4}, "top_k must be from 1 to 3"),
        ({}, {"second_share": 1.5}, "second_share must be from 0 to 1, got 1.5"),
        ({}, {"abstain_below": float("nan")}, "abstain_below must be from 0 to 1, got nan"),
        ({}, {"second_share": 0.2, "top_k": 2}, "second_share requires a model whose router"),
        ({}, {"second_share": 0.2, "layout": "gated"}, "second_share requires a model whose"),
        ({"combine": "sum"}, {"second_share": 0.2}, "second_share requires a model whose"),
        ({"experts": 1}, {"second_share": 0.2}, "second_share requires a model whose"),
        ({"top_k": 2}, {"second_share": 0.2}, "if more experts always answer, pass top_k 1"),
    ],
)
def test_what_a_model_cannot_be_asked_is_refused(
    make_run: Any, make_model: Any, tmp_path: Path, model: Any, options: Any, message: str
) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match=message):
        convert(make_run(make_model(**model)), tmp_path / "b", **options)
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize("layout", ["gated", "nested-if"])
def test_all_in_one_file_answers_as_separate_files_do(
    make_run: Any, make_model: Any, tmp_path: Path, layout: str
) -> None:
    from edge_experts.converters import convert

    made = convert(make_run(make_model()), tmp_path / "b", quantization="float32", layout=layout)
    assert made.parity.largest_score_difference < 1e-4
    assert made.parity.equal_labels == 1
    assert made.manifest.router is None
    assert len(made.manifest.experts) == 1
    assert f"| layout | {layout} |" in (tmp_path / "b" / "MODEL_CARD.md").read_text()


@pytest.mark.parametrize("options", [{"combine": "sum"}, {"top_k": 2}, {"experts": 1}])
def test_a_layout_in_one_file_needs_a_router_that_picks_one(
    make_run: Any, make_model: Any, tmp_path: Path, options: Any
) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match="layout 'gated' requires a model whose router"):
        convert(make_run(make_model(**options)), tmp_path / "b", layout="gated")
    assert not (tmp_path / "b").exists()


def test_a_converter_that_dies_is_an_error_that_names_the_expert(
    keras: Any, make_run: Any, make_model: Any, tmp_path: Path
) -> None:
    """A GRU at batch 1 in int8 ends the converter's process."""
    from edge_experts.converters import convert

    from edge_experts.training import SparseExperts

    inputs = {
        "ids": keras.Input((16,), dtype="int32", name="ids"),
        "weights": keras.Input((16,), dtype="float32", name="weights"),
    }
    embedded = keras.layers.Embedding(128, 4)(inputs["ids"])
    recurrent = keras.layers.GRU(4)(embedded)
    gru = keras.Model(inputs, keras.layers.Dense(2)(recurrent))
    model = make_model(experts=2)
    run = make_run(SparseExperts(model.router, [model.experts[0], gru]))
    named = r"expert 1: .* cannot make it int8: .*SIG.*GRU .*unroll=True.*\nThe other 2 were conv"
    with pytest.raises(ConversionError, match=named):
        convert(run, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_an_unknown_quantization_is_named(tmp_path: Path) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match="int3"):
        convert(tmp_path, tmp_path / "b", quantization="int3")


def test_an_expert_that_owns_few_inputs_is_calibrated_with_others() -> None:
    from edge_experts.training import SparseExperts  # noqa: F401  sets up Keras for the worker
    from edge_experts.converters.tasks.networks import ENOUGH, representative  # isort: skip

    owners = np.array([0] * 500 + [1] * 30 + [2] * 20)
    rows = representative(owners, 1)
    assert set(range(500, 530)) <= set(rows.tolist())
    assert len(rows) == ENOUGH
    assert representative(owners, 0).tolist() == list(range(500))


def test_temperature_makes_overconfident_scores_calibrated() -> None:
    from edge_experts.converters.verify import parity

    random = np.random.default_rng(0)
    logits = random.normal(size=(4000, 3))
    truth = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    targets = np.array([random.choice(3, p=row) for row in truth])
    sharp = np.exp(logits * 3) / np.exp(logits * 3).sum(axis=1, keepdims=True)
    temperature = parity.fit_temperature(sharp, targets)
    assert temperature == pytest.approx(3, rel=0.1)
    calibrated = parity.at_temperature(sharp, temperature)
    before = parity.expected_calibration_error(sharp, targets)
    assert parity.expected_calibration_error(calibrated, targets) < before / 3


def test_the_runtime_quantizes_for_models_with_integer_inputs(keras: Any, tmp_path: Path) -> None:
    """Whole-integer files, as others make them; run without TensorFlow in the process."""
    import tensorflow as tf

    keras.utils.set_random_seed(0)
    inputs = {"x": keras.Input((6,), name="x")}
    network = keras.Model(inputs, keras.layers.Dense(3)(inputs["x"]))
    samples = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    signature = [{"x": tf.TensorSpec((1, 6), tf.float32, name="x")}]
    function = tf.function(lambda x: network(x), input_signature=signature)
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [function.get_concrete_function()], network
    )
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    converter.representative_dataset = lambda: ([row[None]] for row in samples)
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tf.int8
    (tmp_path / "m.tflite").write_bytes(converter.convert())
    np.save(tmp_path / "x.npy", samples)
    code = (
        "import sys, numpy as np; from pathlib import Path\n"
        "from edge_experts.runtime.interpreter import Model\n"
        "model = Model(Path('m.tflite').read_bytes(), 'm'); x = np.load('x.npy')\n"
        "np.save('y.npy', [model({'x': row[None]}) for row in x])\n"
        "far = model({'x': np.full((1, 6), 1e9, np.float32)})\n"
        "assert np.isfinite(far).all() and 'tensorflow' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    expected = network.predict({"x": samples}, verbose=0)
    assert np.load(tmp_path / "y.npy") == pytest.approx(expected, abs=0.06)


def test_layers_that_never_answer_do_not_end_the_process(keras: Any, tmp_path: Path) -> None:
    """LiteRT 2.3 died where a result's steps were hundreds of times as small as its products'."""
    from edge_experts.converters.tflite.quantization import to_tflite

    keras.utils.set_random_seed(0)
    x = keras.Input((6,), name="x")
    dense, never = keras.layers.Dense, keras.initializers.Constant(-9)
    dead = dense(64, activation="relu", bias_initializer=never)(keras.activations.tanh(x / 100))
    network = keras.Model(x, keras.layers.Add()([dense(3)(x), dense(3)(dead)]))
    samples = np.random.default_rng(0).normal(size=(100, 6)).astype(np.float32)
    (tmp_path / "m.tflite").write_bytes(to_tflite(network, "int8", {"x": samples}))
    np.save(tmp_path / "x.npy", samples)
    code = (
        "import numpy as np; from pathlib import Path\n"
        "from edge_experts.runtime.interpreter import Model\n"
        "x, content = np.load('x.npy'), Path('m.tflite').read_bytes()\n"
        "for kind in 'xnnpack', 'none', 'reference':\n"
        "    model = Model(content, 'm', delegate=kind)\n"
        "    np.save(kind, [model({'x': row[None]}) for row in x])\n"
    )
    subprocess.run([sys.executable, "-c", code], cwd=tmp_path, check=True, capture_output=True)
    expected = network.predict(samples, verbose=0)
    for kind in ("xnnpack", "none", "reference"):
        assert np.load(tmp_path / f"{kind}.npy") == pytest.approx(expected, abs=0.1)


def test_the_command_line_offers_what_the_converters_do() -> None:
    from typing import get_args

    from edge_experts import converters
    from edge_experts.cli.shared_options import Layout, Quantization

    assert (
        get_args(get_args(Quantization)[0])
        == converters.QUANTIZATIONS
        == (*QUANTIZATIONS, "int4", "auto")
    )
    assert get_args(get_args(Layout)[0]) == converters.LAYOUTS

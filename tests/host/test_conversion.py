"""Conversion: every quantization, proven; what fails is named; nothing is left half done."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.bundle import read_manifest
from edge_experts.errors import ConversionError, ThresholdError, UsageError
from tests.host.conftest import TEXTS

QUANTIZATIONS = ("float32", "float16", "dynamic", "int8")


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

    with pytest.raises(UsageError, match="layout 'gated' holds for models whose router"):
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
    with pytest.raises(ConversionError, match=r"expert 1: .* cannot make it int8: .*SIG"):
        convert(run, tmp_path / "b")
    assert not (tmp_path / "b").exists()
    assert not list(tmp_path.glob(".*partial"))


def test_a_bundle_that_lost_too_much_accuracy_is_refused(
    make_run: Any, make_model: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import convert, parity

    real = parity.compare
    monkeypatch.setattr(
        parity, "compare", lambda *answers: replace(real(*answers), deployed_accuracy=0.0)
    )
    with pytest.raises(ThresholdError, match=r"--max-accuracy-drop allows 2\.0"):
        convert(
            make_run(make_model()), tmp_path / "b", quantization="float32", max_accuracy_drop=2.0
        )
    assert not (tmp_path / "b").exists()


@pytest.mark.parametrize(
    ("lost", "stated", "refused"), [(1, None, False), (10, None, True), (1, 2.0, True)]
)
def test_one_example_of_few_is_chance_unless_a_threshold_was_stated(
    lost: int, stated: float | None, refused: bool
) -> None:
    from edge_experts.converters import parity

    right = np.eye(2)[np.zeros(24, int)]
    wrong = right.copy()
    wrong[:lost] = [0, 1]
    routes = np.zeros(24, int)
    found = parity.compare(right, routes, wrong, routes, np.zeros(24, int))
    assert (found.lost, found.gained) == (lost, 0)
    if refused:
        with pytest.raises(ThresholdError):
            found.refuse_beyond(stated)
    else:
        found.refuse_beyond(stated)


def test_an_unknown_quantization_is_named(tmp_path: Path) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match="int3"):
        convert(tmp_path, tmp_path / "b", quantization="int3")


def test_an_expert_that_owns_few_inputs_is_calibrated_with_others() -> None:
    from edge_experts.training import SparseExperts  # noqa: F401  sets up Keras for the worker
    from edge_experts.converters.worker import ENOUGH, representative  # isort: skip

    owners = np.array([0] * 500 + [1] * 30 + [2] * 20)
    rows = representative(owners, 1)
    assert set(range(500, 530)) <= set(rows.tolist())
    assert len(rows) == ENOUGH
    assert representative(owners, 0).tolist() == list(range(500))


def test_temperature_makes_overconfident_scores_calibrated() -> None:
    from edge_experts.converters import parity

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


def test_the_command_line_offers_what_the_converters_do() -> None:
    from typing import get_args

    from edge_experts import converters
    from edge_experts.cli.options import Layout, Quantization

    assert get_args(get_args(Quantization)[0]) == converters.QUANTIZATIONS == QUANTIZATIONS
    assert get_args(get_args(Layout)[0]) == converters.LAYOUTS

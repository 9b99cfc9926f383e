"""Models of several labels converted: recipes, combinations, C, ONNX, compared with Keras."""

from __future__ import annotations

import ctypes
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import run_folder
from edge_experts.compression import Compression
from edge_experts.datasets import Split
from edge_experts.datasets.targets import label_sets
from edge_experts.errors import ThresholdError, UsageError
from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest import TaskSpec
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import golden

from ...conftest import Cli
from ..compilers import compile_

LABELS = ("red", "round", "rare")
X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)


@pytest.fixture
def make_labels_run(tmp_path: Path, keras: Any) -> Any:
    """A run folder of three labels whose experts differ clearly, and targets near its answers."""
    from edge_experts.training import SparseExperts
    from edge_experts.training.inference import predict

    def make(experts: int = 3, **options: Any) -> Path:
        def network(units: int, seed: int, scale: float = 1.0) -> Any:
            keras.utils.set_random_seed(seed)
            inputs = keras.Input((6,), name="x")
            hidden = keras.layers.Dense(8, activation="relu")(inputs)
            start = keras.initializers.RandomNormal(0, scale)
            return keras.Model(
                {"x": inputs}, keras.layers.Dense(units, kernel_initializer=start)(hidden)
            )

        networks = [network(3, index + 1, 2.0) for index in range(experts)]
        model = SparseExperts(network(experts, 0), networks, output_kind="sets", **options)
        folder = tmp_path / "labels.run"
        folder.mkdir()
        model.save(folder / run_folder.MODEL)
        features = ArrayFeatures.fit(X, channels=False)
        logits = predict(model, {"x": np.stack([features.encode(row)["x"][0] for row in X])})
        noise = np.random.default_rng(1).normal(0, 0.5, logits.shape)
        targets = logits + noise > (0, 0, 2)
        run_folder.write_features(folder, features)
        splits = dict.fromkeys(("train", "validation", "test"), Split(list(X), targets))
        run_folder.write_examples(folder, features, splits)
        config = {"thresholds": [0.5, 0.5, 0.88], "counts": targets.sum(axis=0).tolist()}
        run_folder.Run(
            name="labels",
            task="multi-label array classification",
            labels=LABELS,
            combine=model.combine,
            top_k=model.top_k,
            experts=experts,
            origin="made by a test",
            feature_kind=features.kind,
            feature_settings=features.settings,
            config={"seed": 0},
            metrics={"same_labels_always_f1_micro": 0.5},
            versions={},
            task_spec=TaskSpec("multi-label", config),
        ).write(folder)
        return folder

    return make


def test_int8_answers_as_keras_does(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    made = convert(make_labels_run(), tmp_path / "b")
    parity = made.parity
    assert parity.equal_labels > 0.95
    assert parity.equal_experts > 0.95
    assert parity.keras_f1_micro - parity.deployed_f1_micro < 0.03
    assert made.scores["f1_micro"] > 0.85
    manifest = read_manifest(tmp_path / "b")
    assert manifest.task_spec is not None
    assert set(manifest.task_spec.config) == {"thresholds"}
    assert manifest.temperature == 1.0
    assert manifest.provenance["test_scores"] == made.scores
    assert manifest.reference is not None
    published = golden.read(tmp_path / "b")
    present = published.scores >= np.float32(manifest.task_spec.config["thresholds"])
    assert np.array_equal(published.of_task["present"], present)
    card = (tmp_path / "b/MODEL_CARD.md").read_text()
    for row in ("| micro-F1 as deployed |", "| macro-F1 as", "one set of labels for all examples"):
        assert row in card


@pytest.mark.parametrize(
    ("trained", "options"),
    [
        ({"top_k": 2}, {}),
        pytest.param({"combine": "sum"}, {}, marks=pytest.mark.long),
        pytest.param({"experts": 1}, {}, marks=pytest.mark.long),
        pytest.param({}, {"second_share": 0.4}, marks=pytest.mark.long),
        pytest.param({}, {"layout": "gated"}, marks=pytest.mark.long),
        pytest.param({}, {"layout": "nested-if"}, marks=pytest.mark.long),
        pytest.param({}, {"quantization": "float16"}, marks=pytest.mark.long),
    ],
)
def test_every_way_to_combine_is_deployed_as_trained(
    make_labels_run: Any, tmp_path: Path, trained: Any, options: Any
) -> None:
    from edge_experts.converters import convert

    run = make_labels_run(**trained)
    settings = {"quantization": "float32", "max_accuracy_drop": 100, **options}
    made = convert(run, tmp_path / "b", **settings)
    assert made.parity.largest_score_difference < 1e-2
    assert made.parity.equal_sets > 0.99


@pytest.mark.long
@pytest.mark.parametrize("quantization", ["dynamic", "int16x8"])
def test_other_quantizations(make_labels_run: Any, tmp_path: Path, quantization: str) -> None:
    from edge_experts.converters import convert

    made = convert(make_labels_run(), tmp_path / "b", quantization=quantization)
    assert made.scores["f1_micro"] > 0.85


@pytest.mark.long
def test_recipes_are_chosen_by_cross_entropy(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    made = convert(make_labels_run(), tmp_path / "b", quantization="auto", max_accuracy_drop=3)
    assert made.search is not None
    exact = next(one for one in made.search.uniform if one.uniform == "float32")
    assert exact.primary == "f1_micro"
    assert exact.score == pytest.approx(made.parity.keras_f1_micro, abs=0.05)
    assert made.parity.f1_drop <= 3


def test_losses_of_outputs_are_those_of_their_definition() -> None:
    from edge_experts.converters.tasks.multi_label import MultiLabelConversion

    random = np.random.default_rng(0)
    outputs, targets = random.normal(0, 3, (50, 4)), random.random((50, 4)) < 0.3
    thresholds = np.array([0.2, 0.4, 0.5, 0.9])
    signed = np.where(targets, thresholds, -thresholds)
    losses, wrong = MultiLabelConversion.losses(outputs, signed, signed, 1.0)
    p = 1 / (1 + np.exp(-outputs))
    entropy = -(targets * np.log(p) + ~targets * np.log(1 - p)).sum(axis=1)
    np.testing.assert_allclose(losses, entropy, rtol=1e-6)
    answered = p >= thresholds
    errors = (answered != targets).sum()
    assert 1 - wrong.mean() == pytest.approx(1 - errors / (2 * targets.sum()))
    # As many labels as occur are answered: the score is then micro-F1.
    order = np.argsort(-p, axis=None)[: targets.sum()]
    cut = np.full(4, np.sort(p, axis=None)[::-1][targets.sum() - 1])
    signed = np.where(targets, cut, -cut)
    _, wrong = MultiLabelConversion.losses(outputs, signed, signed, 1.0)
    assert len(order) == targets.sum()
    assert 1 - wrong.mean() == pytest.approx(label_sets.micro(p >= cut, targets), abs=0.03)


def test_drops_in_f1_and_other_labels_are_refused() -> None:
    from edge_experts.converters.verify.set_parity import MultiLabelParity

    figures: dict[str, Any] = {
        "equal_sets": 1.0, "equal_experts": 1.0, "largest_score_difference": 0.1,
        "keras_f1_macro": 0.8, "deployed_f1_macro": 0.8,
    }  # fmt: skip
    parity = MultiLabelParity(
        200, 1.0, keras_f1_micro=0.9, deployed_f1_micro=0.87, drop_error=2.0, confident=500,
        other_confident=0.0, **figures,
    )  # fmt: skip
    parity.refuse_beyond(None)  # 3 points, which is within two standard errors
    with pytest.raises(ThresholdError, match=r"3\.00 points of micro-F1"):
        parity.refuse_beyond(2.5)
    parity.refuse_disagreement()
    with pytest.raises(ThresholdError, match=r"changes 4\.0% of the 500 labels"):
        replace(parity, other_confident=0.04).refuse_disagreement()


def test_abstention_is_refused_by_name(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match="--abstain-below is not supported for multi-label"):
        convert(make_labels_run(), tmp_path / "b", abstain_below=0.5)


class _Answer(ctypes.Structure):
    _fields_ = (
        ("expert", ctypes.c_int),
        ("count", ctypes.c_int),
        ("scores", ctypes.c_float * 3),
        ("present", ctypes.c_ubyte * 3),
    )


@pytest.mark.long
def test_c_marks_labels_from_their_thresholds(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.c_source import c_source

    pytest.importorskip("tflite_micro")
    made = convert(make_labels_run(), tmp_path / "b", target="microcontroller", io="integer")
    assert made.manifest.verified_on["largest_difference_there"] < 0.5
    c_source(tmp_path / "b", tmp_path / "c")
    assert "answer.present[i]" in (tmp_path / "c/README.md").read_text()
    warnings, files = ("-Wall", "-Wextra", "-Werror", "-pedantic"), sorted(tmp_path.glob("c/*.c"))
    library = tmp_path / "labels.so"
    compile_("gcc", "-std=c99", *warnings, "-shared", "-fPIC", *files, "-lm", "-o", library)
    thresholds = np.float32(made.manifest.task_spec.config["thresholds"])
    logits = np.log(thresholds / (1 - thresholds)) + np.array([0.1, -0.1, 0.1], np.float32)
    given = [[0.0, 2.0, 1.0], logits.tolist()]  # the gate's, then the expert's
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4, ctypes.POINTER(ctypes.c_float))

    def run(context: Any, model: Any, x: Any, trunk: Any, output: Any) -> int:
        for place, value in enumerate(given.pop(0)):
            output[place] = value
        return 0

    answer, asked = _Answer(), ctypes.CDLL(str(library)).edge_experts_ask
    assert asked(None, kind(run), None, ctypes.byref(answer)) == 0
    assert (answer.expert, answer.count, list(answer.present)) == (1, 2, [1, 0, 1])
    assert list(answer.scores) == pytest.approx(1 / (1 + np.exp(-logits)), rel=1e-5)


@pytest.mark.long
def test_onnx_runtime_is_judged_by_f1(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters.onnx import export_onnx

    for name in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name)
    made = export_onnx(make_labels_run(experts=1), tmp_path / "o")
    assert made.proof.float_scores["f1_micro"] > 0.85
    assert made.proof.scores["f1_micro"] == pytest.approx(
        made.proof.float_scores["f1_micro"], abs=0.1
    )


@pytest.mark.long
def test_experts_are_made_smaller_first(make_labels_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    compression = Compression("pruning", sparsity=0.5, epochs=2)
    made = convert(make_labels_run(), tmp_path / "b", compress=compression, max_accuracy_drop=100)
    assert made.manifest.provenance["compression"]["method"] == "pruning"
    assert made.scores["f1_micro"] > 0.5


@pytest.mark.long
def test_the_command_tells_of_f1_in_words_and_json(
    make_labels_run: Any, tmp_path: Path, cli: Cli
) -> None:
    run = make_labels_run()
    done = cli("convert", run, "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert "micro-F1 as deployed 0." in done.stdout
    done = cli("convert", run, "--out", tmp_path / "b", "--force", "--json")
    said = json.loads(done.stdout)
    assert {"f1_micro", "f1_macro", "parity", "bytes"} <= set(said)
    assert not {"accuracy", "abstain_below", "calibration_error"} & set(said)

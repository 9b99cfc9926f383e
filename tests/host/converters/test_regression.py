"""Regression converted: every recipe, layout and combination, compared with Keras."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts import run_folder
from edge_experts.compression import Compression
from edge_experts.datasets import Split
from edge_experts.errors import DataError, RunFolderError, ThresholdError, UsageError
from edge_experts.features import ArrayFeatures
from edge_experts.format.manifest import TaskSpec
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, golden

from ...conftest import Cli
from ..compilers import compile_

MEAN, SCALE = (20.0, -3.0), (8.0, 0.5)
X = np.random.default_rng(0).normal(size=(160, 6)).astype(np.float32)


@pytest.fixture
def make_values_run(tmp_path: Path, keras: Any) -> Any:
    """A run folder of two outputs whose experts differ clearly, and targets near its answers."""
    from edge_experts.training import SparseExperts
    from edge_experts.training.inference import predict

    def make(
        experts: int = 3,
        noise: float = 0.1,
        x: np.ndarray = X,
        rising: bool = False,
        **options: Any,
    ) -> Path:
        """`rising`: examples in the order of their largest output."""

        def network(units: int, seed: int) -> Any:
            keras.utils.set_random_seed(seed)
            inputs = keras.Input((6,), name="x")
            hidden = keras.layers.Dense(8, activation="relu")(inputs)
            return keras.Model({"x": inputs}, keras.layers.Dense(units)(hidden))

        networks = [network(2, index + 1) for index in range(experts)]
        model = SparseExperts(network(experts, 0), networks, output_kind="values", **options)
        folder = tmp_path / "values.run"
        folder.mkdir()
        model.save(folder / run_folder.MODEL)
        features = ArrayFeatures.fit(x, channels=False)
        outputs = predict(model, {"x": np.stack([features.encode(row)["x"][0] for row in x])})
        if rising:
            order = np.abs(outputs).max(axis=1).argsort()
            x, outputs = x[order], outputs[order]
        random = np.random.default_rng(1)
        targets = (outputs + random.normal(0, noise, outputs.shape)) * SCALE + MEAN
        run_folder.write_features(folder, features)
        splits = dict.fromkeys(("train", "validation", "test"), Split(list(x), targets))
        run_folder.write_examples(folder, features, splits)
        run_folder.Run(
            name="values",
            task="array regression",
            labels=("weight", "height"),
            combine=model.combine,
            top_k=model.top_k,
            experts=experts,
            origin="made by a test",
            feature_kind=features.kind,
            feature_settings=features.settings,
            config={"seed": 0},
            metrics={},
            versions={},
            task_spec=TaskSpec("regression", {"mean": list(MEAN), "scale": list(SCALE)}),
        ).write(folder)
        return folder

    return make


@pytest.mark.parametrize("quantization", ["float32", "float16", "dynamic", "int8", "int16x8"])
def test_every_quantization_answers_as_keras_does(
    make_values_run: Any, tmp_path: Path, quantization: str
) -> None:
    from edge_experts.converters import convert

    made = convert(make_values_run(), tmp_path / "b", quantization=quantization)
    exact = quantization in ("float32", "float16")
    parity = made.parity
    for one in parity.experts:  # an example that is routed otherwise is further off
        assert one.largest_difference <= (0.01 if exact else 0.1)
        assert one.keras_r2 - one.deployed_r2 < (0.001 if exact else 0.02)
    assert parity.equal_experts >= (1.0 if exact else 0.97)
    assert parity.keras_r2 - parity.deployed_r2 < (0.001 if exact else 0.05)
    assert made.scores["r2"] > 0.9
    assert made.next_command == ""
    assert made.scores["mae"] == pytest.approx(0.1 * np.mean(SCALE) * 0.8, rel=0.4)
    assert sum(one.examples for one in parity.experts) <= len(X)
    manifest = read_manifest(tmp_path / "b")
    assert manifest.task_spec == TaskSpec("regression", {"mean": list(MEAN), "scale": list(SCALE)})
    assert manifest.temperature == 1.0
    found = manifest.provenance
    assert set(found["test_scores"]) == {"mae", "rmse", "r2"}
    assert found["test_examples"] == len(X)
    assert manifest.reference is not None
    assert sum(manifest.reference.score.counts) == len(X)
    published = golden.read(tmp_path / "b")
    assert set(published.experts.tolist()) == {one.expert for one in parity.experts}
    assert "| R2 as deployed |" in (tmp_path / "b/MODEL_CARD.md").read_text()


@pytest.mark.parametrize("layout", ["split", "gated"])
def test_int8_reaches_the_largest_outputs_of_ordered_examples(
    make_values_run: Any, tmp_path: Path, layout: str
) -> None:
    """The first examples alone would calibrate it for the smallest ones."""
    from edge_experts.converters import convert

    x = np.random.default_rng(3).normal(size=(1500, 6)).astype(np.float32)
    run = make_values_run(1 if layout == "split" else 2, x=x, rising=True)
    made = convert(run, tmp_path / "b", layout=layout, max_accuracy_drop=100, cache=False)
    assert made.parity.keras_r2 - made.parity.deployed_r2 < 0.02


@pytest.mark.parametrize(
    ("trained", "options"),
    [
        ({"combine": "sum"}, {}),
        ({"top_k": 2}, {}),
        ({"experts": 1}, {}),
        ({}, {"top_k": 2}),
        ({}, {"second_share": 0.4}),
        ({}, {"layout": "gated"}),
        ({}, {"layout": "nested-if"}),
    ],
)
def test_every_way_to_combine_is_deployed_as_trained(
    make_values_run: Any, tmp_path: Path, trained: Any, options: Any
) -> None:
    from edge_experts.converters import convert

    run = make_values_run(**trained)
    made = convert(run, tmp_path / "b", quantization="float32", max_accuracy_drop=100, **options)
    assert made.parity.largest_difference < 1e-4
    asked = made.unsure.asked_second
    assert asked == (pytest.approx(0.4, abs=0.02) if "second_share" in options else None)


def test_files_of_integers_take_and_give_integers(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    made = convert(make_values_run(), tmp_path / "b", io="integer")
    assert made.manifest.provenance["structures"][0]["outputs"][0]["type"] == "INT8"
    assert max(one.largest_difference for one in made.parity.experts) < 0.1


def test_recipes_are_chosen_by_squared_error(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    made = convert(make_values_run(), tmp_path / "b", quantization="auto")
    assert made.search is not None
    exact = next(one for one in made.search.uniform if one.uniform == "float32")
    assert exact.primary == "r2"
    assert exact.score == pytest.approx(made.parity.keras_r2, abs=1e-4)
    assert exact.loss == pytest.approx(0.01, rel=0.3)  # the square of the noise
    assert set(made.search.chosen.to_json()) >= {"bytes", "loss", "r2"}


@pytest.mark.parametrize(
    ("options", "message"),
    [({"abstain_below": 0.5}, "--abstain-below"), ({"beams": 2}, "--beams")],
)
def test_options_of_other_tasks_are_refused_by_name(
    make_values_run: Any, tmp_path: Path, options: Any, message: str
) -> None:
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match=f"{message} is not supported for regression"):
        convert(make_values_run(), tmp_path / "b", **options)


def test_drops_in_r2_and_far_outputs_are_refused() -> None:
    from edge_experts.converters.verify.value_parity import RegressionParity

    parity = RegressionParity(200, 1.0, 0.1, 0.0, 0.9, 0.87, 1.0, 1.1, 1.0, 1.1, drop_error=2.0)
    parity.refuse_beyond(None)  # 3 points, which is within two standard errors
    with pytest.raises(ThresholdError, match=r"3\.00 points of R2"):
        parity.refuse_beyond(2.5)
    parity.refuse_disagreement()
    far = RegressionParity(200, 1.0, 0.9, 0.04, 0.9, 0.9, 1.0, 1.0, 1.0, 1.0, drop_error=0.0)
    with pytest.raises(ThresholdError, match=r"gives 4\.0% of 200 validation examples an output"):
        far.refuse_disagreement()


def test_microcontrollers_answer_alike(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    pytest.importorskip("tflite_micro")
    made = convert(make_values_run(), tmp_path / "b", target="microcontroller")
    on = made.manifest.verified_on
    assert on["largest_difference_there"] < 0.1
    assert "equal_labels_there" not in on


class _Answer(ctypes.Structure):
    _fields_ = (
        ("expert", ctypes.c_int),
        ("scores", ctypes.c_float * 2),
        ("values", ctypes.c_float * 2),
    )


def test_c_gives_values_in_the_datas_units(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert
    from edge_experts.converters.c_source import c_source

    pytest.importorskip("tflite_micro")
    convert(make_values_run(), tmp_path / "b", target="microcontroller", io="integer")
    c_source(tmp_path / "b", tmp_path / "c")
    assert "answer.values[i]" in (tmp_path / "c/README.md").read_text()
    warnings, files = ("-Wall", "-Wextra", "-Werror", "-pedantic"), sorted(tmp_path.glob("c/*.c"))
    library = tmp_path / "values.so"
    compile_("gcc", "-std=c99", *warnings, "-shared", "-fPIC", *files, "-lm", "-o", library)
    given = [[0.0, 2.0, 1.0], [0.5, -1.0]]  # the gate's, then the expert's

    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 4, ctypes.POINTER(ctypes.c_float))

    def run(context: Any, model: Any, x: Any, trunk: Any, output: Any) -> int:
        for place, value in enumerate(given.pop(0)):
            output[place] = value
        return 0

    answer, asked = _Answer(), ctypes.CDLL(str(library)).edge_experts_ask
    assert asked(None, kind(run), None, ctypes.byref(answer)) == 0
    assert answer.expert == 1
    assert list(answer.scores) == [0.5, -1.0]
    assert list(answer.values) == [24.0, -3.5]  # output * scale + mean


def test_onnx_runtime_is_judged_by_r2(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters.onnx import export_onnx

    from edge_experts.benchmarking import contender, onnx

    for name in ("onnx", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name)
    made = export_onnx(make_values_run(experts=1), tmp_path / "o")
    assert made.proof.scores["r2"] == pytest.approx(made.proof.float_scores["r2"], abs=0.1)
    assert made.proof.float_scores["r2"] > 0.9
    assert made.description.accuracy is None
    assert onnx.read(tmp_path / "o") == made.description
    told = contender.read(tmp_path / "o")
    assert told.accuracy is None
    assert {name: one.value for name, one in told.scores.items()} == made.description.scores


def test_experts_are_made_smaller_first(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    compression = Compression("pruning", sparsity=0.5, epochs=2)
    made = convert(make_values_run(), tmp_path / "b", compress=compression, max_accuracy_drop=100)
    assert made.manifest.provenance["compression"]["method"] == "pruning"
    assert made.scores["r2"] > 0


def test_the_command_tells_of_r2_in_words_and_json(
    make_values_run: Any, tmp_path: Path, cli: Cli
) -> None:
    run = make_values_run()
    done = cli("convert", run, "--out", tmp_path / "b")
    assert done.returncode == 0, done.stderr
    assert "R2 as deployed 0.9" in done.stdout
    done = cli("convert", run, "--out", tmp_path / "b", "--force", "--json")
    said = json.loads(done.stdout)
    assert {"r2", "mae", "rmse", "outputs", "parity", "bytes", "search", "c_source"} <= set(said)
    assert not {"accuracy", "abstain_below", "calibration_error"} & set(said)
    assert said["parity"]["r2_drop"] == pytest.approx(
        100 * (said["parity"]["keras_r2"] - said["parity"]["deployed_r2"])
    )


def test_a_bundle_extends_another(make_values_run: Any, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    run = make_values_run()
    convert(run, tmp_path / "base")
    made = convert(run, tmp_path / "b", base=tmp_path / "base")
    assert made.manifest.provenance["changes"]["kept"] == [0, 1, 2]
    with ExpertRuntime(tmp_path / "b") as runtime:
        assert runtime.predict(X[0]).scores.shape == (2,)


def test_data_to_fine_tune_on_is_read_for_the_task_of_the_run(
    make_values_run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts import datasets
    from edge_experts.cli.host.convert import convert as command

    def load(source: str, seed: int, task_type: str, *columns: Any) -> None:
        raise DataError(f"{source} for {task_type}")

    monkeypatch.setattr(datasets, "load", load)
    with pytest.raises(DataError, match=r"sizes\.csv for regression"):
        command(make_values_run(), tmp_path / "b", compress=["clustering"], data="sizes.csv")


@pytest.mark.parametrize(
    "text", ['"text"', "[]", '{"labels": ["a"], "task_spec": {"type": 3, "config": {}}}']
)
def test_a_run_that_nothing_wrote_is_refused_by_its_file(tmp_path: Path, text: str) -> None:
    (tmp_path / run_folder.RUN).write_text(text)
    with pytest.raises(RunFolderError, match=r"run\.json: not what training writes"):
        run_folder.read_run(tmp_path)

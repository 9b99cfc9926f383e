"""Conversion of language models: every kind of network and recipe gives Keras's losses."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ModelError, ThresholdError, UnsuitableError, UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime.interpreter import CHOICE
from tests import language

QUICK: dict[str, Any] = {"experts": 3, "top_k": 2, "epochs": 1, "batch_size": 256}
SIZES: dict[str, Any] = {
    "units": 16,
    "layers": 2,
    "heads": 4,
    "key_heads": 2,
    "inner": 8,
    "context": 70,
    "pieces": 300,
}


def _run(folder: Path, sizes: dict[str, Any] | None = None, **settings: Any) -> Path:
    """Train some steps."""
    from edge_experts import datasets, training

    data, _ = language.write(folder / "data")
    merged = {**QUICK, "language_model": {**SIZES, **(sizes or {})}, **settings}
    config = training.config_for("document", **merged)
    training.train(datasets.load(str(data), 0, "language-model"), folder / "a.run", config)
    return folder / "a.run"


@pytest.mark.parametrize(
    ("sizes", "settings"),
    [
        ({"gate": "softmax"}, {"top_k": 1}),
        ({"gate": "sigmoid"}, {"top_k": 1}),
        ({"gate": "softmax"}, {"top_k": 3}),
        ({"key_heads": 4, "heads": 4}, {}),
        ({"key_heads": 1, "layers": 1}, {}),
        ({}, {"dense": "active"}),
    ],
    ids=["top-1 softmax", "top-1 sigmoid", "all", "a key head each", "one key head", "dense"],
)
def test_every_kind_of_network_gives_the_losses_of_keras(
    keras: Any, tmp_path: Path, sizes: dict[str, Any], settings: dict[str, Any]
) -> None:
    from edge_experts.converters import convert

    run = _run(tmp_path, sizes, **settings)
    made = convert(run, tmp_path / "a.bundle", quantization="float32")
    parity = made.parity.to_json()
    assert parity["loss"] == pytest.approx(parity["keras_loss"], abs=1e-4)
    assert parity["logits_off"] < 1e-4
    assert parity["file_off"] < 1e-4
    assert parity["same_token"] == 1


@pytest.mark.parametrize(
    ("quantization", "target", "interpreters", "limit"),
    [
        ("int8", "pi-bookworm", {"tflite_runtime", "ai_edge_litert"}, 0.02),
        ("int8", "litert", {"ai_edge_litert"}, 0.02),
        ("int4", "pi-trixie", {"ai_edge_litert"}, 0.2),
    ],
)
def test_quantized_files_name_the_interpreters_that_compute_them(
    language_run: Path,
    tmp_path: Path,
    quantization: str,
    target: str,
    interpreters: set[str],
    limit: float,
) -> None:
    pytest.importorskip("litert_quantizer")
    from edge_experts.converters import convert

    made = convert(language_run, tmp_path / "a.bundle", quantization=quantization, target=target)
    parity, spec = made.parity.to_json(), made.manifest.task_spec
    assert parity["loss"] == pytest.approx(parity["keras_loss"], abs=limit)
    assert spec is not None
    assert set(spec.config["interpreters"]) == interpreters
    assert made.manifest.verified_on["interpreter"] in interpreters
    routers = [one.bytes for one in made.manifest.routers]
    float_routers = 4 * 32 * 4  # its kernel alone, which is float32 in every recipe
    assert min(routers) > float_routers
    if "tflite_runtime" not in interpreters:
        pytest.importorskip("tflite_runtime")
        code = (
            f"from edge_experts import ExpertRuntime; ExpertRuntime({str(tmp_path / 'a.bundle')!r})"
        )
        for package, ends in (("tflite_runtime", 1), ("", 0)):
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, CHOICE: package},
                capture_output=True,
                text=True,
            )
            assert done.returncode == ends, done.stderr
            assert ("tflite_runtime would compute its files wrongly" in done.stderr) == bool(ends)


def test_int4_needs_whole_blocks(keras: Any, tmp_path: Path) -> None:
    pytest.importorskip("litert_quantizer")
    from edge_experts.converters import convert

    with pytest.raises(UsageError, match=r"multiples of 32, .*units 16 and inner 8; choose int8"):
        convert(_run(tmp_path), tmp_path / "a.bundle", quantization="int4", target="litert")


def test_files_that_compute_zeros_are_refused() -> None:
    from edge_experts.converters.verify.language_parity import refuse_wrong_files

    wanted = {"dense/head.tflite": np.ones((4, 8)), "experts/001/002.tflite": np.ones((4, 8))}
    assert refuse_wrong_files(wanted, wanted, "int8", "it") == 0
    for path, name in (("dense/head.tflite", "head"), ("experts/001/002.tflite", "expert 2 of")):
        for made in (np.zeros((4, 8)), np.full((4, 8), np.nan)):
            with pytest.raises(ModelError, match=f"{name}.*it computes another result"):
                refuse_wrong_files(wanted, {**wanted, path: made}, "int4", "it")


def test_a_costly_conversion_leaves_nothing(language_run: Path, tmp_path: Path) -> None:
    from edge_experts.converters import convert

    with pytest.raises(ThresholdError, match="conversion raises the perplexity by"):
        convert(language_run, tmp_path / "a.bundle", max_accuracy_drop=-1e9)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"top_k": 1}, "--top-k is not supported for language-model"),
        ({"quantization": "float16"}, "takes float32, int8, int4"),
        ({"quantization": "auto"}, "takes float32, int8, int4"),
        ({"compress": "pruning"}, "--compress is not supported"),
        ({"quantization": "int4", "target": "pi-bookworm"}, "pi-bookworm takes --quantization"),
        ({"target": "microcontroller"}, "microcontroller"),
    ],
)
def test_options_without_a_meaning_are_refused_by_name(
    language_run: Path, tmp_path: Path, options: dict[str, Any], told: str
) -> None:
    from edge_experts.converters import convert

    with pytest.raises((UsageError, UnsuitableError), match=told):
        convert(language_run, tmp_path / "a.bundle", **options)


def test_an_extension_ships_new_experts_and_routers_only(
    cli: Any, language_run: Path, language_bundle: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new.txt"
    new.write_text("\n\n".join(f"{n} " + "uno dos tres cuatro cinco " * 12 for n in range(40)))
    run, bundle = tmp_path / "more.run", tmp_path / "more.bundle"
    done = cli("extend", language_run, "--data", new, "--out", run, "--epochs", 6, "--json")
    assert done.returncode == 0, done.stderr
    import json

    told = json.loads(done.stdout)
    assert told["added"] == [4, 9]
    assert told["gain"]["new"]["low"] > 5, "percent of perplexity on new text"
    assert told["gain"]["old"]["points"] > -10
    assert told["perplexity"]["new"]["before"] > told["perplexity"]["new"]["after"]
    target = read_manifest(language_bundle).verified_on.get("target")
    options = ("--target", target) if target else ()
    done = cli("convert", run, "--base", language_bundle, "--out", bundle, *options)
    assert done.returncode == 0, done.stderr
    before = {one.path: one.sha256 for one in read_manifest(language_bundle).models}
    after = {one.path: one.sha256 for one in read_manifest(bundle).models}
    changed = {path for path, digest in after.items() if before.get(path) != digest}
    assert changed == {
        *("experts/000/004.tflite", "experts/001/004.tflite"),
        *("routers/000.tflite", "routers/001.tflite"),
    }
    assert set(before) < set(after)
    changes = read_manifest(bundle).provenance["changes"]
    assert changes["added"] == [4, 9]
    assert changes["kept"] == [0, 1, 2, 3, 5, 6, 7, 8]


def test_extensions_that_make_no_sense_are_refused(
    keras: Any, language_run: Path, tmp_path: Path
) -> None:
    from edge_experts import datasets, training

    data = datasets.load(str(language.write(tmp_path / "x")[0]), 0, "language-model")
    with pytest.raises(UsageError, match="--retrain is not supported for language models"):
        training.extend(language_run, data, tmp_path / "a.run", retrain=1)
    dense = _run(tmp_path, dense="active")
    with pytest.raises(UsageError, match="is a dense network"):
        training.extend(dense, data, tmp_path / "b.run")


def test_golden_continuations_end_where_interpreters_differ() -> None:
    from edge_experts.converters.tasks.language_model import common_tokens

    ours = np.array([[1, 2, 3, 4], [5, 6, -1, -1], [7, 8, 9, 9]])
    theirs = np.array([[1, 2, 9, 4], [5, 6, -1, -1], [8, 8, 9, 9]])
    assert common_tokens([ours]).tolist() == ours.tolist()
    expected = [[1, 2, -1, -1], [5, 6, -1, -1], [-1, -1, -1, -1]]
    assert common_tokens([theirs, ours]).tolist() == expected


def test_unclear_prompts_are_golden_only_where_all_are() -> None:
    from edge_experts.converters.language_model.prompts import clearest

    assert clearest(np.array([3.5, 0.9, 1.2, 7.1]), 3).tolist() == [0, 2, 3]
    assert clearest(np.array([0.5, 0.9, 0.2]), 2).tolist() == [0, 1]

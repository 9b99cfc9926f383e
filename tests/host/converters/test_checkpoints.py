"""Checkpoints of every family become bundles with the logits that transformers computes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.errors import ModelError, UsageError
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import ExpertRuntime, interpreter
from edge_experts.runtime.tasks.language_model.network_settings import shared_path
from tests import checkpoints

TINY = 1e-4  # of the largest logit
LITERT = "ai_edge_litert"


def _logits(bundle: Path, tokens: np.ndarray) -> np.ndarray:
    with ExpertRuntime(bundle) as runtime:
        task: Any = runtime.task
        found: np.ndarray = task.logits(tokens.tolist(), runtime.access)
    return found


def _off(name: str, bundle: Path) -> float:
    """Compare with transformers: the largest difference, as a share of the largest logit."""
    with np.load(checkpoints.FOLDER / name / checkpoints.REFERENCE) as reference:
        wanted = reference["logits"]
        found = _logits(bundle, reference["tokens"])[reference["positions"]]
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


# Of each family three configurations: biases, norms of queries and keys, shared experts, dense
# layers, tied and untied heads, multipliers, top-1 to top-3, weights of 16 and 32 bits.
@pytest.mark.parametrize("name", checkpoints.NAMES)
def test_the_logits_are_those_of_transformers(keras: Any, tmp_path: Path, name: str) -> None:
    pytest.importorskip("tokenizers")
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied(name, tmp_path / name)
    made = convert_checkpoint(source, tmp_path / "a.bundle", quantization="float32")
    assert _off(name, tmp_path / "a.bundle") < TINY
    parity = made.parity.to_json()
    assert parity["file_off"] < 1e-5
    assert parity["compared"] == parity["files"] == len(made.manifest.models) - 1


@pytest.mark.parametrize(("quantization", "limit"), [("int8", 0.05), ("int4", 0.5)])
def test_the_command_makes_a_bundle_that_answers(
    cli: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    quantization: str,
    limit: float,
) -> None:
    pytest.importorskip("tokenizers")
    pytest.importorskip("litert_quantizer")
    if not interpreter.installed(LITERT):
        pytest.skip("needs ai-edge-litert")
    source = checkpoints.copied("granite", tmp_path / "granite")
    bundle = tmp_path / "a.bundle"
    done = cli("convert", source, "--out", bundle, "--quantization", quantization, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["family"] == "granitemoe"
    assert told["base_model"] == "granite"
    assert 0 < told["parity"]["file_off"] < limit
    manifest = read_manifest(bundle)
    assert manifest.task_type == "language-model"
    assert len(manifest.experts) == 8
    assert manifest.features.kind == "tokenizer"
    assert manifest.provenance["licence"] == "apache-2.0"
    card = (bundle / "MODEL_CARD.md").read_text()
    assert "| base model | granite, family Granite-MoE |" in card
    assert "The licence of the tests." in card
    on = {"EDGE_EXPERTS_INTERPRETER": LITERT}
    done = cli("verify", bundle, env=on)
    assert " golden examples answered as published" in done.stdout, done.stderr
    done = cli("run", bundle, "the sun", "--max-tokens", "5", "--json", env=on)
    answer = json.loads(done.stdout.splitlines()[-1])
    assert len(answer["token_ids"]) == 5
    assert "not measured" in cli("inspect", bundle, env=on).stdout


@pytest.mark.parametrize("recipe", ["int8", "int4"])
def test_patched_files_are_those_of_the_quantizer_byte_for_byte(
    keras: Any, tmp_path: Path, recipe: str
) -> None:
    """The quantizer's own file of a checkpoint's weights, and a template with the same weights."""
    pytest.importorskip("litert_quantizer")
    from edge_experts.converters.checkpoints import template_files, template_process
    from edge_experts.converters.checkpoints.file_plan import plan_files
    from edge_experts.converters.checkpoints.model_config import read_config
    from edge_experts.converters.checkpoints.tensor_index import read_tensors
    from edge_experts.converters.checkpoints.weight_rows import RECIPES

    folder = checkpoints.FOLDER / "qwen2-moe-mixed"  # it has every kind of file
    plan = plan_files(read_config(folder), read_tensors(folder))
    compared = set()
    for number, (path, file) in enumerate(plan.files.items()):
        templates = {}
        for kind in ("float32", recipe):
            content, places = template_process.template(file.network, kind)
            target = tmp_path / f"{number}-{kind}"
            target.write_bytes(content)
            pairs = {name: (one[0], one[1]) for name, one in places.items() if one[0] is not None}
            templates[kind] = template_files.Template(target, kind, pairs)
        for kind, template in templates.items():
            template_files.write_file(template, file, tmp_path / kind / path, RECIPES)
        exact = (tmp_path / "float32" / path).read_bytes()
        by_itself = template_process.quantized(exact, recipe) if file.network.weights else exact
        assert (tmp_path / recipe / path).read_bytes() == by_itself, path
        compared.add((type(file.network).__name__, path.split("/")[0]))
    assert len(compared) == 5  # attention, products, routers, experts, the shared expert
    assert shared_path(1) in plan.files


def test_blocks_of_zeros_and_of_tiny_weights_have_a_scale() -> None:
    from edge_experts.converters.checkpoints import weight_rows

    rows = np.zeros((2, 64), np.float32)
    rows[1, :32] = 1e-9
    made = weight_rows.int4(rows)
    assert weight_rows.is_whole(made.scales, "int4")
    assert set(made.numbers) == {0}
    huge = weight_rows.int4(np.full((1, 32), 1e30, np.float32))
    assert not weight_rows.is_whole(huge.scales, "int4")


def test_a_file_that_computes_something_else_is_refused(
    keras: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("tokenizers")
    from edge_experts.converters import checkpoints as converter
    from edge_experts.converters.checkpoints import file_writing

    write = file_writing.write_file

    def swapped(template: Any, file: Any, path: Path) -> None:
        """Write one expert with two of its weights in each other's place."""
        if path.match("experts/001/000.tflite"):
            parameters = dict(file.parameters)
            parameters["gate"], parameters["up"] = parameters["up"], parameters["gate"]
            file = type(file)(file.network, parameters)
        write(template, file, path)

    monkeypatch.setattr(file_writing, "write_file", swapped)
    source = checkpoints.copied("mixtral", tmp_path / "mixtral")
    with pytest.raises(ModelError, match=r"expert 0 of layer 1: .* computes another result"):
        converter.convert_checkpoint(source, tmp_path / "a.bundle", quantization="float32")
    assert not (tmp_path / "a.bundle").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--top-k", "1"), "--top-k is not supported for checkpoints"),
        (("--target", "pi-trixie"), "--target is not supported for checkpoints"),
        (("--quantization", "auto"), "which takes float32, int8, int4"),
        (("--frontier", "a.png"), "--frontier is not supported for checkpoints"),
    ],
)
def test_options_without_a_meaning_are_refused(
    cli: Any, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    done = cli("convert", checkpoints.FOLDER / "granite", "--out", tmp_path / "a", *arguments)
    assert done.returncode == 2
    assert told in done.stderr


def test_int4_needs_whole_blocks(keras: Any, tmp_path: Path) -> None:
    pytest.importorskip("litert_quantizer")
    from edge_experts.converters.checkpoints import convert_checkpoint

    source = checkpoints.copied("llama-tied", tmp_path / "llama")
    checkpoints.reconfigured(source, intermediate_size=40)
    with pytest.raises(UsageError, match=r"multiples of 32, .*width of an expert 40; choose int8"):
        convert_checkpoint(source, tmp_path / "a.bundle", quantization="int4")

"""Reports on checkpoints: the sizes before a conversion are those after it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests import checkpoints

# Published sizes: parameters, and those that a token uses without the embedding's rows.
GRANITE_1B = {
    "model_type": "granitemoe",
    "hidden_size": 1024,
    "intermediate_size": 512,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "num_key_value_heads": 8,
    "num_local_experts": 32,
    "num_experts_per_tok": 8,
    "vocab_size": 49155,
    "max_position_embeddings": 4096,
    "tie_word_embeddings": True,
}
QWEN3_30B = {
    "model_type": "qwen3_moe",
    "hidden_size": 2048,
    "intermediate_size": 6144,
    "moe_intermediate_size": 768,
    "num_hidden_layers": 48,
    "num_attention_heads": 32,
    "num_key_value_heads": 4,
    "head_dim": 128,
    "num_experts": 128,
    "num_experts_per_tok": 8,
    "vocab_size": 151936,
    "max_position_embeddings": 40960,
    "tie_word_embeddings": False,
}


@pytest.mark.parametrize(
    ("config", "parameters", "active", "experts"),
    [(GRANITE_1B, 1.33, 0.43, 768), (QWEN3_30B, 30.5, 3.0, 6144)],
    ids=["granite-1b", "qwen3-30b"],
)
def test_a_configuration_alone_tells_the_sizes(
    cli: Any, tmp_path: Path, config: dict[str, Any], parameters: float, active: float, experts: int
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    done = cli("inspect", tmp_path, "--json")
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["parameters"] / 1e9 == pytest.approx(parameters, rel=0.01)
    assert told["active_parameters"] / 1e9 == pytest.approx(active, rel=0.02)
    assert told["experts"] == experts
    rows = {one["quantization"]: one for one in told["sizes"]}
    assert rows["int8"]["bundle"] / told["parameters"] == pytest.approx(1.05, abs=0.06)
    assert rows["int4"]["bundle"] / told["parameters"] == pytest.approx(0.6, abs=0.05)
    for one in rows.values():
        assert one["least"] < one["resident"]
    words = cli("inspect", tmp_path).stdout
    assert "config.json alone" in words
    assert all(len(line) <= 80 for line in words.splitlines())


def test_the_stated_sizes_are_those_of_the_bundle(keras: Any, tmp_path: Path) -> None:
    pytest.importorskip("tokenizers")
    from edge_experts.converters.checkpoints import convert_checkpoint, report
    from edge_experts.converters.checkpoints.checkpoint_report import file_bytes
    from edge_experts.converters.checkpoints.file_plan import plan_files
    from edge_experts.converters.checkpoints.model_config import read_config
    from edge_experts.converters.checkpoints.tensor_index import read_tensors

    source = checkpoints.copied("qwen2-moe-mixed", tmp_path / "qwen")
    plan = plan_files(read_config(source), read_tensors(source))
    made = convert_checkpoint(source, tmp_path / "a.bundle", quantization="float32")
    real = {one.path: one.bytes for one in made.manifest.models}
    for path, file in plan.files.items():
        # But for the graph, of which a small file mostly consists.
        assert abs(file_bytes(file, "float32") - real[path]) < 3500, path
    told = report(source)
    assert told.licence == "apache-2.0"
    assert told.stored_bytes == 2 * told.parameters  # in float16


def test_a_bundle_of_a_checkpoint_is_still_inspected_as_a_bundle(cli: Any, tmp_path: Path) -> None:
    """A folder with both is a bundle."""
    source = checkpoints.copied("granite", tmp_path / "granite")
    (source / "manifest.json").write_text("{}")
    done = cli("inspect", source)
    assert done.returncode == 3
    assert "manifest.json" in done.stderr

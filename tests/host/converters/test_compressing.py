"""Compressed run folders and bundles: each expert on its own inputs, the router untouched."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.compression import Compression
from edge_experts.errors import ConversionError, UnsuitableError, UsageError
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli

SHORT = Compression("pruning", sparsity=0.5, epochs=1)


def test_zeros_reach_the_file_and_save_bytes_in_the_archive(
    sentiment_run: Path, sentiment_bundle: Path, tmp_path: Path, cli: Cli
) -> None:
    from edge_experts.format.archive import pack

    done = cli(
        *("convert", sentiment_run, "--out", tmp_path / "b", "--compress", "pruning"),
        *("--sparsity", "0.5", "--compress-epochs", "1", "--json"),
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert said["compressed_bytes"] == pack(tmp_path / "b", tmp_path / "b.zip")
    assert said["compressed_bytes"] < 0.9 * pack(sentiment_bundle, tmp_path / "plain.zip")
    manifest = read_manifest(tmp_path / "b")
    assert said["bytes"] == sum(entry.bytes for entry in manifest.files) + (
        (tmp_path / "b" / "manifest.json").stat().st_size
    )
    assert manifest.provenance["compression"]["method"] == "pruning"
    assert "pruned 50%" in (tmp_path / "b" / "MODEL_CARD.md").read_text()
    for entry in manifest.experts:
        assert _zeros(tmp_path / "b" / entry.path) > 0.49
        assert _zeros(sentiment_bundle / entry.path) < 0.2
    router = read_manifest(sentiment_bundle).router
    assert manifest.router is not None
    assert router is not None
    assert manifest.router.sha256 == router.sha256, "the router is not touched"


def _zeros(file: Path) -> float:
    """The share of zeros in a file's largest constant."""
    from edge_experts.runtime import interpreter

    model = interpreter.interpreter_class()(model_content=file.read_bytes())
    model.allocate_tensors()
    details = max(model.get_tensor_details(), key=lambda one: np.prod(one["shape"]))
    zero = details["quantization_parameters"]["zero_points"]
    return float(np.mean(model.get_tensor(details["index"]) == zero[0]))


@pytest.fixture
def trunk_run(make_run: Any, keras: Any, features: Any, tmp_path: Path) -> Path:
    """A run whose experts build on what the router has computed."""
    from edge_experts.training import SparseExperts, networks

    keras.utils.set_random_seed(2)

    def dense(units: int, hidden: int) -> Any:
        inputs = {
            "ids": keras.Input((16,), dtype="int32", name="ids"),
            "weights": keras.Input((16,), name="weights"),
        }
        table = keras.layers.Embedding(128, 8)(inputs["ids"])
        columns = keras.layers.Dense(hidden, "relu")(keras.layers.Flatten()(table))
        return keras.Model(inputs, keras.layers.Dense(units)(columns))

    router = dense(3, 4)
    gate, experts = networks.trunk.attach(router, router, [dense(2, 8) for _ in range(3)])
    return Path(make_run(SparseExperts(gate, experts)))


def _loaded(run: Path, keras: Any) -> Any:
    return keras.models.load_model(run / "model.keras", compile=False)


def test_experts_on_a_trunk_are_compressed_and_the_router_is_not(
    trunk_run: Path, keras: Any, tmp_path: Path
) -> None:
    from edge_experts.converters import compress, convert

    before = _loaded(trunk_run, keras)
    compress(trunk_run, tmp_path / "c.run", SHORT, processes=2)
    after = _loaded(tmp_path / "c.run", keras)
    for old, now in zip(before.router.get_weights(), after.router.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)
    for expert in after.experts:
        assert "trunk" in expert.input_names
        kernels = [weight for weight in expert.get_weights() if weight.ndim > 1]
        assert [np.mean(kernel == 0) for kernel in kernels] == pytest.approx(
            [0.5] * len(kernels), abs=0.05
        )
    convert(tmp_path / "c.run", tmp_path / "b", max_accuracy_drop=100)


def test_what_was_compressed_before_starts_no_process(
    trunk_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import compress
    from edge_experts.converters.compression import stage
    from edge_experts.converters.process.cache import Cache

    kept = Cache(tmp_path / "kept")
    compress(trunk_run, tmp_path / "one.run", SHORT, kept=kept)
    monkeypatch.setattr(stage, "Workers", None)
    compress(trunk_run, tmp_path / "two.run", SHORT, kept=kept)
    models = [(tmp_path / name / "model.keras").read_bytes() for name in ("one.run", "two.run")]
    assert models[0] == models[1]
    with pytest.raises(TypeError, match="not callable"):  # other settings must be made
        compress(trunk_run, tmp_path / "3.run", Compression("pruning", 0.6, epochs=1), kept=kept)


def test_a_death_names_its_expert_and_the_others_are_kept(
    trunk_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.converters import compress
    from edge_experts.converters.process.cache import Cache
    from edge_experts.converters.process.pool import Workers

    ask = Workers._ask

    def deadly(workers: Any, task: Any) -> Any:
        if task.get("index") == 1:
            for worker in workers._all:
                worker._process.kill()
        return ask(workers, task)

    monkeypatch.setattr(Workers, "_ask", deadly)
    kept = Cache(tmp_path / "kept")
    with pytest.raises(ConversionError, match=r"expert 1: .*the process died of SIGKILL"):
        compress(trunk_run, tmp_path / "c.run", SHORT, kept=kept, processes=1)
    assert not (tmp_path / "c.run").exists()
    assert len(list((tmp_path / "kept").iterdir())) == 2, "experts 0 and 2"


def test_what_cannot_be_compressed_says_why(make_run: Any, make_model: Any, tmp_path: Path) -> None:
    from edge_experts.converters import compress, convert

    summed = make_run(make_model(combine="sum"), "summed.run")
    with pytest.raises(UnsuitableError, match="answers are summed"):
        compress(summed, tmp_path / "c.run", SHORT)
    run = make_run(make_model())
    aware = Compression("quantization-aware", epochs=1)
    with pytest.raises(UnsuitableError, match=r"expert 0: .*none of its layers can be trained"):
        compress(run, tmp_path / "c.run", aware)
    with pytest.raises(UsageError, match="quantization 'auto' chooses between several"):
        convert(run, tmp_path / "b", compress=["pruning", "clustering"])
    with pytest.raises(UsageError, match="requires layout 'split'"):
        convert(run, tmp_path / "b", compress="pruning", layout="gated")
    assert not (tmp_path / "b").exists()


def test_a_dense_network_is_pruned_to_a_number_of_weights(
    make_run: Any, make_model: Any, tmp_path: Path
) -> None:
    """As `compare` asks for its dense rivals, after a teacher's answers."""
    from edge_experts.converters import compress

    run = make_run(make_model(experts=1))
    asked = Compression("pruning", nonzero=100, epochs=1)
    made = compress(run, tmp_path / "c.run", asked, teacher=run)
    assert made.metrics["nonzero"] == pytest.approx(100, rel=0.05)
    assert 0 <= made.metrics["test_accuracy"] <= 1

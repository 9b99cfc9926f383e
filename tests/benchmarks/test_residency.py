"""The comparison of engines on a model whose tokens decide their experts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from edge_experts.converters.checkpoints.checkpoint import FolderCheckpoint
from edge_experts.converters.checkpoints.stored_numbers import read_numbers
from typer.testing import CliRunner

from benchmarks.__main__ import app
from benchmarks.residency import random_checkpoint, random_gguf, recorded_routes, token_routes
from edge_experts.errors import UsageError
from edge_experts.updates.install import install

LAYERS, EXPERTS, TOP = 6, 32, 8
PIECES = token_routes.BYTES + len(token_routes.TRACES) * token_routes.TOKENS


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("random") / "random"
    return random_checkpoint.write(folder, layers=1, experts=4, pieces=PIECES)


def _chosen(trace: str) -> np.ndarray:
    """Return the experts of a trace's tokens, (tokens, layers, top)."""
    random = np.random.default_rng(0)
    codes = token_routes.codes(random)
    routers = [token_routes.router(random, layer, EXPERTS) for layer in range(LAYERS)]
    numbers = token_routes.tokens(PIECES)
    first = numbers[token_routes.TRACES[0]].start
    rows = codes[[number - first for number in numbers[trace]]]
    logits = np.einsum("lew,tw->tle", np.stack(routers), rows)
    return np.argsort(-logits, axis=2)[:, :, :TOP]


def _shared(chosen: np.ndarray) -> float:
    """Return the mean share of a token's experts that the token before it had."""
    same = chosen[1:, :, :, None] == chosen[:-1, :, None, :]
    return float(same.any(axis=3).mean())


def test_tokens_share_experts_as_the_trace_says() -> None:
    assert _shared(_chosen("uniform")) == pytest.approx(TOP / EXPERTS, abs=0.02)
    assert _shared(_chosen("zipf")) == pytest.approx(0.48, abs=0.04)
    chosen = recorded_routes.choices()[:, [layer % 4 for layer in range(LAYERS)]]
    kept = (chosen[1:] * chosen[:-1]).sum(axis=2).mean() / 2
    assert 0.4 < _shared(_chosen("recorded")) == pytest.approx(float(kept), abs=0.01)


def test_layers_follow_recorded_ones_and_experts_are_groups() -> None:
    wanted = recorded_routes.choices()[: token_routes.TOKENS]
    found = _chosen("recorded")
    for layer in range(LAYERS):
        groups = np.zeros_like(wanted[:, 0])
        np.add.at(groups, (np.arange(len(groups))[:, None], found[:, layer] // 4), 1)
        assert np.array_equal(groups, 4 * wanted[:, layer % 4])


def test_choices_are_recorded(tmp_path: Path) -> None:
    text, out = tmp_path / "texts", tmp_path / "routes.json"
    text.mkdir()
    for number in range(40):
        (text / f"{number}.txt").write_text(f"To open file number {number}, click its name twice.")
    bundle = Path(__file__).parents[2] / "examples" / "help.bundle"
    _ok("record-routes", str(bundle), "--data", str(text), "--tokens", "12", "--out", str(out))
    found = json.loads(out.read_text())
    assert (found["bundle"], found["experts"]) == ("help", 8)
    assert np.array(found["tokens"]).shape == (12, 4, 2)
    options = "--data", str(text), "--tokens", "9999", "--out", str(out)
    failed = CliRunner().invoke(app, ["record-routes", str(bundle), *options])
    assert "tokens in its test texts, not 9999" in str(failed.exception)


def test_models_of_fewer_traces_have_those() -> None:
    known = token_routes.tokens(token_routes.BYTES + 2 * token_routes.TOKENS + 1)
    assert list(known) == ["uniform", "zipf"]
    assert token_routes.tokens(PIECES)["recorded"].stop == PIECES


def test_other_language_models_have_no_traces(language_bundle: Path, tmp_path: Path) -> None:
    install(language_bundle, tmp_path / "root")
    failed = CliRunner().invoke(app, ["moe", str(tmp_path / "root"), "--engines", "plain"])
    assert isinstance(failed.exception, UsageError)
    assert "synthetic-moe" in str(failed.exception)


def test_some_experts_of_zipf_are_popular() -> None:
    def most(trace: str) -> float:
        chosen = _chosen(trace)
        counts = [np.bincount(chosen[:, layer].ravel(), minlength=32) for layer in range(LAYERS)]
        return float(np.mean([count.max() / count.sum() for count in counts]))

    assert most("uniform") < 0.06 < 0.09 < most("zipf")


def test_no_layer_changes_the_codes(checkpoint: Path) -> None:
    """Rows that would write to them are a thousandth of others."""
    for name, tensor in FolderCheckpoint(checkpoint).tensors.items():
        if name.endswith(("o_proj.weight", "output_linear.weight")):
            values = read_numbers(tensor, name, 0, tensor.numbers).reshape(tensor.shape)
            ours = np.abs(values[..., -token_routes.WIDTH :, :]).mean()
            others = np.abs(values[..., : -token_routes.WIDTH, :]).mean()
            assert 0 < ours < 0.002 * others


@pytest.mark.parametrize(("quantization", "bits"), [("int8", 8), ("int4", 4)])
def test_the_gguf_file_has_the_same_weights(
    checkpoint: Path, tmp_path: Path, quantization: str, bits: int
) -> None:
    from edge_experts.converters.checkpoints.checkpoint import open_checkpoint

    out = tmp_path / "a.gguf"
    random_gguf.write(checkpoint, out, quantization)
    theirs, ours = open_checkpoint(out), open_checkpoint(checkpoint)
    moe = "model.layers.0.block_sparse_moe"
    expert = "model.layers.0.mlp.experts.1"
    pairs = {
        f"{expert}.gate_proj": _numbers(ours, f"{moe}.input_linear")[1, :512],
        f"{expert}.up_proj": _numbers(ours, f"{moe}.input_linear")[1, 512:],
        f"{expert}.down_proj": _numbers(ours, f"{moe}.output_linear")[1],
    }
    for name, wanted in pairs.items():
        made = _numbers(theirs, name)
        assert np.abs(made - wanted).max() <= 1.1 * np.abs(wanted).max() / 2 ** (bits - 1)
    router = f"{moe}.router.layer"
    assert np.array_equal(_numbers(theirs, router), _numbers(ours, router))
    with pytest.raises(UsageError, match="int8 or int4"):
        random_gguf.write(checkpoint, out, "float32")


def test_engines_are_compared(cli: Any, tmp_path: Path) -> None:
    bundle, root, gguf = (str(tmp_path / name) for name in ("a.bundle", "a", "a.gguf"))
    made = "synthetic-moe", bundle, "--layers", "1", "--experts", "4", "--gguf", gguf
    assert _ok(*made) == ""
    assert cli("install", bundle, root).returncode == 0
    names = "slots,plain"
    options = "--engines", names, "--rounds", "1", "--tokens", "3", "--memory", "all,half"
    rows = json.loads(_ok("moe", root, *options, "--json"))["settings"]
    assert [(one["memory"], one["trace"], one["engine"]) for one in rows] == [
        (memory, trace, name)
        for memory in ("all", "half")
        for trace in token_routes.TRACES
        for name in names.split(",")
    ]
    fitting = [one for one in rows if one["figures"] is not None]
    kinds = {(one["memory"], one["engine"]) for one in fitting}
    # Half of four files hold one interpreter, but no slot beside what packing again takes.
    assert kinds == {("all", "slots"), ("all", "plain"), ("half", "plain")}
    assert all(one["figures"]["cpu_ms"] > 0 for one in fitting)
    assert [one["cpu"] is None for one in fitting] == [True, False] * 3 + [True] * 3
    (prompt,) = json.loads(
        _ok(
            *("moe", root, "--engines", "slots", "--rounds", "1", "--prompt", "40"),
            *("--memory", "all", "--traces", "zipf", "--json"),
        )
    )["settings"]
    assert prompt["figures"]["tokens_per_second"] > 0
    for wrong, remedy in (
        (["--engines", "slots,llama.cpp"], "--gguf"),
        (["--tokens", "600"], "a trace has 512 tokens"),
    ):
        failed = CliRunner().invoke(app, ["moe", root, *wrong])
        assert isinstance(failed.exception, UsageError)
        assert remedy in str(failed.exception)
        assert "round" not in failed.output  # refused before anything is measured


def _numbers(checkpoint: Any, name: str) -> np.ndarray:
    tensor = checkpoint.tensors[f"{name}.weight"]
    found: np.ndarray = read_numbers(tensor, name, 0, tensor.numbers).reshape(tensor.shape)
    return found


def _ok(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout

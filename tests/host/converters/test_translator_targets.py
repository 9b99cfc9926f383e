"""Translators converted for a target: checked against its operators, proven on its interpreter."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from edge_experts.errors import UnsuitableError
from edge_experts.format.manifest_parser import read_manifest

from ...conftest import Cli


@pytest.fixture(scope="module")
def converted(cli: Cli, translator_run: Path, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Convert for a target; the bundle, what was printed as JSON, and what was told meanwhile."""
    folder = tmp_path_factory.mktemp("targets")

    def convert(target: str, *options: str) -> tuple[Path, dict[str, Any], str]:
        out = folder / f"{target}.bundle"
        command = ["convert", translator_run, "--out", out, "--target", target, "--json"]
        done = cli(*command, *options, env={"EDGE_EXPERTS_CACHE": str(folder / "cache")})
        assert done.returncode == 0, done.stderr
        return out, json.loads(done.stdout), done.stderr

    return convert


@pytest.fixture(scope="module")
def first(converted: Any) -> tuple[Path, dict[str, Any], str]:
    found: tuple[Path, dict[str, Any], str] = converted("pi-bookworm")
    return found


def test_it_is_proven_on_the_targets_interpreter(first: tuple[Path, dict[str, Any], str]) -> None:
    bundle, said, told = first
    on = read_manifest(bundle).verified_on
    assert (on["target"], on["run_on_target"]) == ("pi-bookworm", True)
    assert on["interpreter"] == "tflite_runtime"
    assert said["target"] == "pi-bookworm"
    assert said["operators"]["BATCH_MATMUL"] >= 1
    assert "as before" not in told


@pytest.mark.parametrize("target", ["pi-trixie", "litert"])
def test_another_target_takes_the_same_files_from_the_cache(
    converted: Any, first: tuple[Path, dict[str, Any], str], target: str
) -> None:
    bundle, _, told = converted(target)
    assert "expert 0, as before" in told
    assert read_manifest(bundle).verified_on["interpreter"] == "ai_edge_litert"
    files, others = (sorted((one / "experts").iterdir()) for one in (first[0], bundle))
    assert [one.read_bytes() for one in files] == [one.read_bytes() for one in others]


def test_microcontrollers_are_refused_by_name(
    cli: Cli, translator_run: Path, tmp_path: Path
) -> None:
    command = ("convert", translator_run, "--out", tmp_path / "x", "--target", "microcontroller")
    done = cli(*command)
    assert done.returncode == 2
    assert "--target microcontroller: a translator's file has two functions" in done.stderr
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"TANH": 0}, "expert 0: operator TANH version 2: pi-bookworm .* does not have it"),
        ({"SOFTMAX": 1}, "expert 0: operator SOFTMAX .* has it up to version 1"),
    ],
)
def test_an_operator_that_is_not_there_is_refused(
    translator_bundle: Path, changed: dict[str, int], message: str
) -> None:
    from edge_experts.converters.targets import TARGETS

    content, target = (
        (translator_bundle / "experts/000.tflite").read_bytes(),
        TARGETS["pi-bookworm"],
    )
    target.check(content, "expert 0")
    with pytest.raises(UnsuitableError, match=message):
        replace(target, operators={**target.operators, **changed}).check(content, "expert 0")


def test_inspect_shows_both_functions(cli: Cli, first: tuple[Path, dict[str, Any], str]) -> None:
    done = cli("inspect", first[0])
    assert done.returncode == 0, done.stderr
    assert (
        "function   encode: mask FLOAT32 [1, 1, 1, 64], source INT32 [1, 64] to keys" in done.stdout
    )
    assert "function   step: " in done.stdout
    assert "made for     pi-bookworm, its interpreter ran it" in done.stdout
    assert "operators  ADD v" in done.stdout
    found = json.loads(cli("inspect", first[0], "--json").stdout)["anatomy"]
    assert [one["name"] for one in found["structures"][0]["functions"]] == ["encode", "step"]
    rows = [row for row in found["files"] if row["path"].startswith("experts/")]
    assert all(row["weights_bytes"] > row["graph_bytes"] > 0 for row in rows)

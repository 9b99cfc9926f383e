"""Type that trainings compute in, by what the processor says that it can do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

FLAGS = "flags\t\t: fpu sse4_2 avx2 avx512f avx512_bf16 avx512_vnni"


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        (f"{FLAGS} amx_bf16 amx_tile", "bfloat16"),
        (FLAGS, "float32"),
        ("Features\t: fp asimd bf16 i8mm", "float32"),
        (None, "float32"),
    ],
)
def test_only_processors_that_multiply_tiles_compute_in_bfloat16(
    keras: object,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    flags: str | None,
    expected: str,
) -> None:
    from edge_experts.training import precision

    if flags is not None:
        (tmp_path / "cpuinfo").write_text(f"processor\t: 0\n{flags}\n", encoding="utf-8")
    monkeypatch.setattr(precision, "_PROCESSORS", tmp_path / "cpuinfo")
    assert precision.fast_precision() == expected


def test_the_policy_is_that_of_before_after_a_block(keras: object) -> None:
    from edge_experts.training import precision

    import tf_keras  # isort: skip

    before = tf_keras.mixed_precision.global_policy().name
    with precision.computing_in("bfloat16"):
        assert tf_keras.mixed_precision.global_policy().name == "mixed_bfloat16"
    assert tf_keras.mixed_precision.global_policy().name == before


@pytest.mark.long
def test_each_network_is_timed_in_both_precisions(keras: object) -> None:
    from benchmarks.__main__ import app

    done = CliRunner().invoke(
        app, ["precision-speed", "--rounds", "1", "--json"], catch_exceptions=False
    )
    found: list[dict[str, Any]] = json.loads(done.stdout)["networks"]
    assert [one["network"] for one in found] == ["language model", "translator"]
    for one in found:
        assert set(one["seconds"]) == {"float32", "bfloat16"}
        assert min(one["seconds"].values()) > 0
        assert one["ratio"] == pytest.approx(one["seconds"]["bfloat16"] / one["seconds"]["float32"])

"""A byte order mark at the beginning of a user's file changes nothing."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest

from edge_experts.cli.host.train import read_config
from edge_experts.errors import UsageError
from edge_experts.run_folder import read_run


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_configuration(tmp_path: Path, encoding: str, end: str) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(f"epochs = 1{end}# né{end}".encode(encoding))
    assert read_config(path) == {"epochs": 1}


@pytest.mark.parametrize("content", [b"epochs = ", b"# caf\xe9\n", b"\xff\xfe\0"])
def test_a_configuration_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(content)
    with pytest.raises(UsageError, match=str(path)):
        read_config(path)


def test_a_run(tmp_path: Path) -> None:
    source = next((Path(__file__).parents[2] / "data/v0_1_0").glob("**/run.json"))
    path = tmp_path / "run.json"
    path.write_bytes(codecs.BOM_UTF8 + source.read_bytes())
    assert read_run(tmp_path) == read_run(source.parent)

"""`doctor` knows every extra of pyproject.toml, and every package of each."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import pytest

from edge_experts import installation
from edge_experts.cli.device.doctor import ENABLES, PACKAGES

PROJECT = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text("utf-8"))
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]

# Brought for some machines or Python versions only, or only to speed something up.
_OPTIONAL = {"tensorboard", "tflite-micro"}


def _packages(requirements: list[str]) -> set[str]:
    names = {re.split(r"[\[<>=;~! ]", one)[0].lower() for one in requirements}
    return names - {"edge-experts"} - _OPTIONAL


def test_every_extra_is_known() -> None:
    assert set(PACKAGES) == set(ENABLES) == set(EXTRAS)


@pytest.mark.parametrize("extra", EXTRAS)
def test_an_extras_packages_are_those_of_the_project(extra: str) -> None:
    others = {name for other in ("device", "cli") if other != extra for name in PACKAGES[other]}
    assert _packages(EXTRAS[extra]) - others == set(PACKAGES[extra]) - others


class _Installed:
    def __init__(self, text: str | None):
        self.text = text

    def read_text(self, name: str) -> str | None:
        assert name == "direct_url.json"
        return self.text


@pytest.mark.parametrize(
    ("editable", "name", "command"),
    [
        (True, "a checkout", "pip install -e '{path}[serve]'"),
        (False, "edge_experts-0.1.0-py3-none-any.whl", "pip install '{path}[serve]'"),
    ],
)
def test_an_extra_is_installed_from_where_the_package_came_from(
    editable: bool, name: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / name
    path.mkdir()
    kind = {"dir_info": {"editable": True}} if editable else {"archive_info": {}}
    told = json.dumps({"url": path.as_uri(), **kind})
    monkeypatch.setattr(
        "importlib.metadata.distributions", lambda name: [_Installed(None), _Installed(told)]
    )
    assert installation.command("serve") == command.format(path=path)
    path.rmdir()
    assert "edge-experts[serve]" in installation.command("serve")
    assert str(path) not in installation.command("serve")


@pytest.mark.parametrize("text", [None, "not JSON", "[]", "{}"])
def test_an_unknown_origin_is_said(text: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.distributions", lambda name: [_Installed(text)])
    assert "the wheel's or the checkout's path" in installation.command("sign")

"""Registries: the package's own by name, others by entry points, and what is nowhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_experts import registry
from edge_experts.errors import MissingPartError
from edge_experts.registry import Registry


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Registry]:
    """A registry to which an installed package adds `made` and, in vain, `own`."""
    folder = tmp_path / "other-1.0.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Metadata-Version: 2.1\nName: other\nVersion: 1.0\n")
    (folder / "entry_points.txt").write_text(
        "[a.group]\nmade = other_tasks:MADE\nown = other:NO\n"
        "[b.group]\nlacking = other_tasks:LACKING\ngone = gone_tasks:GONE\n"
    )
    (tmp_path / "other_tasks.py").write_text("MADE = 'made elsewhere'\n")
    monkeypatch.syspath_prepend(tmp_path)
    registry._points.cache_clear()
    yield Registry("a.group", {"own": "math:pi", "module": "math"})
    registry._points.cache_clear()
    sys.modules.pop("other_tasks", None)


def test_the_packages_own_come_first_and_cannot_be_replaced(installed: Registry) -> None:
    assert installed.names == ("own", "module", "made")
    assert installed.get("own") == pytest.approx(3.14159, abs=1e-4)
    assert installed.get("module").sqrt(4) == 2
    assert installed.get("made") == "made elsewhere"


def test_what_nobody_provides_is_refused_by_name(installed: Registry) -> None:
    with pytest.raises(MissingPartError, match=r"'other' in a\.group, which has own, module, made"):
        installed.get("other")


@pytest.mark.parametrize("name", ["lacking", "gone"])
def test_what_cannot_be_imported_is_refused_with_its_package(
    installed: Registry, name: str
) -> None:
    broken = Registry("b.group", installed.own)
    with pytest.raises(MissingPartError, match=rf"'{name}' in b\.group is .* of the package other"):
        broken.get(name)

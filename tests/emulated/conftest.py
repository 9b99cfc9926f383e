"""Emulated boards; CONTRIBUTING.md says what they need."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

_NEEDED = ("apt-get", "cpio", "gcc", "mke2fs", "mmdebstrap", "qemu-system-aarch64", "unshare")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what is in this folder: `-m "not emulated"` leaves it out."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.emulated)


@pytest.fixture(scope="session", autouse=True)
def _can_emulate() -> None:
    """Skips where boards cannot be built; in CI, which installs what they need, that fails."""
    missing = [name for name in _NEEDED if shutil.which(name) is None]
    if missing and not os.environ.get("CI"):
        pytest.skip(f"emulated boards need {', '.join(missing)}; .ci/run installs them")
    assert not missing

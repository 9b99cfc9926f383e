from __future__ import annotations

from pathlib import Path

import pytest

from .bundles import tiny_bundle


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """A small bundle, to attack."""
    return tiny_bundle(tmp_path / "tiny.bundle")

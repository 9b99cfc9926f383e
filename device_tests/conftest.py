"""A suite for the board itself: it needs numpy, an interpreter and pytest, and a bundle.

python -m pytest device_tests --bundle sentiment.bundle
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bundle", type=Path, help="the bundle to test on this board")


@pytest.fixture(scope="session")
def published(request: pytest.FixtureRequest) -> Path:
    """The bundle that the user named; the tests only read it."""
    path: Path | None = request.config.getoption("--bundle")
    if path is None:
        pytest.fail("name the bundle to test: --bundle sentiment.bundle", pytrace=False)
    return path


@pytest.fixture
def bundle(published: Path, tmp_path: Path) -> Path:
    """A copy, to damage."""
    return Path(shutil.copytree(published, tmp_path / "bundle"))

"""Test suite for the board itself: it needs numpy, an interpreter, pytest and a bundle.

python -m pytest device_tests --bundle sentiment.bundle --expected expected.npz
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--bundle", type=Path, help="the bundle to test on this board")
    parser.addoption(
        "--expected",
        type=Path,
        help="what it must answer: python -m edge_experts.benchmarking.expected, on the host",
    )


@pytest.fixture(scope="session")
def published(request: pytest.FixtureRequest) -> Path:
    """Bundle from the command line; the tests only read it."""
    path: Path | None = request.config.getoption("--bundle")
    if path is None:
        pytest.fail("no bundle to test: pass --bundle sentiment.bundle", pytrace=False)
    return path


@pytest.fixture(scope="session")
def expected(request: pytest.FixtureRequest) -> Path:
    """File of expected answers that the host made for the bundle."""
    path: Path | None = request.config.getoption("--expected")
    if path is None:
        pytest.skip("NOT TESTED, for want of --expected FILE: that answers are the host's")
    return path


@pytest.fixture
def bundle(published: Path, tmp_path: Path) -> Path:
    """Copy of the bundle, to damage."""
    return Path(shutil.copytree(published, tmp_path / "bundle"))


@pytest.fixture(scope="session")
def storage() -> Iterator[Path]:
    """Folder in the home directory, on the card: /tmp is often in memory."""
    with tempfile.TemporaryDirectory(prefix=".edge-experts-test-", dir=Path.home()) as folder:
        yield Path(folder)

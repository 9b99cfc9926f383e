"""Fixtures of sites in a browser: LiteRT.js, a server, and pages that must be without errors."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from edge_experts.datasets import fetch
from edge_experts.web import litert_js
from tests.conftest import Cli, Shared
from tests.tiny import tiny_bundle

from .server import Server
from .visit import Visit

Visiting = Callable[..., Visit]
Export = Callable[[Path, Path], Path]


@pytest.fixture(scope="session")
def litert() -> None:
    """LiteRT.js is in the cache, or npm can fetch it, which CI must have."""
    packages = (litert_js.CORE, litert_js.UTILITIES)
    if all(fetch.is_kept(name, digest) for _, name, digest in packages) or shutil.which("npm"):
        return
    if os.environ.get("CI"):
        pytest.fail("npm is not installed")
    pytest.skip("npm, which fetches LiteRT.js, is not on this machine; CI has it")


@pytest.fixture(scope="session")
def export(cli: Cli, litert: None) -> Export:
    """Writes a site for a bundle, in a separate process."""

    def write(bundle: Path, out: Path) -> Path:
        done = cli("export-web", bundle, "--out", out, "--force")
        assert done.returncode == 0, done.stderr
        return out

    return write


@pytest.fixture(scope="session")
def tiny_site(shared: Shared, export: Export) -> Path:
    """A site of a bundle of two experts; not to be changed."""

    def write(out: Path) -> None:
        export(tiny_bundle(out.with_name("tiny-web.bundle")), out)

    return shared("tiny-web.site", write)


@pytest.fixture
def site(tmp_path: Path, tiny_site: Path) -> Path:
    """A copy of it, to damage."""
    return Path(shutil.copytree(tiny_site, tmp_path / "site"))


@pytest.fixture
def visit(browser: Any) -> Iterator[Visiting]:
    """Opens sites in new profiles of the browser; at the end, none may have told of an error."""
    opened: list[tuple[Visit, Server]] = []

    def open_site(folder: Path, **options: Any) -> Visit:
        server = Server(folder)
        visit = Visit(browser, server, **options)
        opened.append((visit, server))
        return visit

    yield open_site
    for visit, server in opened:
        visit.context.close()
        server.close()
    for visit, _ in opened:
        assert visit.violations == []
        assert visit.errors == []

"""The example page: accessible by axe-core, installable, and honest about trouble."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.datasets import fetch
from edge_experts.features import ArrayFeatures, Features

from .conftest import Visiting
from .features import files, sound_features, table_features
from .test_site import FIRST
from .visit import Visit

_AXE = (
    "axe-core@4.14.1",
    "axe-core-4.14.1.tgz",
    "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745",
)


@pytest.fixture(scope="session")
def axe(litert: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The script of axe-core (MPL 2.0), which only tests use."""
    path = tmp_path_factory.mktemp("axe") / "axe.js"
    with tarfile.open(fetch.npm_package(*_AXE)) as archive:
        member = archive.extractfile("package/axe.min.js")
        assert member is not None
        path.write_bytes(member.read())
    return path


def _violations(visited: Visit) -> list[str]:
    found: list[dict[str, Any]] = visited.run("return (await axe.run()).violations;")
    return [f"{one['id']}: {one['nodes'][0]['html']}" for one in found]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_page_is_accessible(
    site: Path, visit: Visiting, axe: Path, dark: bool, width: int
) -> None:
    visited = visit(site, dark=dark, width=width)
    visited.page.add_init_script(path=axe)
    assert visited.open() == "Ready."
    assert _violations(visited) == []
    visited.page.fill("textarea", json.dumps(FIRST))
    visited.page.click("#ask")
    visited.page.wait_for_selector("#answer:not([hidden])")
    visited.page.click("summary")
    assert _violations(visited) == []


@pytest.mark.parametrize("kind", ["table", "image", "sound"])
def test_forms_are_accessible(site: Path, visit: Visiting, axe: Path, kind: str) -> None:
    """Drawn by the page's own module, without a bundle of that kind."""
    images = np.arange(0, 256, 2).reshape(2, 8, 8).astype(np.uint8)
    made: dict[str, Features] = {
        "table": next(table_features()),
        "image": ArrayFeatures.fit(images, channels=False),
        "sound": next(sound_features()),
    }
    visited = visit(site)
    visited.page.add_init_script(path=axe)
    visited.open()
    visited.run(
        """const { readArrays } = await load("edge-experts/npz.js");
        const { restore } = await load("edge-experts/features/kinds.js");
        const { inputFor } = await load("page_inputs.js");
        const bytes = Uint8Array.from(atob(given.npz), (each) => each.charCodeAt(0));
        const { description } = restore(given, await readArrays(bytes), "features");
        document.getElementById("fields").replaceChildren(...inputFor(description).elements);""",
        files(made[kind]),
    )
    assert _violations(visited) == []
    assert visited.page.evaluate("document.documentElement.scrollWidth") <= 390


def test_it_can_be_installed(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.open()
    visited.run("await navigator.serviceWorker.ready;")
    tools = visited.context.new_cdp_session(visited.page)
    assert tools.send("Page.getAppManifest")["errors"] == []
    # Chromium refuses to install in the profiles of tests, and for no other reason.
    found = tools.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert {one["errorId"] for one in found} <= {"in-incognito"}


def test_an_insecure_origin_is_told(site: Path, visit: Visiting) -> None:
    visited = visit(site)
    visited.page.add_init_script("Object.defineProperty(crypto, 'subtle', { value: undefined })")
    assert "serve it by https" in visited.open()

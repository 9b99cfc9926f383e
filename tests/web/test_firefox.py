"""Golden answers and features in Firefox, by a page that reports what it found."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from . import features as inputs
from .server import Server

_PAGE = """<!doctype html>
<meta http-equiv="Content-Security-Policy" content="default-src 'none';
script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'">
<title>report</title>
<body><script type="module" src="report.js"></script>
"""
_REPORT = """
const load = (path) => import(new URL(path, document.baseURI).href);
const violations = [];
addEventListener("securitypolicyviolation", (event) => violations.push(event.blockedURI));
const told = {};
try {
    const given = await (await fetch("given.json")).json();
    const { open } = await load("edge-experts.js");
    const bundle = await open("bundle/");
    told.count = await bundle.verify();
    told.traffic = bundle.traffic.map(({ path }) => path);
    const again = await open("bundle/");
    told.sources = again.traffic.map(({ source }) => source);
    told.features = [];
    for (const one of given) {
        told.features.push(await (async (given) => { BY_BROWSER })(one));
    }
} catch (error) {
    told.error = `${error.name}: ${error.message}`;
}
await fetch("report", { method: "POST", body: JSON.stringify({ ...told, violations }) });
""".replace("BY_BROWSER", inputs.BY_BROWSER)


@pytest.fixture(scope="session")
def firefox() -> str:
    """The system's Firefox, which CI must have (.ci/run installs it)."""
    found = shutil.which("firefox-esr") or shutil.which("firefox")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail("Firefox is not installed")
        pytest.skip("Firefox is not on this machine; CI has it")
    return found


@contextmanager
def _opened(program: str, url: str) -> Iterator[None]:
    """Firefox with a new profile shows a page."""
    with tempfile.TemporaryDirectory() as profile:
        command = [program, "--headless", "--no-remote", "--profile", profile, url]
        process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=_env(profile)
        )
        try:
            yield
        finally:
            process.terminate()
            process.wait(30)


def _env(home: str) -> dict[str, str]:
    return {**os.environ, "HOME": home, "MOZ_DISABLE_AUTO_SAFE_MODE": "1"}


def test_golden_answers_and_features_in_firefox(site: Path, firefox: str) -> None:
    examples: dict[str, tuple[Any, list[Any]]] = {}
    texts = inputs.texts(200, seed=5)
    examples["text"] = next(inputs.text_features(texts)), texts
    table = next(inputs.table_features())
    names = [field["name"] for field in table.inputs]
    examples["table"] = table, inputs.rows(200, 5, names)
    image = next(inputs.array_features())
    examples["array"] = image, inputs.arrays(60, 5, (8, 8))
    given = [
        {"files": inputs.files(features), "examples": list(map(inputs.given, some))}
        for features, some in examples.values()
    ]
    (site / "given.json").write_text(json.dumps(given))
    (site / "report.html").write_text(_PAGE)
    (site / "report.js").write_text(_REPORT)
    server = Server(site)
    with _opened(firefox, f"{server.url}report.html"):
        told = json.loads(server.reports.get(timeout=120))
    server.close()
    assert told.get("error") is None
    assert told["violations"] == []
    assert told["count"] == 4
    assert set(told["sources"][1:]) == {"cache"}
    for (features, some), found in zip(examples.values(), told["features"], strict=True):
        for example, one in zip(some, found, strict=True):
            assert one == inputs.by_python(features, example), repr(example)

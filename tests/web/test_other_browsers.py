"""Golden answers and features in Firefox and WebKit, by a page that reports what it found."""

from __future__ import annotations

import json
import os
import shutil
import signal
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
script-src 'self' 'wasm-unsafe-eval'; connect-src 'self'; img-src data:">
<link rel="icon" href="data:,">
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


# Debian's package of each, and commands that show a page in it; {} is an empty folder.
_BROWSERS = {
    "firefox-esr": (
        ("firefox-esr", "--headless", "--no-remote", "--profile", "{}"),
        ("firefox", "--headless", "--no-remote", "--profile", "{}"),
    ),
    "webkit2gtk-driver": tuple(
        ("xvfb-run", "-a", str(path))
        for path in sorted(Path("/usr/lib").glob("*/webkit2gtk-4.*/MiniBrowser"))
    ),
}


def _command(package: str) -> tuple[str, ...]:
    """The command of a browser, which CI must have (.ci/run installs it)."""
    for command in _BROWSERS[package]:
        if shutil.which(command[0]):
            return command
    if os.environ.get("CI"):
        pytest.fail(f"{package} is not installed")
    pytest.skip(f"{package} is not on this machine; CI has it")


@contextmanager
def _opened(command: tuple[str, ...], url: str) -> Iterator[None]:
    """A browser with a new profile shows a page."""
    with tempfile.TemporaryDirectory() as profile:
        words = [profile if word == "{}" else word for word in command]
        # WebKit's sandbox needs more than containers of CI permit; the pages are the tests' own.
        here = {"HOME": profile, "WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
        process = subprocess.Popen(
            [*words, url],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={**os.environ, **here},
            start_new_session=True,
        )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            process.wait(30)


@pytest.mark.parametrize("package", _BROWSERS)
def test_golden_answers_and_features(site: Path, package: str) -> None:
    command = _command(package)
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
    with _opened(command, f"{server.url}report.html"):
        told = json.loads(server.reports.get(timeout=120))
    server.close()
    assert told.get("error") is None
    assert told["violations"] == []
    assert told["count"] == 4
    assert set(told["sources"][1:]) == {"cache"}
    for (features, some), found in zip(examples.values(), told["features"], strict=True):
        for example, one in zip(some, found, strict=True):
            assert one == inputs.by_python(features, example), repr(example)

"""Bundles of sounds and of sensors in a browser: files, the microphone and rows, beside Python."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edge_experts.runtime import ExpertRuntime
from tests.conftest import Cli
from tests.documents import small_data
from tests.sounds import write_sounds

from .conftest import Export, Visiting
from .server import Server
from .test_site import OPEN
from .visit import Visit

pytestmark = pytest.mark.long


def _site(cli: Cli, export: Export, folder: Path, *options: object) -> Path:
    (folder / "quick.toml").write_text(small_data.QUICK)
    more = ("--experts", 2, "--config", "quick.toml", "--no-gain", "--no-pictures")
    for command in (
        ("train", *options, *more, "--out", "a.run"),
        # Kernels for integers round otherwise in LiteRT.js, at times by a step.
        ("convert", "a.run", "--out", "a.bundle", "--max-accuracy-drop", 100,
         "--quantization", "float16"),
    ):  # fmt: skip
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return export(folder / "a.bundle", folder / "site")


@pytest.fixture(scope="module")
def sounds(cli: Cli, export: Export, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with sounds, a bundle and its site."""
    folder = tmp_path_factory.mktemp("sounds")
    write_sounds(folder / "sounds", 24)
    _site(cli, export, folder, "--data", "sounds/")
    return folder


def test_files_and_samples_have_pythons_answers(sounds: Path, visit: Visiting) -> None:
    paths = sorted((sounds / "sounds").rglob("*.wav"))[::9]
    visited = visit(sounds / "site")
    assert visited.open() == "Ready."
    assert "published answers" in visited.verify()
    with ExpertRuntime(sounds / "a.bundle") as runtime:
        wanted = [runtime.predict(path.read_bytes()) for path in paths]
        quiet = runtime.predict(np.zeros(100, np.int16))
    made = visited.run(
        f"""{OPEN}
        const bytes = (text) => Uint8Array.from(atob(text), (each) => each.charCodeAt(0)).buffer;
        const files = given.files.map((file) => bundle.predict(bytes(file)));
        return Promise.all([...files, bundle.predict(new Int16Array(100))]);""",
        {"files": [base64.b64encode(path.read_bytes()).decode() for path in paths]},
    )
    for one, other in zip(made, [*wanted, quiet], strict=True):
        assert (one["label"], one["experts"]) == (other.label, list(other.experts))
        assert one["score"] == pytest.approx(other.score, abs=0.05)
        assert one["warnings"] == list(other.warnings)
    visited.page.set_input_files("input[type=file]", paths[0])
    visited.page.click("#ask")
    visited.page.wait_for_selector("#answer:not([hidden])")
    assert visited.page.inner_text("#label") == wanted[0].label


def test_what_is_no_sound_is_told(sounds: Path, visit: Visiting, tmp_path: Path) -> None:
    visited = visit(sounds / "site")
    for content, message in ((b"no sound", "not a sound file"), (b"RIFF", "not a WAV file")):
        visited.open()
        (tmp_path / "x.wav").write_bytes(content)
        visited.page.set_input_files("input[type=file]", tmp_path / "x.wav")
        visited.page.click("#ask")
        assert message in visited.status("Answering|Ready")


def test_the_microphone(sounds: Path, browser: Any) -> None:
    """Chromium plays a file as its microphone."""
    played = sorted((sounds / "sounds" / "hum").iterdir())[0]
    flags = ("use-fake-ui-for-media-stream", "use-fake-device-for-media-stream")
    heard = browser.browser_type.launch(
        executable_path=shutil.which("chromium") or shutil.which("google-chrome"),
        args=[*(f"--{flag}" for flag in flags), f"--use-file-for-fake-audio-capture={played}"],
    )
    server = Server(sounds / "site")
    visited = Visit(heard, server)
    try:
        visited.context.grant_permissions(["microphone"])
        visited.open()
        samples, answer = visited.run(
            f"""{OPEN} const {{ record }} = await load("microphone.js");
            const samples = await record(1.5, bundle.info.input.rate);
            return [Array.from(samples), await bundle.predict(samples)];""",
            {},
        )
        visited.page.click("#fields button")
        _wait_for(visited, "Recorded")
        visited.page.click("#ask")
        assert visited.status("Answering") == "Ready."
    finally:
        heard.close()
        server.close()
    assert visited.errors == visited.violations == []
    assert len(samples) >= 1.5 * 16_000
    assert max(samples) > 1000
    with ExpertRuntime(sounds / "a.bundle") as runtime:
        wanted = runtime.predict(np.array(samples, np.int16))
    assert answer["label"] == wanted.label
    assert answer["score"] == pytest.approx(wanted.score, abs=0.05)


def _wait_for(visited: Visit, text: str) -> None:
    from playwright.sync_api import expect

    expect(visited.page.locator("#fields button")).to_have_text(re.compile(text), timeout=60_000)


def test_rows_of_sensors_have_the_answers_of_run_stream(
    cli: Cli, export: Export, visit: Visiting, tmp_path: Path
) -> None:
    small_data.motion(tmp_path / "motion.csv")
    options = ("--window", 64, "--stride", 32, "--group-column", "person", "--time-column", "t")
    site = _site(cli, export, tmp_path, "--data", "motion.csv", *options)
    lines = [line.split(",") for line in (tmp_path / "motion.csv").read_text().splitlines()]
    rows = [line[1:5] for line in lines[1:] if line[0] == lines[1][0]]
    del rows[100:102]  # resampled
    visited = visit(site)
    visited.open()
    made = visited.run(
        f"""{OPEN} const windows = bundle.windows();
        const answers = [];
        for (const [time, ...row] of given.rows) {{
            for (const one of windows.push(row, time)) answers.push(await bundle.predict(one));
        }}
        return answers;""",
        {"rows": [[float(cell) for cell in row] for row in rows]},
    )
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts", "run", str(site / "bundle"), "--stream", "--json"],
        input="".join(",".join(row) + "\n" for row in rows), encoding="utf-8",
        capture_output=True, check=True,
    )  # fmt: skip
    wanted = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(made) == len(wanted) >= 5
    for one, other in zip(made, wanted, strict=True):
        assert (one["label"], one["experts"]) == (other["label"], other["experts"])
        assert one["score"] == pytest.approx(other["score"], abs=0.05)

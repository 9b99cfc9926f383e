"""Trained bundles of each kind of data in a browser, beside Python."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.conftest import ROOT, Cli
from tests.end_to_end.test_kinds import _images, _table, _windows

from .conftest import Export, Visiting
from .test_site import ALIKE, OPEN
from .visit import Visit

OLD = ROOT / "tests" / "data" / "v0_1_0" / "bundles"
QUICK = (
    "experts = 3\nwarm_epochs = 1\nepochs = 2\nchoice_epochs = 1\ntune_epochs = 1\n"
    "teacher_epochs = 0\nmeasure_gain = false\n"
)
WIDTHS = (320, 390, 1280)


def _houses(path: Path) -> Path:
    chance = np.random.default_rng(0)
    lines = ["area,town,sold,target:price,target:heating"]
    for n in range(300):
        area, town = chance.uniform(40, 200), n % 3
        price = 1500 * area + 40_000 * town + chance.normal(0, 2000)
        row = f"{area:.1f},{['Graz', 'Linz', 'Wien'][town]},{['yes', 'no'][n % 2]}"
        lines.append(f"{row},{price:.0f},{0.9 * area:.1f}")
    (path / "data.csv").write_text("\n".join(lines) + "\n")
    return path / "data.csv"


def _check(site: Path, visit: Visiting, cli: Cli, examples: list[Any]) -> Visit:
    """Golden examples, answers to other ones as Python's, and a page that fits every width."""
    visited = visit(site)
    assert visited.open() == "Ready."
    assert "published answers" in visited.verify()
    made = visited.run(
        f"{OPEN} return Promise.all(given.examples.map((one) => bundle.predict(one)));",
        {"examples": examples},
    )
    lines = "".join(f"{json.dumps(one)}\n" for one in examples)
    told = cli("run", site / "bundle", "--json", stdin=lines).stdout.splitlines()
    for one, line in zip(made, told, strict=True):
        other = json.loads(line)
        assert {key: one[key] for key in ALIKE} == {key: other[key] for key in ALIKE}
        if "values" in other:
            assert one["values"] == pytest.approx(other["values"], rel=0.02)
        else:
            assert one["label"] == other["label"]
            assert one["score"] == pytest.approx(other["score"], abs=0.05)
    for width in WIDTHS:
        visited.page.set_viewport_size({"width": width, "height": 800})
        assert visited.page.evaluate("document.documentElement.scrollWidth") <= width
    return visited


def _trained(cli: Cli, export: Export, folder: Path, data: Path | str, *options: object) -> Path:
    (folder / "quick.toml").write_text(QUICK)
    train = ("train", "--data", data, "--config", "quick.toml", "--out", "a.run")
    for command in (train, ("convert", "a.run", "--out", "a.bundle", *options)):
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
    return export(folder / "a.bundle", folder / "site")


@pytest.mark.parametrize("name", ["image", "vector", "window"])
def test_bundles_of_0_1_0(
    cli: Cli, export: Export, tmp_path: Path, visit: Visiting, name: str
) -> None:
    site = export(OLD / f"{name}.bundle", tmp_path / "site")
    manifest = json.loads((site / "bundle" / "manifest.json").read_text())
    shape = manifest["features"]["config"]["shape"]
    chance = np.random.default_rng(0)
    _check(site, visit, cli, [chance.normal(0, 1, shape).tolist() for _ in range(5)])


def test_a_trained_table(cli: Cli, export: Export, tmp_path: Path, visit: Visiting) -> None:
    site = _trained(cli, export, tmp_path, _table(tmp_path))
    rows = [
        {"height": "2.1", "colour": "blue"},
        {"height": None, "colour": "violet"},
        {"height": 1e9, "colour": " red"},
    ]
    _check(site, visit, cli, rows)


def test_trained_images(cli: Cli, export: Export, tmp_path: Path, visit: Visiting) -> None:
    site = _trained(cli, export, tmp_path, _images(tmp_path), "--second-share", 0.3)
    examples = np.load(tmp_path / "data.npz")["x_test"][:20].tolist()
    visited = _check(site, visit, cli, [*examples, (np.eye(12) / 2).tolist()])
    # An image file of the model's size: the pixels are what the model gets.
    picture = visited.run(
        """const canvas = new OffscreenCanvas(given[0].length, given.length);
        const pixels = given.flat().flatMap((grey) => [grey, grey, grey, 255]);
        const data = new ImageData(Uint8ClampedArray.from(pixels), canvas.width, canvas.height);
        canvas.getContext("2d").putImageData(data, 0, 0);
        const file = await canvas.convertToBlob({ type: "image/png" });
        return Array.from(new Uint8Array(await file.arrayBuffer()));""",
        examples[0],
    )
    (tmp_path / "one.png").write_bytes(bytes(picture))
    visited.page.set_input_files("input[type=file] >> nth=0", tmp_path / "one.png")
    visited.page.click("#ask")
    visited.page.wait_for_selector("#answer:not([hidden])")
    said = json.loads(cli("run", site / "bundle", "--json", json.dumps(examples[0])).stdout)
    assert visited.page.inner_text("#label") == said["label"]
    assert f"{100 * said['score']:.1f} %" in visited.page.inner_text("#scores")


def test_trained_windows(cli: Cli, export: Export, tmp_path: Path, visit: Visiting) -> None:
    site = _trained(cli, export, tmp_path, _windows(tmp_path), "--quantization", "float16")
    examples = np.load(tmp_path / "data.npz")["x_test"][:20].astype(float).tolist()
    _check(site, visit, cli, examples)


def test_trained_numbers(cli: Cli, export: Export, tmp_path: Path, visit: Visiting) -> None:
    site = _trained(cli, export, tmp_path, _houses(tmp_path))
    rows = [{"area": 100, "town": "Graz", "sold": True}, {"area": "", "town": None, "sold": "no"}]
    _check(site, visit, cli, rows)


def test_texts(
    export: Export, tmp_path: Path, visit: Visiting, cli: Cli, sentiment_bundle: Path
) -> None:
    site = export(sentiment_bundle, tmp_path / "site")
    texts = [
        "a film to remember",
        "Schlecht!",
        "\U0001f600 caf\u00e9",
        "It works, but the battery dies.",
    ]
    visited = visit(site)
    visited.open()
    assert "published answers" in visited.verify()
    script = f"{OPEN} return Promise.all(given.examples.map((one) => bundle.predict(one)));"
    for text, one in zip(texts, visited.run(script, {"examples": texts}), strict=True):
        other = json.loads(cli("run", sentiment_bundle, "--json", text).stdout)
        assert (one["label"], one["expert"]) == (other["label"], other["expert"])
        assert one["score"] == pytest.approx(other["score"], abs=0.05)

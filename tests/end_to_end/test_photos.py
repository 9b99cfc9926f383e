"""A folder of photos goes to a benchmark in four commands, and every way in gives its answers."""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts.features.frames import FrameFormat
from edge_experts.features.photo_files import read_photo
from edge_experts.runtime import ExpertRuntime
from tests.conftest import ROOT, Cli
from tests.photos import LABELS, write_photos

pytest.importorskip("PIL")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A folder with photos, a run and a bundle, by commands with no option but names."""
    folder = tmp_path_factory.mktemp("photos")
    write_photos(folder / "photos", 40)
    for command in (
        ("train", "--data", "photos/", "--out", "a.run"),
        ("convert", "a.run", "--out", "a.bundle"),
    ):
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{command[0]}.log").write_text(done.stdout + done.stderr)
    return folder


def test_training_tells_the_size_and_the_augmentation(place: Path) -> None:
    told = (place / "train.log").read_text()
    assert "photos of 48 x 48 pixels, the middle of each is used" in told
    assert "--no-augment" in told
    run = json.loads((place / "a.run" / "run.json").read_text())
    assert run["labels"] == list(LABELS)
    assert run["config"]["augment"] is True
    assert run["feature_settings"]["resizing"]["policy"] == "crop"


def test_it_learned_the_shapes(cli: Cli, place: Path) -> None:
    done = cli("evaluate", "a.bundle", "--data", "photos/", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["examples"] == 24
    assert found["left_out"] == 96
    assert found["accuracy"] >= 0.7
    other = write_photos(place / "other", 10, seed=5)
    done = cli("evaluate", "a.bundle", "--data", other, "--json", cwd=place)
    assert json.loads(done.stdout)["examples"] == 30
    assert json.loads(done.stdout)["accuracy"] >= 0.7


def test_files_folders_arrays_and_frames_give_the_same_answers(cli: Cli, place: Path) -> None:
    paths = sorted((place / "photos" / "disc").iterdir())[:6]
    some = place / "some"
    some.mkdir()
    for path in paths:
        shutil.copy(path, some)
    with ExpertRuntime(place / "a.bundle") as runtime:
        wanted = [runtime.predict(read_photo(path)) for path in paths]
    for arguments in (
        ("run", "a.bundle", *paths),
        ("run", "a.bundle", "some"),
        ("run", "a.bundle", "--input", "some"),
    ):
        done = cli(*arguments, "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["label"] for one in answers] == [one.label for one in wanted]
        assert [one["score"] for one in answers] == [round(one.score, 6) for one in wanted]
        assert [Path(one["input"]).name for one in answers] == [path.name for path in paths]
    line = json.dumps(read_photo(paths[0]).tolist())
    done = cli("run", "a.bundle", "--json", stdin=line + "\n", cwd=place)
    assert json.loads(done.stdout)["score"] == round(wanted[0].score, 6)
    pixels = read_photo(paths[0])
    form = f"{pixels.shape[1]}x{pixels.shape[0]}:rgb24"
    piped = _frames(place, pixels.tobytes() * 3, form)
    assert piped.returncode == 0, piped.stderr
    scores = [json.loads(line)["score"] for line in piped.stdout.splitlines()]
    assert scores == [round(wanted[0].score, 6)] * 3


def _frames(
    place: Path, content: bytes, form: str, *options: str
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_experts", "run", "a.bundle", "--frames", form, "--json"]
    return subprocess.run([*command, *options], input=content, cwd=place, capture_output=True)


def test_frames_need_no_pillow(place: Path) -> None:
    """As on a board that only has the device part."""
    (place / "without" / "PIL").mkdir(parents=True)
    (place / "without" / "PIL" / "__init__.py").write_text("raise ImportError('not installed')")
    environment = {**os.environ, "PYTHONPATH": f"{place / 'without'}:{ROOT}"}
    content = np.random.default_rng(0).bytes(FrameFormat.parse("64x48:yuv420").size)
    program = [sys.executable, "-m", "edge_experts", "run", "a.bundle"]
    for words, given, code in (
        (("--frames", "64x48:yuv420"), content, 0),
        (("photos/disc/000.jpg",), b"", 4),
    ):
        done = subprocess.run(
            [*program, *words], input=given, cwd=place, env=environment, capture_output=True
        )
        assert done.returncode == code, done.stderr
        assert (b"edge-experts[images]" in done.stderr) is bool(code)
    assert _frames(place, content, "64x48:yuv420").returncode == 0


def test_an_incomplete_frame_is_told(place: Path) -> None:
    frames = FrameFormat.parse("64x48:yuv420")
    content = np.random.default_rng(0).bytes(frames.size * 2 + 100)
    done = _frames(place, content, "64x48:yuv420")
    assert done.returncode == 2
    first, second, broken = map(json.loads, done.stdout.splitlines())
    assert {first["label"], second["label"]} <= set(LABELS)
    assert "frame 3: has 100 of 4,608 bytes" in broken["error"]
    assert b"frame 3" in done.stderr
    assert _frames(place, b"", "64x48:grey").stdout == b""


def test_a_broken_photo_of_a_folder_is_named_and_the_others_answered(
    cli: Cli, place: Path, tmp_path: Path
) -> None:
    for path in sorted((place / "photos" / "square").iterdir())[:3]:
        shutil.copy(path, tmp_path)
    (tmp_path / "broken.jpg").write_bytes(b"x")
    done = cli("run", "a.bundle", tmp_path, cwd=place)
    assert done.returncode == 2
    assert len(done.stdout.splitlines()) == 3
    assert "broken.jpg: not an image" in done.stderr
    done = cli("run", "a.bundle", tmp_path / "broken.jpg", cwd=place)
    assert (done.returncode, done.stdout) == (2, "")


def test_frames_are_refused_beside_other_inputs(cli: Cli, place: Path) -> None:
    done = cli("run", "a.bundle", "a.jpg", "--frames", "4x4:grey", cwd=place)
    assert done.returncode == 2
    assert "--frames is read from stdin" in done.stderr


def test_the_benchmark_tells_photos_per_second(cli: Cli, place: Path) -> None:
    options = ("--rounds", 2, "--report", "page.html")
    done = cli("benchmark", "a.bundle", "--data", "photos/", "--json", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    photos = json.loads(done.stdout)["photos"]
    assert 0 < photos["frames_per_second_with_decoding"] < photos["frames_per_second"]
    assert photos["decode"]["answers"] > 0
    assert "photos/s from files" in (place / "page.html").read_text()
    done = cli("benchmark", "a.bundle", "--rounds", 2, cwd=place)
    assert "frames/s decoded before, with resizing" in done.stdout


def test_the_bundle_is_described(cli: Cli, place: Path) -> None:
    assert cli("verify", "a.bundle", cwd=place).returncode == 0
    done = cli("inspect", "a.bundle", cwd=place)
    assert "x: uint8 any x any x 3, range 0 to 255, kind photo, crop 48 x 48" in done.stdout
    card = (place / "a.bundle" / "MODEL_CARD.md").read_text()
    assert "photo" in card


def test_all_downstream_commands_take_photos(cli: Cli, place: Path) -> None:
    for command in (
        ("monitor", "a.bundle", "--input", "photos/disc"),
        ("pack", "a.bundle", "--out", "a.zip"),
        ("install", "a.bundle", "root"),
        ("run", "root", "photos/disc/000.jpg"),
    ):
        done = cli(*command, cwd=place)
        assert done.returncode == 0, (command, done.stderr)


def test_a_server_takes_image_files(place: Path) -> None:
    path = place / "photos" / "stripes" / "001.png"
    with ExpertRuntime(place / "a.bundle") as runtime:
        wanted = runtime.predict(path.read_bytes())
        assert wanted.scores.tolist() == runtime.predict(read_photo(path)).scores.tolist()
    with running(place / "a.bundle") as (_, port):

        def ask(body: bytes, kind: str) -> tuple[int, dict[str, Any]]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"Content-Type": kind}
            connection.request("POST", "/v2/models/photos/infer", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        status, told = ask(path.read_bytes(), "image/png")
        assert status == 200
        label = next(one for one in told["outputs"] if one["name"] == "label")
        assert label["data"] == [wanted.label]
        status, told = ask(b"no image", "image/jpeg")
        assert status == 400
        assert "not an image" in told["error"]
        pixels = read_photo(path)
        tensor = {
            "name": "x",
            "datatype": "UINT8",
            "shape": [1, *pixels.shape],
            "data": pixels.ravel().tolist(),
        }
        status, told = ask(json.dumps({"inputs": [tensor]}).encode(), "application/json")
        assert status == 200
        assert next(one for one in told["outputs"] if one["name"] == "label") == label

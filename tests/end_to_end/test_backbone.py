"""A folder of photos and a pretrained network go to a board's answers, and a head is added."""

from __future__ import annotations

import http.client
import json
import shlex
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks.serving.load import running
from edge_experts.format.manifest_parser import read_manifest
from edge_experts.runtime import interpreter
from tests.conftest import QUICK, ROOT, Cli
from tests.deploying.sshd import Server, require
from tests.photos import LABELS, write_photos

pytest.importorskip("PIL")


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A folder with photos, a run and a bundle, by commands with no option but names."""
    folder = tmp_path_factory.mktemp("backbone")
    write_photos(folder / "photos", 40)
    write = "import sys; from tests import small_backbone; small_backbone.write(sys.argv[1])"
    network = str(folder / "network.keras")
    subprocess.run([sys.executable, "-c", write, network], cwd=ROOT, check=True)
    for command in (
        ("train", "--data", "photos/", "--backbone", "network.keras", "--out", "a.run"),
        ("convert", "a.run", "--out", "a.bundle"),
    ):
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{command[0]}.log").write_text(done.stdout + done.stderr)
    return folder


def test_training_tells_what_it_takes_from_the_network(place: Path) -> None:
    told = (place / "train.log").read_text()
    assert "features are taken from the layer 'pool', before the classifier 'classifier'" in told
    assert "photos of 16 x 16 pixels" in told
    manifest = read_manifest(place / "a.bundle")
    assert manifest.provenance["backbone"]["network"] == "network.keras"
    assert manifest.labels == LABELS
    assert manifest.router is not None
    assert all(entry.bytes < manifest.router.bytes / 2 for entry in manifest.experts)
    assert "| backbone, in the router's file | network.keras: 12 features" in (
        place / "a.bundle" / "MODEL_CARD.md"
    ).read_text("utf-8")


@pytest.mark.parametrize("recipe", ["float32", "float16", "dynamic", "int16x8"])
def test_other_quantizations_answer_as_keras(cli: Cli, place: Path, recipe: str) -> None:
    out = f"{recipe}.bundle"
    done = cli("convert", "a.run", "--out", out, "--quantization", recipe, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["parity"]["equal_labels"] >= 0.9
    assert cli("verify", out, cwd=place).returncode == 0


@pytest.mark.parametrize("method", ["pruning", "clustering", "quantization-aware"])
def test_heads_are_compressed(cli: Cli, place: Path, method: str) -> None:
    options = ("--compress", method, "--compress-epochs", "1")
    done = cli("convert", "a.run", "--out", f"{method}.bundle", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    # No compression changes the pretrained network.
    compressed, base = (read_manifest(place / f"{name}.bundle") for name in (method, "a"))
    assert compressed.router
    assert base.router
    assert compressed.router.sha256 == base.router.sha256


def test_formats_are_chosen_under_a_budget(cli: Cli, place: Path) -> None:
    options = ("--quantization", "auto", "--size-budget", "60KB")
    done = cli("convert", "a.run", "--out", "auto.bundle", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    files = [path for path in (place / "auto.bundle").rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) <= 60_000
    assert cli("verify", "auto.bundle", cwd=place).returncode == 0


def test_layouts_in_one_file_give_the_same_answers(cli: Cli, place: Path) -> None:
    train = ("train", "--data", "photos/", "--backbone", "network.keras", "--experts", "2")
    done = cli(*train, "--no-gain", "--epochs", "2", "--out", "two.run", cwd=place)
    assert done.returncode == 0, done.stderr
    for layout in ("gated", "nested-if"):
        convert = ("convert", "two.run", "--quantization", "float32", "--layout", layout)
        done = cli(*convert, "--out", f"{layout}.bundle", cwd=place)
        assert done.returncode == 0, done.stderr


def test_it_is_measured_served_and_watched(cli: Cli, place: Path) -> None:
    done = cli("evaluate", "a.bundle", "--data", "photos/", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] >= 0.4
    done = cli("benchmark", "a.bundle", "--data", "photos/", "--rounds", "1", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    done = cli("monitor", "a.bundle", "--input", "photos/disc", cwd=place)
    assert done.returncode == 0, done.stderr
    photo = next((place / "photos" / "disc").glob("*.jpg")).read_bytes()
    with running(place / "a.bundle") as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "image/jpeg"}
        connection.request("POST", "/v2/models/photos/infer", photo, headers)
        assert connection.getresponse().status == 200


def test_it_is_compared_with_dense_heads(cli: Cli, place: Path) -> None:
    (place / "few.toml").write_text(QUICK)
    arguments = ("--data", "photos/", "--backbone", "network.keras", "--experts", "2")
    rows = ("--rows", "sparse,dense-active", "--config", "few.toml")
    done = cli("compare", *arguments, *rows, "--out", "compared", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    measured = {row["name"]: row for row in found["rows"]}
    assert set(measured) >= {"sparse", "dense-active"}
    # The network is computed in all of them, and heads add little to it.
    macs = [measured[name]["macs"] for name in ("sparse", "dense-active")]
    assert max(macs) - min(macs) < 0.05 * min(macs)


@pytest.mark.parametrize("target", ["pi-bookworm", "pi-trixie", "litert"])
def test_targets_have_the_operators(cli: Cli, place: Path, target: str) -> None:
    out = f"{target}.bundle"
    done = cli("convert", "a.run", "--out", out, "--target", target, cwd=place)
    assert done.returncode == 0, done.stderr
    assert read_manifest(place / out).labels == LABELS


def test_a_report_and_golden_examples(cli: Cli, place: Path) -> None:
    options = ("--rounds", "1", "--report", "page.html")
    done = cli("benchmark", "a.bundle", "--data", "photos/", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "photos/s from files" in (place / "page.html").read_text("utf-8")
    done = cli("verify", "a.bundle", cwd=place)
    assert done.returncode == 0, done.stderr
    assert "12 golden examples answered as published" in done.stdout


def test_a_board_answers_photos_after_a_deployment(
    cli: Cli, place: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Over a real ssh and rsync; the board is a login to this machine with an empty folder."""
    require()
    with Server(tmp_path_factory.mktemp("sshd")) as server:
        board = server.board("pi")
        deploy = ("deploy", "a.bundle", "pi", "-e", server.ssh, "--no-benchmark", "--json")
        done = cli(*deploy, cwd=place)
        assert done.returncode == 0, done.stderr
        (told,) = json.loads(done.stdout)["boards"]
        assert told["image_files"] is None
        assert told["golden_examples"] > 0
        photo = next((place / "photos" / "disc").glob("*.jpg"))
        (board.home / "photo.jpg").write_bytes(photo.read_bytes())
        program = ".local/share/edge-experts/environment/bin/edge-experts"
        command = f"{program} run {told['bundle']} photo.jpg --json"
        there = subprocess.run(
            [*shlex.split(server.ssh), "pi", command], capture_output=True, encoding="utf-8"
        )
        assert there.returncode == 0, there.stderr
        here = cli("run", "a.bundle", photo, "--json", cwd=place)
        answers = [json.loads(done.stdout) for done in (there, here)]
        assert [one["label"] for one in answers] == [answers[1]["label"]] * 2
        assert [one["score"] for one in answers] == [answers[1]["score"]] * 2


def _weights(path: Path) -> set[bytes]:
    """Weights of 8 bits in a file, except short ones: those of the backbone."""
    opened = interpreter.interpreter_class()(model_content=path.read_bytes())
    opened.allocate_tensors()
    return {
        opened.get_tensor(detail["index"]).tobytes()
        for detail in opened.get_tensor_details()
        if "qconst" in detail["name"] and detail["dtype"] == np.int8 and detail["shape"].prod() > 99
    }


def test_a_head_is_added_and_the_others_stay(cli: Cli, place: Path) -> None:
    write_photos(place / "site", 20, seed=7)
    for command in (
        ("extend", "a.run", "--data", "site/", "--out", "b.run"),
        ("convert", "b.run", "--out", "b.bundle", "--base", "a.bundle"),
    ):
        done = cli(*command, cwd=place)
        assert done.returncode == 0, done.stderr
    before, after = (read_manifest(place / f"{name}.bundle") for name in "ab")
    assert len(after.experts) == len(before.experts) + 1
    assert [one.sha256 for one in after.experts[:-1]] == [one.sha256 for one in before.experts]
    old, new = (_weights(place / f"{name}.bundle" / "router.tflite") for name in "ab")
    assert len(old) >= 2
    assert old <= new, "the integers of the backbone are those of before"

"""A folder of sounds goes to a benchmark in four commands, and every way in gives its answers."""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.serving.load import running
from device_tests.sound_spectra import wav_file
from edge_experts.deploying import deploy
from edge_experts.features.wav_files import read_wav
from edge_experts.runtime import ExpertRuntime
from tests.conftest import Cli
from tests.deploying.sshd import Server, require
from tests.sounds import LABELS, NOISE, RATE, noise, stream, write_sounds


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """A folder with sounds, a run of one network, and a bundle."""
    folder = tmp_path_factory.mktemp("sounds")
    write_sounds(folder / "sounds", 36)
    for command in (
        ("train", "--data", "sounds/", "--out", "a.run", "--dense", "active"),
        ("convert", "a.run", "--out", "a.bundle"),
    ):
        done = cli(*command, cwd=folder)
        assert done.returncode == 0, done.stderr
        (folder / f"{command[0]}.log").write_text(done.stdout + done.stderr)
    return folder


def test_training_tells_the_window_and_the_augmentation(place: Path) -> None:
    told = (place / "train.log").read_text()
    assert "windows of 0.5 s at 16,000 Hz" in told
    assert "--no-augment" in told
    run = json.loads((place / "a.run" / "run.json").read_text())
    assert run["labels"] == [NOISE, *LABELS]
    assert run["feature_settings"]["log_mel"]["rate"] == RATE


def test_it_learned_the_sounds(cli: Cli, place: Path) -> None:
    other = write_sounds(place / "other", 10, seed=5)
    done = cli("evaluate", "a.bundle", "--data", other, "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["accuracy"] >= 0.8
    done = cli("evaluate", "a.bundle", "--data", "sounds", "--json", cwd=place)
    assert json.loads(done.stdout)["left_out"] > 50


def test_files_folders_and_arrays_give_the_same_answers(cli: Cli, place: Path) -> None:
    paths = sorted((place / "sounds" / "chirp").iterdir())[::2][:4]
    with ExpertRuntime(place / "a.bundle") as runtime:
        wanted = [runtime.predict(path.read_bytes()) for path in paths]
    (place / "some").mkdir()
    for path in paths:
        (place / "some" / path.name).write_bytes(path.read_bytes())
    for arguments in (
        ("run", "a.bundle", *paths),
        ("run", "a.bundle", "some"),
        ("run", "a.bundle", "--input", "some"),
    ):
        done = cli(*arguments, "--json", cwd=place)
        assert done.returncode == 0, done.stderr
        answers = [json.loads(line) for line in done.stdout.splitlines()]
        assert [one["score"] for one in answers] == [round(one.score, 6) for one in wanted]
        assert [Path(one["input"]).name for one in answers] == [path.name for path in paths]
    line = json.dumps(read_wav(paths[0])[0].tolist())
    done = cli("run", "a.bundle", "--json", stdin=line + "\n", cwd=place)
    assert json.loads(done.stdout)["score"] == round(wanted[0].score, 6)
    (place / "some" / "broken.wav").write_bytes(b"x")
    done = cli("run", "a.bundle", "some", cwd=place)
    assert done.returncode == 2
    assert "broken.wav: not a WAV file" in done.stderr
    assert len(done.stdout.splitlines()) == len(paths)


def _heard(place: Path, content: bytes, *options: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_experts", "run", "a.bundle", "--listen", *options]
    return subprocess.run(command, input=content, cwd=place, capture_output=True)


def test_a_stream_is_heard_through_a_pipe(place: Path) -> None:
    labels = ["hum", "tick", "hum"]
    samples, middles = stream(labels, np.random.default_rng(3))
    done = _heard(place, samples.tobytes(), "--json", "--threshold", "0.6")
    assert done.returncode == 0, done.stderr
    found = [json.loads(line) for line in done.stdout.splitlines()]
    for label, middle in zip(labels, middles, strict=True):
        assert any(one["label"] == label and abs(one["time"] - middle) < 0.5 for one in found)
    assert b"real-time factor" in done.stderr
    as_wav = _heard(place, wav_file(samples[:, None], RATE), "--json", "--threshold", "0.6")
    assert as_wav.stdout == done.stdout
    cut = _heard(place, samples[: int(RATE * (middles[0] + 0.15))].tobytes(), "--threshold", "0.6")
    assert b"\thum\t" in cut.stdout


def test_a_detection_is_printed_while_the_stream_goes_on(place: Path) -> None:
    """As from a microphone: the pipe stays open."""
    samples, _ = stream(["hum", "hum"], np.random.default_rng(3))
    command = [sys.executable, "-m", "edge_experts", "run", "a.bundle", "--listen"]
    process = subprocess.Popen(
        [*command, "--threshold", "0.6"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        cwd=place,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(samples.tobytes())
    process.stdin.flush()
    assert b" s\t" in process.stdout.readline()
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(60) == 0
    process.stdout.close()


def test_odd_streams_are_refused(cli: Cli, place: Path) -> None:
    assert b"stdin: has no samples" in _heard(place, b"").stderr
    assert b"stdin: is FLAC" in _heard(place, b"fLaC" + bytes(50)).stderr
    assert b"--hop 3: must be from 0.02 to 0.5 s" in _heard(place, b"", "--hop", "3").stderr
    for options, message in (
        (("--threshold", "0.5"), "are for --listen"),
        (("a.wav", "--listen"), "--listen reads stdin"),
        (("--listen", "--input", "no.wav"), "no.wav: no such file"),
    ):
        done = cli("run", "a.bundle", *options, cwd=place)
        assert done.returncode == 2
        assert message in done.stderr


def test_false_alarms_are_counted(cli: Cli, place: Path) -> None:
    (place / "noise.wav").write_bytes(wav_file(noise(20, np.random.default_rng(1)), RATE))
    done = cli("evaluate", "a.bundle", "--listen", "noise.wav", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["seconds"] == 20.25
    counts = [one["false_alarms"] for one in found["thresholds"]]
    assert counts == sorted(counts, reverse=True)
    assert counts[-1] <= 2
    done = cli("evaluate", "a.bundle", "--listen", "noise.wav", cwd=place)
    assert "per hour" in done.stdout
    for options in ((), ("--data", "sounds", "--listen", "noise.wav")):
        done = cli("evaluate", "a.bundle", *options, cwd=place)
        assert done.returncode == 2
        assert "give --data DATA, or --listen FILE.wav" in done.stderr


def test_detected_sounds_are_counted(cli: Cli, place: Path) -> None:
    labels = ["hum", "tick", "hum"]
    samples, middles = stream(labels, np.random.default_rng(3))
    (place / "words.wav").write_bytes(wav_file(samples[:, None], RATE))
    rows = [f"{middle:.3f},{label}" for label, middle in zip(labels, middles, strict=True)]
    (place / "words.csv").write_text("\n".join(["time,label", *rows]) + "\n")
    command = ("evaluate", "a.bundle", "--listen", "words.wav", "--words")
    done = cli(*command, "words.csv", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["thresholds"]
    assert {one["sounds"] for one in found} == {3}
    detected = [one["detected"] for one in found]
    assert detected[0] == 3
    assert detected == sorted(detected, reverse=True)
    assert "3 of 3" in cli(*command, "words.csv", cwd=place).stdout
    for content, wrong in (
        ("when,label\n1,hum\n", "no column 'time'"),
        ("time,label\n1,bell\n", "line 2: the bundle has no label 'bell'"),
        ("time,label\nsoon,hum\n", "line 2: column 'time': 'soon'"),
    ):
        (place / "odd.csv").write_text(content)
        done = cli(*command, "odd.csv", cwd=place)
        assert done.returncode == 2
        assert wrong in done.stderr
    done = cli("evaluate", "a.bundle", "--data", "sounds", "--words", "words.csv", cwd=place)
    assert done.returncode == 2
    assert "--words is for --listen" in done.stderr


def test_the_benchmark_tells_the_real_time_factor(cli: Cli, place: Path) -> None:
    options = ("--rounds", 2, "--report", "page.html")
    done = cli("benchmark", "a.bundle", "--data", "sounds/", "--json", *options, cwd=place)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    grown = told["rows"][0]["growth"]
    assert 0 < grown["anonymous_bytes"] <= grown["bound_bytes"]
    sounds = told["sounds"]
    assert sounds["real_time_factor"] > 0
    assert sounds["window_seconds"] == 0.5
    assert sounds["decode"]["answers"] > 0
    assert "real-time factor" in (place / "page.html").read_text()


def test_the_bundle_is_described(cli: Cli, place: Path) -> None:
    assert cli("verify", "a.bundle", cwd=place).returncode == 0
    done = cli("inspect", "a.bundle", cwd=place)
    assert "kind sound, window 0.5 s at 16000 Hz" in done.stdout
    assert "sound" in (place / "a.bundle" / "MODEL_CARD.md").read_text()


def test_all_downstream_commands_take_sounds(cli: Cli, place: Path) -> None:
    first = next(iter(sorted((place / "sounds" / "hum").iterdir())))
    for command in (
        ("monitor", "a.bundle", "--input", "sounds/hum"),
        ("pack", "a.bundle", "--out", "a.zip"),
        ("install", "a.bundle", "root"),
        ("run", "root", first),
    ):
        done = cli(*command, cwd=place)
        assert done.returncode == 0, (command, done.stderr)


def test_a_board_takes_the_bundle(place: Path, tmp_path: Path) -> None:
    """Over a real ssh; the board answers and listens as this machine does."""
    require()
    path = next(iter(sorted((place / "sounds" / "chirp").iterdir())))
    samples, _ = stream(["hum", "tick"], np.random.default_rng(3))
    options = ("--json", "--threshold", "0.6")
    with Server(tmp_path) as server:
        board = server.board("ears")
        (outcome,) = deploy(place / "a.bundle", ["ears"], ssh=server.ssh, benchmark=False)
        assert outcome.error is None, outcome.error
        assert outcome.golden_examples
        program = board.home / ".local/share/edge-experts/environment/bin/edge-experts"
        command = [str(program), "run", str(outcome.bundle)]
        done = subprocess.run([*command, str(path), "--json"], capture_output=True, check=True)
        heard = subprocess.run(
            [*command, "--listen", *options], input=samples.tobytes(), capture_output=True
        )
    with ExpertRuntime(place / "a.bundle") as runtime:
        wanted = runtime.predict(path.read_bytes())
    assert json.loads(done.stdout)["label"] == wanted.label
    assert json.loads(done.stdout)["score"] == pytest.approx(wanted.score, abs=1e-5)
    assert heard.stdout == _heard(place, samples.tobytes(), *options).stdout != b""


def test_a_server_takes_wav_files(place: Path) -> None:
    path = next(iter(sorted((place / "sounds" / "chirp").iterdir())))
    with ExpertRuntime(place / "a.bundle") as runtime:
        wanted = runtime.predict(path.read_bytes())
    with running(place / "a.bundle") as (_, port):

        def ask(body: bytes, kind: str) -> tuple[int, dict[str, Any]]:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
            headers = {"Content-Type": kind}
            connection.request("POST", "/v2/models/sounds/infer", body, headers)
            response = connection.getresponse()
            return response.status, json.loads(response.read())

        status, told = ask(path.read_bytes(), "audio/wav")
        assert status == 200
        label = next(one for one in told["outputs"] if one["name"] == "label")
        assert label["data"] == [wanted.label]
        status, told = ask(b"no sound", "audio/x-wav")
        assert status == 400
        assert "not a WAV file" in told["error"]
        status, told = ask(path.read_bytes(), "image/png")
        assert status == 415

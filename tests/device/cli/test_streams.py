"""`run` and `monitor` read the files that `train` reads, and broken lines name themselves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edge_experts.datasets.inputs import InputReader
from edge_experts.errors import DataError, UsageError
from edge_experts.features import ArrayFeatures, TableFeatures, restore
from tests.conftest import Cli
from tests.tiny import INPUTS, tiny_bundle

DATA = Path(__file__).parents[2] / "data"
BUNDLES = DATA / "v0_1_0" / "bundles"
TEXTS, TABLE, TRANSLATION = (
    BUNDLES / f"{name}.bundle" for name in ("text", "table", "translation")
)


@pytest.fixture
def bundle(tmp_path: Path) -> Path:
    return tiny_bundle(tmp_path / "tiny.bundle")


def _run(bundle: Path, *options: object, stdin: bytes) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_experts", "run", str(bundle), *map(str, options)]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=300, check=False)


BROKEN = [
    (b"", "the line is empty"),
    (b"   ", "the line is empty"),
    (b"[1", "not JSON"),
    (b'{"a": 1, "a": 2}', "a key stands twice"),
    (b"[1, 2, 3]", "shape"),
    (b'["x", 2]', "number"),
    (b"[1, caf\xe9]", "not UTF-8 (byte 0xe9)"),
    (b"[" * 100_000, "nested too deep"),
]


def test_a_broken_line_names_itself_and_the_stream_goes_on(bundle: Path) -> None:
    lines = [b"[2, 1]", *(part for line, _ in BROKEN for part in (line, b"[-2, 1]"))]
    done = _run(bundle, "--json", stdin=b"".join(line + b"\n" for line in lines))
    assert done.returncode == 2
    answers = [json.loads(one) for one in done.stdout.splitlines()]
    assert all("label" in one for one in answers[::2])
    told = done.stderr.decode()
    assert len(answers) == len(lines)
    for number, (broken, (_, reason)) in enumerate(zip(answers[1::2], BROKEN, strict=True), 1):
        assert broken["line"] == 2 * number
        assert broken["error"].startswith(f"stdin: line {2 * number}: ")
        assert reason in broken["error"]
        assert f"edge-experts: {broken['error']}" in told
    assert f"{len(BROKEN)} of {len(lines)} inputs could not be answered" in told


def test_strict_stops_at_the_first_broken_line(bundle: Path) -> None:
    done = _run(bundle, "--strict", stdin=b"[2, 1]\nnothing\n[-2, 1]\n")
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 1)
    assert b"stdin: line 2: not JSON" in done.stderr


def test_a_file_goes_on_too(bundle: Path, tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\xef\xbb\xbf[2, 1]\n\n[-2, 1]\r\n")
    done = _run(bundle, "--input", path, stdin=b"")
    assert (done.returncode, len(done.stdout.splitlines())) == (2, 2)
    assert f"{path}: line 2: " in done.stderr.decode()


def test_an_argument_is_an_error_at_once(cli: Cli, bundle: Path) -> None:
    done = cli("run", bundle, "[1, 2]", "[1")
    assert done.returncode == 2
    assert "not JSON" in done.stderr


def test_utf_16_is_refused_as_a_whole(bundle: Path) -> None:
    done = _run(bundle, stdin="[2, 1]\n[1, 1]\n".encode("utf-16"))
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"iconv -f utf-16" in done.stderr


def test_closed_stdin_is_said(bundle: Path) -> None:
    command = f"{sys.executable} -m edge_experts run {bundle} <&-"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert done.returncode == 2, done.stderr
    assert "stdin is closed" in done.stderr


@pytest.mark.parametrize("name", ["x_test", "x", "x_train", "anything"])
def test_arrays_of_an_npz(tmp_path: Path, name: str) -> None:
    np.savez(tmp_path / "x.npz", **{name: INPUTS})
    found = [one.value() for one in READERS["array"]().file(tmp_path / "x.npz")]
    assert np.array_equal(found, INPUTS)


def test_arrays_of_an_npz_and_an_npy_are_answered(cli: Cli, bundle: Path, tmp_path: Path) -> None:
    np.savez(tmp_path / "x.npz", x=INPUTS)
    np.save(tmp_path / "x.npy", INPUTS)
    done, same = (cli("run", bundle, "--input", tmp_path / name) for name in ("x.npz", "x.npy"))
    assert done.returncode == 0, done.stderr
    assert done.stdout.replace(".npz", ".npy") == same.stdout


def test_texts_of_a_table_are_its_texts(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text('label,text\npos,"good, really"\nneg,bad\n')
    done = cli("run", TEXTS, "--input", path, "--json")
    plain = cli("run", TEXTS, "good, really", "bad", "--json")
    assert done.returncode == 0, done.stderr
    assert _labels(done.stdout) == _labels(plain.stdout)
    lines = tmp_path / "texts.jsonl"
    lines.write_text('"good, really"\n{"text": "bad", "label": "neg"}\n')
    assert _labels(cli("run", TEXTS, "--input", lines, "--json").stdout) == _labels(plain.stdout)


def _labels(output: str) -> list[tuple[str, float]]:
    return [(one["label"], one["score"]) for one in map(json.loads, output.splitlines())]


def test_a_table_without_the_bundles_column_is_refused(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("sentence,label\ngood,pos\n")
    done = cli("run", TEXTS, "--input", path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "no column text in its header, which the bundle takes; found: sentence" in done.stderr


def test_a_row_that_does_not_fit_names_itself(cli: Cli, tmp_path: Path) -> None:
    path = tmp_path / "texts.csv"
    path.write_text("text,label\ngood,pos\nbad\nfine,pos\nbad,neg,more\n")
    done = cli("run", TEXTS, "--input", path, "--json")
    assert done.returncode == 2
    told = [json.loads(line) for line in done.stdout.splitlines()]
    assert ["error" in one for one in told] == [False, True, False, True]
    assert [one["line"] for one in told if "error" in one] == [3, 5]


def test_a_translation_file_says_the_language_of_each_row(cli: Cli) -> None:
    path = next(DATA.glob("v0_1_0/**/translation.csv"))
    done = cli("run", TRANSLATION, "--input", path, "--json")
    assert done.returncode == 0, done.stderr
    wanted = [line.split(",") for line in path.read_text().splitlines()[1:]]
    assert len(done.stdout.splitlines()) == len(wanted)


def test_monitor_counts_what_it_can_answer(cli: Cli) -> None:
    path = next(DATA.glob("v0_1_0/**/table.csv"))
    done = cli("monitor", TABLE, "--input", path, "--json")
    assert done.returncode == 0, done.stderr
    rows = len(path.read_text().splitlines()) - 1
    assert json.loads(done.stdout)["answers"] == rows


READERS: dict[str, Callable[[], InputReader]] = {
    "array": lambda: InputReader(
        ArrayFeatures.scaled(np.array([[1.5, -2.0], [0.0, 3.0]]), (0.0, 1.0))
    ),
    "table": lambda: InputReader(TableFeatures.fit([{"a": "1"}, {"a": "2"}])),
}


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".npy", ".npz", ".jsonl", ".txt", ""])
@pytest.mark.parametrize("content", [b"", b"\n", b"\0", b"\xff\xfe", b"PK\x03\x04", b"a,b\n1,2\n"])
@pytest.mark.parametrize("kind", READERS)
def test_any_file_is_inputs_or_an_error(
    tmp_path: Path, kind: str, content: bytes, suffix: str
) -> None:
    path = tmp_path / f"file{suffix}"
    path.write_bytes(content)
    reader = READERS[kind]()
    try:
        found = list(reader.file(path))
    except UsageError:
        return
    for one in found:
        assert (one.problem is None) != (one.example is None)


def test_restored_features_read_as_fitted_ones(tmp_path: Path) -> None:
    fitted = TableFeatures.fit([{"a": "1", "b": "x"}, {"a": "2", "b": "y"}])
    again = restore("table", fitted.settings, fitted.arrays)
    path = tmp_path / "rows.csv"
    path.write_text("b,label,a,split\nx,l,1,test\n")
    (one,) = InputReader(again).file(path)
    assert one.value() == {"a": "1", "b": "x"}
    path.write_text("a\n1\n")
    with pytest.raises(DataError, match="no column b"):
        list(InputReader(again).file(path))


@pytest.mark.parametrize("locale", ["C.UTF-8", "POSIX"])
def test_names_that_are_not_utf8_stay_json(bundle: Path, tmp_path: Path, locale: str) -> None:
    path = os.fsencode(tmp_path) + b"/caf\xe9.jsonl"
    Path(os.fsdecode(path)).write_bytes(b"[1\n")
    done = subprocess.run(
        [sys.executable, "-m", "edge_experts", "run", str(bundle), "--input", path, "--json"],
        capture_output=True,
        env={**os.environ, "LC_ALL": locale},
        check=False,
    )
    assert done.returncode == 2
    error = json.loads(done.stdout.decode("utf-8"))["error"]
    assert os.fsencode(error).startswith(path), "the escape is of the name's own bytes"


def test_a_pipe_is_an_input_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = subprocess.Popen(["/bin/sh", "-c", f"printf 'good\\nbad' > {tmp_path}/pipe"])
    done = _run(TEXTS, "--input", tmp_path / "pipe", stdin=b"")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 2), done.stderr
    assert writer.wait(30) == 0


@pytest.mark.parametrize(
    ("name", "told"), [("", "is a folder; name a file"), ("none.txt", "no such file")]
)
def test_what_is_no_file_is_told_apart(tmp_path: Path, name: str, told: str) -> None:
    done = _run(TEXTS, "--input", tmp_path / name, stdin=b"")
    assert done.returncode == 2
    assert told in done.stderr.decode()


def test_a_reader_that_is_gone_ends_a_command_as_its_signal_would(tmp_path: Path) -> None:
    """141 as of `yes | head`; click's own 1 would be a bug's."""
    read, write = os.pipe()
    os.close(read)
    for command, lines in (("run", b"good\n" * 3), ("inspect", b"")):
        done = subprocess.run(
            [sys.executable, "-m", "edge_experts", command, str(TEXTS)],
            input=lines,
            stdout=write,
            stderr=subprocess.PIPE,
            check=False,
        )
        assert (done.returncode, done.stderr) == (141, b"")
    os.close(write)

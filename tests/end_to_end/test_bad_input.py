"""Bad input ends in one clear text, the right exit code, and nothing half written."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from edge_experts.format.manifest import CONTRACT_VERSION, MANIFEST, canonical_digest
from edge_experts.format.manifest_parser import read_manifest
from tests.conftest import Cli

HEADER = "text,label\n"


def check(done: subprocess.CompletedProcess[str], code: int, *words: str) -> None:
    """The exit code, the words that the message must hold, and no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr


def _train(
    cli: Cli, folder: Path, content: str, name: str = "data.csv"
) -> subprocess.CompletedProcess[str]:
    (folder / name).write_text(content)
    done = cli("train", "--data", folder / name, "--out", folder / "out.run")
    assert [path.name for path in folder.iterdir()] == [name], "nothing else may be left"
    return done


def test_a_missing_column_is_named(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, "text,mood\nhi,a\n"), 2, "data.csv", "'label'", "text, mood")


def test_an_empty_file(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, ""), 2, "data.csv", "empty")


def test_a_file_with_a_header_only(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, HEADER), 2, "data.csv", "no rows")


def test_one_class_only(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, HEADER + "hi,a\n" * 50), 2, "one class only", "(a)")


def test_too_few_rows(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, HEADER + "hi,a\nho,b\n"), 2, "2 rows", "at least 10")


def test_a_row_with_other_cells_than_the_header(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, HEADER + "hi,a\nwell, well,b\n"), 2, "line 3", "quotes")


def test_an_empty_label(cli: Cli, tmp_path: Path) -> None:
    check(_train(cli, tmp_path, HEADER + "hi,a\nho,\n"), 2, "line 3", "label is empty")


def test_a_split_that_does_not_exist(cli: Cli, tmp_path: Path) -> None:
    content = "text,label,split\nhi,a,train\nho,b,dev\n"
    check(_train(cli, tmp_path, content), 2, "line 3", "'dev'")


def test_a_file_that_is_not_utf8(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "data.csv").write_bytes(HEADER.encode() + "schön,a\n".encode("latin-1"))
    done = cli("train", "--data", tmp_path / "data.csv", "--out", tmp_path / "out.run")
    check(done, 2, "not UTF-8", "save it as UTF-8")


def test_an_unknown_data_set(cli: Cli, tmp_path: Path) -> None:
    check(cli("train", "--data", "sentimental", "--out", tmp_path / "x"), 2, "sentiment", ".csv")
    check(cli("train", "--data", "none.csv", "--out", tmp_path / "x"), 2, "none.csv: no such file")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("train", "--data", "sentiment", "--out", "x", "--router", "magic"), ["magic", "learned"]),
        (("train", "--data", "sentiment", "--out", "x", "--experts", "0"), ["experts"]),
        (("train", "--data", "sentiment", "--out", "x", "--top-k", "9"), ["top_k", "at most 4"]),
        (("train", "--data", "sentiment", "--out", "x", "--model", "nope:f"), ["nope"]),
        (("train", "--data", "sentiment", "--out", "x", "--config", "nope.toml"), ["nope.toml"]),
        (("convert", "x.run", "--out", "y", "--quantization", "int3"), ["int3", "int8"]),
        (("convert", "x.run", "--out", "y"), ["x.run", "not a run folder"]),
        (("convert", __file__, "--out", "y"), ["test_bad_input.py", "not a run folder"]),
        (("run", "x", "--memory-budget", "lots"), ["lots", "400KB"]),
        (("run", "x", "hello", "--input", "file"), ["not both"]),
        (("benchmark", "x", "--report", "none/r.html"), ["none/r.html", "does not exist"]),
        (("fly",), ["fly"]),
    ],
)
def test_an_unusable_option_is_named(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], words: list[str]
) -> None:
    check(cli(*arguments, cwd=tmp_path), 2, *words)
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_setting_in_a_config_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("expert = 4\n")
    done = cli("train", "--data", "sentiment", "--out", "x", "--config", "c.toml", cwd=tmp_path)
    check(done, 2, "c.toml", "expert")


def test_an_existing_folder_is_not_overwritten_unless_told(cli: Cli, bundle: Path) -> None:
    before = (bundle / MANIFEST).read_bytes()
    done = cli("train", "--data", "sentiment", "--out", bundle)
    check(done, 2, "exists already", "--force")
    assert (bundle / MANIFEST).read_bytes() == before


def test_a_folder_that_is_no_bundle(cli: Cli, tmp_path: Path) -> None:
    for command in ("run", "inspect", "verify", "benchmark"):
        check(cli(command, tmp_path), 3, "manifest.json")
        check(cli(command, tmp_path / "none"), 3, "no such bundle")


@pytest.mark.parametrize("share", [0, 0.5, 0.99])
def test_a_truncated_file(cli: Cli, bundle: Path, share: float) -> None:
    for entry in read_manifest(bundle).files:
        path = bundle / entry.path
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])
        check(cli("verify", bundle), 3, entry.path, f"must have {entry.bytes}")
        path.write_bytes(content)


def test_one_flipped_bit_in_any_file(cli: Cli, bundle: Path) -> None:
    manifest = read_manifest(bundle)
    for name in [MANIFEST, *(entry.path for entry in manifest.files)]:
        path = bundle / name
        content = bytearray(path.read_bytes())
        for position in (0, len(content) // 2, len(content) - 1):
            if name == MANIFEST and content[position : position + 1].isspace():
                continue  # space between two values says nothing
            content[position] ^= 4
            path.write_bytes(content)
            check(cli("verify", bundle), 3, name)
            content[position] ^= 4
        path.write_bytes(content)
    check(cli("verify", bundle), 0)


def test_a_damaged_expert_never_reaches_the_interpreter(cli: Cli, bundle: Path) -> None:
    for entry in read_manifest(bundle).experts:
        path = bundle / entry.path
        content = bytearray(path.read_bytes())
        content[1000:1512] = bytes(512)  # a sector that was never written
        path.write_bytes(content)
    check(cli("run", bundle, "a film to remember"), 3, "experts/00", "damaged")


def test_a_changed_character_in_a_label(cli: Cli, bundle: Path) -> None:
    path = bundle / MANIFEST
    path.write_text(path.read_text().replace('"negative"', '"nagative"'))
    for command in ("run", "verify", "inspect"):
        check(cli(command, bundle), 3, "changed since it was published")


def test_a_manifest_that_points_outside_its_folder(cli: Cli, bundle: Path) -> None:
    path = bundle / MANIFEST
    content = json.loads(path.read_text())
    content["router"]["path"] = "../router.tflite"
    content["digest"] = canonical_digest(content)
    path.write_text(json.dumps(content))
    check(cli("run", bundle, "hello"), 3, "must stay inside")


def test_a_bundle_of_a_newer_format(cli: Cli, bundle: Path) -> None:
    path = bundle / MANIFEST
    content = path.read_text()
    newer = content.replace(f'"format_version": "{CONTRACT_VERSION}"', '"format_version": "3.0"')
    assert newer != content
    path.write_text(newer)
    check(cli("run", bundle, "hello"), 3, "install a newer edge-experts")


def test_no_network(cli: Cli, tmp_path: Path) -> None:
    env = {
        "EDGE_EXPERTS_CACHE": str(tmp_path / "cache"),
        "PIP_INDEX_URL": "http://127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_FIND_LINKS": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    done = cli("train", "--data", "sentiment", "--out", tmp_path / "x.run", env=env)
    check(done, 6, "cannot download", "Check the network", str(tmp_path / "cache"))
    assert list((tmp_path / "cache").iterdir()) == []
    assert not (tmp_path / "x.run").exists()


def test_another_file_than_expected_from_the_index_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from edge_experts.datasets import fetch
    from edge_experts.errors import NetworkError

    monkeypatch.setenv("EDGE_EXPERTS_CACHE", str(tmp_path))
    with pytest.raises(NetworkError, match="is not the expected one"):
        fetch.source_package("vaderSentiment==3.3.2", "vaderSentiment-3.3.2.tar.gz", "0" * 64)
    assert list(tmp_path.iterdir()) == []


def _no_large_files() -> None:
    """What a full disk looks like: no file may grow beyond 100 kB."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))


def test_a_full_disk_leaves_no_half_bundle(cli: Cli, tmp_path: Path, sentiment_run: Path) -> None:
    done = cli("convert", sentiment_run, "--out", tmp_path / "b", preexec_fn=_no_large_files)
    assert "Traceback" not in done.stderr
    assert done.returncode == 6, done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_while_printing(sentiment_bundle: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "edge_experts", "run", str(sentiment_bundle), "hello"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    check(done, 6, "No space left")


def test_a_folder_without_permission(cli: Cli, tmp_path: Path, sentiment_run: Path) -> None:
    done = cli("convert", sentiment_run, "--out", "/proc/nowhere.bundle")
    check(done, 6, "/proc")


def test_a_reader_that_has_enough(sentiment_bundle: Path) -> None:
    command = f"yes fine | {sys.executable} -m edge_experts run {sentiment_bundle} | head -2"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, text=True, check=True, timeout=60
    )
    assert len(done.stdout.splitlines()) == 2
    assert "Traceback" not in done.stderr
    assert "BrokenPipe" not in done.stderr


def test_ctrl_c_ends_with_130(sentiment_bundle: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "edge_experts", "run", str(sentiment_bundle)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A suite that runs in the background ignores it, and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("fine\n")
    process.stdin.flush()
    assert process.stdout.readline()  # the answer comes while stdin is still open
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in errors


def test_a_missing_extra_prints_the_command_that_installs_it(tmp_path: Path) -> None:
    """A fresh environment with numpy and typer but no interpreter."""
    hide = "import sys; sys.modules.update(tflite_runtime=None, ai_edge_litert=None)"
    code = (
        f"{hide}; sys.argv = ['edge-experts', 'doctor']; from edge_experts.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    check(done, 4, "edge-experts[device]", "pip install")

"""Whatever comes as text to be translated: an answer for each line, or a clear error; in time."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import unicodedata
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge_experts import ExpertRuntime
from edge_experts.cli.device.tasks import translation
from edge_experts.cli.device.watch import Watch
from edge_experts.format.limits import LIMITS

ODD = [
    "",
    " ",
    "\0",
    "\x1b[2J",
    "\u202e",
    "\ufeff",
    "\ufffd",
    "\u65e5\u672c",
    "\U0001f642",
    "a\u0301",
    "!?.",
]
LINES = st.lists(st.sampled_from([*ODD, "open", "the file", "print. close."]), max_size=6).map(
    "".join
)


@pytest.fixture(scope="module")
def runtime(translator_bundle: Path) -> Iterator[ExpertRuntime]:
    with ExpertRuntime(translator_bundle) as runtime:
        yield runtime


def _translated(runtime: ExpertRuntime, texts: list[str] | None, *, json: bool) -> tuple[str, str]:
    """What goes to stdout and to stderr."""
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        translation.run(runtime, texts, None, {"--to": "de"}, Watch(runtime, json=json), json=json)
    return out.getvalue(), err.getvalue()


@settings(max_examples=40)
@given(st.lists(LINES, min_size=1, max_size=3))
def test_every_line_has_an_answer(runtime: ExpertRuntime, texts: list[str]) -> None:
    out, err = _translated(runtime, texts, json=False)
    assert err == ""
    *lines, last = out.split("\n")
    assert (len(lines), last) == (len(texts), "")
    assert not any(unicodedata.category(one) in ("Cc", "Cf") for line in lines for one in line)


@settings(max_examples=40)
@given(st.binary(max_size=60))
def test_any_bytes_are_lines(runtime: ExpertRuntime, content: bytes) -> None:
    content = b"open\n" + content
    with mock.patch.object(sys, "stdin", io.TextIOWrapper(io.BytesIO(content))):
        out, _ = _translated(runtime, None, json=True)
    told = [json.loads(line) for line in out.split("\n")[:-1]]
    lines = [line.rstrip(b"\r") for line in content.removesuffix(b"\n").split(b"\n")]
    assert len(told) == len(lines)
    for number, (one, line) in enumerate(zip(told, lines, strict=True), 1):
        if "error" in one:
            assert one["line"] == number
            continue
        assert one["text"].encode() == line
        parts = runtime.features.sentences(one["text"])  # type: ignore[attr-defined]
        wanted = [runtime.predict((part, "de")).text for part in parts]
        assert (one["sentences"], one["translation"]) == (len(parts), " ".join(wanted))


@settings(max_examples=25)
@given(st.text(max_size=80))
def test_any_text_is_an_example(runtime: ExpertRuntime, text: str) -> None:
    for sentence in runtime.features.sentences(text):  # type: ignore[attr-defined]
        answer = runtime.predict((sentence, "fr"))
        assert 0 < answer.score <= 1
        assert answer.text == " ".join(answer.text.split())


def _run(
    bundle: Path, *options: str, stdin: bytes, patience: float = 300
) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "edge_experts", "run", str(bundle), *options]
    return subprocess.run(command, input=stdin, capture_output=True, timeout=patience, check=False)


def test_a_line_that_is_no_text_names_itself_and_leaves_its_place(translator_bundle: Path) -> None:
    """Latin-1, NUL, a byte order mark, a carriage return, and no end of the last line."""
    stdin = b"\xef\xbb\xbfopen the file\r\nopen the caf\xe9\nopen\0the file\nopen the file"
    done = _run(translator_bundle, "--to", "de", stdin=stdin)
    assert (done.returncode, done.stdout.count(b"\n")) == (2, 4), done.stderr
    marked, broken, _, plain = done.stdout.decode().splitlines()
    assert marked == plain == "\u00f6ffne die datei"
    assert broken == ""
    assert b"stdin: line 2: not UTF-8 (byte 0xe9)" in done.stderr
    assert b"1 of 4 inputs could not be answered" in done.stderr


def test_ten_thousand_words_are_translated_in_parts(translator_bundle: Path) -> None:
    """Of which it has learned none to be so long; each has some answer, and that ends."""
    done = _run(translator_bundle, "--to", "de", stdin=b"open the old file " * 2500)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 1), done.stderr
    assert len(done.stdout.split()) > 100


def test_another_language_is_answered(translator_bundle: Path) -> None:
    """Nobody finds out that it is one; but what is written ends."""
    texts = ("\u30d5\u30a1\u30a4\u30eb\u3092\u958b\u304f", "\u041e\u0442\u043a\u0440\u043e\u0439")
    stdin = "".join(f"{text}\n" for text in texts).encode()
    done = _run(translator_bundle, "--to", "fr", stdin=stdin)
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 2), done.stderr


def test_a_text_that_is_too_long_is_left_out_and_said(translator_bundle: Path) -> None:
    stdin = b"a" * 100_001 + b"\nopen the file\n"
    done = _run(translator_bundle, "--to", "de", stdin=stdin)
    assert done.returncode == 2
    assert done.stdout.decode().splitlines() == ["", "\u00f6ffne die datei"]
    assert b"stdin: line 1: a text must have at most 100,000 characters" in done.stderr


@pytest.mark.parametrize("more", [0, 1])
def test_a_line_beyond_the_limit_is_passed_over(translator_bundle: Path, more: int) -> None:
    """At the limit it is a text that is too long, beyond it not even read."""
    stdin = b"\0" * (LIMITS.line_characters + more) + b"\nopen the file\n"
    done = _run(translator_bundle, "--to", "de", stdin=stdin)
    assert done.returncode == 2, done.stderr
    assert done.stdout.decode().splitlines() == ["", "\u00f6ffne die datei"]
    assert (b"a line must have at most 67,108,864 characters" in done.stderr) == bool(more)

"""`chat` on a pseudo-terminal, and with lines of a pipe."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge_experts import ExpertRuntime
from edge_experts.features.chat_template import Message
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt
from tests.language import sentence

from ...conftest import Cli

# A board's speed: an answer must last long enough to be stopped.
_SLOW = """
import time
from edge_experts.runtime.tasks.language_model.sampling import Sampler
choose = Sampler.choose
def slowly(*arguments):
    time.sleep(0.05)
    return choose(*arguments)
Sampler.choose = slowly
from edge_experts.cli import main
main()
"""
_PATIENCE = 60


class Terminal:
    """A program on a pseudo-terminal, whose Ctrl-C is a signal."""

    def __init__(self, *command: object):
        self._own, other = pty.openpty()

        def controlled() -> None:
            os.setsid()
            # In the background of a script, a shell has its programs ignore interrupts.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            fcntl.ioctl(other, termios.TIOCSCTTY, 0)

        self.process = subprocess.Popen(
            [sys.executable, *map(str, command)],
            stdin=other,
            stdout=other,
            stderr=other,
            preexec_fn=controlled,
            env={**os.environ, "TERM": "dumb"},
        )
        os.close(other)
        self.text = ""

    def until(self, pattern: str) -> str:
        """Read until the new text has the pattern; return what was read."""
        read, end = "", time.monotonic() + _PATIENCE
        while not re.search(pattern, read):
            ready, _, _ = select.select([self._own], [], [], max(0, end - time.monotonic()))
            assert ready, f"no {pattern!r} in {read!r}"
            try:
                part = os.read(self._own, 4096)
            except OSError:  # the program has ended
                part = b""
            assert part, f"ended without {pattern!r}: {read!r}"
            read += part.decode(errors="replace").replace("\r\n", "\n")
        self.text += read
        return read

    def interrupt_prompt(self) -> None:
        """Press Ctrl-C until something is written.

        GNU readline loses a signal that comes between the prompt and its wait for a key.
        """
        ready: list[int] = []
        while not ready:
            self.type("\x03")
            ready, _, _ = select.select([self._own], [], [], 2)

    def type(self, text: str) -> None:
        os.write(self._own, text.encode())

    def end(self) -> int:
        """Read to the end; return the exit code."""
        with contextlib.suppress(OSError):
            while part := os.read(self._own, 4096):
                self.text += part.decode(errors="replace")
        return self.process.wait(_PATIENCE)

    def close(self) -> None:
        os.close(self._own)
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@contextlib.contextmanager
def talking(*command: object) -> Iterator[Terminal]:
    terminal = Terminal(*command)
    try:
        yield terminal
    finally:
        terminal.close()


def _answer(bundle: Path, count: int, *contents: str) -> str:
    """The runtime's answer to messages in turn."""
    roles = ("user", "assistant")
    messages = tuple(Message(roles[n % 2], text) for n, text in enumerate(contents))
    with ExpertRuntime(bundle) as runtime:
        answer = runtime.predict(Prompt("", count, messages=messages))
        assert isinstance(answer, Continued)
        return answer.text


def test_a_conversation_on_a_terminal(chat_bundle: Path) -> None:
    first = _answer(chat_bundle, 9, sentence(0, 6))
    second = _answer(chat_bundle, 9, sentence(0, 6), first, " red")
    command = ("-m", "edge_experts", "chat", chat_bundle, "--max-tokens", 9)
    with talking(*command) as terminal:
        assert "Ctrl-C stops an answer" in terminal.until("> $")
        terminal.type(sentence(0, 6) + "\n")
        said = terminal.until(r"\n> $")
        assert f"\n{first}\n[cut at 9 tokens; --max-tokens allows more]\n" in said
        terminal.type(" red\n")
        assert f"\n{second}\n" in terminal.until(r"\n> $")
        terminal.type("/reset\n")
        terminal.until("> $")
        terminal.type(sentence(0, 6) + "\n")
        assert f"\n{first}\n" in terminal.until(r"\n> $")
        terminal.interrupt_prompt()
        assert "/exit or Ctrl-D ends the chat" in terminal.until(r"\n> $")
        terminal.type("/exit\n")
        assert terminal.end() == 0


def test_ctrl_c_stops_the_answer_and_not_the_program(chat_bundle: Path) -> None:
    with talking("-c", _SLOW, "chat", chat_bundle) as terminal:
        terminal.until("> $")
        terminal.type(sentence(0, 6) + "\n")
        terminal.until("日本")
        terminal.type("\x03")
        said = terminal.until(r"\n> $")
        assert "[stopped]" in said
        assert len(said) < 60
        terminal.type(" red\n")  # after what was written of the first answer
        terminal.until("größer")
        terminal.type("\x03")
        terminal.until(r"\[stopped\]\n> $")
        terminal.type("\x04")
        assert terminal.end() == 0


def test_ctrl_c_twice_ends_the_program(chat_bundle: Path) -> None:
    slower = _SLOW.replace("0.05", "1.5")
    with talking("-c", slower, "chat", chat_bundle) as terminal:
        terminal.until("> $")
        terminal.type(sentence(0, 6) + "\n")
        terminal.until("\n")
        time.sleep(1)
        terminal.type("\x03")
        time.sleep(0.2)
        terminal.type("\x03")
        assert terminal.end() == 130


def test_a_full_context_is_said(chat_bundle: Path) -> None:
    with talking("-m", "edge_experts", "chat", chat_bundle, "--context", 40) as terminal:
        terminal.until("> $")
        terminal.type(sentence(0, 16) + "\n")
        said = terminal.until(r"\n> $")
        assert "[the context of 40 tokens is full; /reset begins a new conversation]" in said
        terminal.type("red\n")
        said = terminal.until(r"\n> $")
        assert "and the context takes 40" in said
        assert "/reset begins a new conversation." in said
        terminal.type("/reset\nred cat\n")
        terminal.until(r"past.*\n.*\n> $")
        terminal.type("\x04")
        assert terminal.end() == 0


def _piped(bundle: Path, text: str, *options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "edge_experts", "chat", str(bundle), *map(str, options)],
        input=text,
        capture_output=True,
        text=True,
        timeout=_PATIENCE,
        check=False,
    )


def test_lines_of_a_pipe_are_messages(chat_bundle: Path) -> None:
    first = _answer(chat_bundle, 9, "red cat")
    done = _piped(chat_bundle, "red cat\n\n/reset\nred cat\n/exit\nnot read\n", "--max-tokens", 9)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"{first}\n{first}\n"
    long = _piped(chat_bundle, sentence(0, 100) + "\nred\n")
    assert long.returncode == 2
    assert "the context takes" in long.stderr


def test_an_installed_bundle_chats(chat_bundle: Path, tmp_path: Path, cli: Cli) -> None:
    root = tmp_path / "installed"
    done = cli("install", chat_bundle, root)
    assert done.returncode == 0, done.stderr
    piped = _piped(root, "red cat\n", "--max-tokens", 9)
    assert piped.stdout == f"{_answer(chat_bundle, 9, 'red cat')}\n", piped.stderr


def test_system_and_sampling(chat_bundle: Path) -> None:
    messages = (Message("system", sentence(0, 4)), Message("user", sentence(4, 2)))
    with ExpertRuntime(chat_bundle) as runtime:
        wanted = runtime.predict(Prompt("", 9, messages=messages))
    assert isinstance(wanted, Continued)
    options = ("--system", sentence(0, 4), "--max-tokens", 9)
    assert _piped(chat_bundle, sentence(4, 2), *options).stdout == f"{wanted.text}\n"
    random = ("--temperature", 3, "--seed", 5, *options)
    drawn = [_piped(chat_bundle, sentence(4, 2), *random).stdout for _ in range(2)]
    assert drawn[0] == drawn[1] != f"{wanted.text}\n"


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--temperature", -1), "temperature must be"), (("--max-tokens", -1), "max_tokens must be")],
)
def test_bad_options_are_named(
    chat_bundle: Path, cli: Cli, options: tuple[object, ...], message: str
) -> None:
    done = cli("chat", chat_bundle, *options)
    assert done.returncode == 2
    assert message in done.stderr


def test_bundles_that_do_not_chat_are_refused(
    language_bundle: Path, sentiment_bundle: Path, cli: Cli
) -> None:
    done = cli("chat", language_bundle)
    assert done.returncode == 2
    assert "has no chat template: it continues texts (edge-experts run" in done.stderr
    done = cli("chat", sentiment_bundle)
    assert done.returncode == 2
    assert "chat is for language models, and this bundle is of classification" in done.stderr

"""A conversation with a language model on the terminal."""

from __future__ import annotations

import contextlib
import re
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import cast

from ....errors import ContextError, MemoryBudgetError, UsageError
from ....features.chat_template import Message
from ....runtime import ExpertRuntime
from ....runtime.installed import InstalledRuntime
from ....runtime.tasks.language_model import LanguageModel
from ....runtime.tasks.language_model.continuation import LENGTH, Continuation, Prompt
from ....runtime.tasks.language_model.sampling import Sampling
from ..watch import Watch

_EXIT, _RESET = "/exit", "/reset"
# All but line feeds and tabs: a model may write what moves the terminal's cursor.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def chat(
    runtime: ExpertRuntime | InstalledRuntime,
    system: str | None,
    max_tokens: int,
    stop: tuple[str, ...],
    sampling: Sampling,
) -> None:
    """Answer lines of stdin until its end.

    Raises:
        UsageError: the bundle has no chat template, or an option is invalid; also a message that
            cannot be answered, if stdin is not a terminal.
    """
    task = runtime.task
    assert isinstance(task, LanguageModel)
    task.vocabulary.require_chat()
    settings = Prompt("", max_tokens, stop, sampling)
    conversation = Conversation(runtime, settings, system)
    is_terminal = sys.stdin.isatty()
    if is_terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  editing and history of lines
        _tell(f"Ctrl-C stops an answer; {_RESET} begins anew; {_EXIT} or Ctrl-D ends the chat.")
    for line in _lines(is_terminal):
        if line.strip() == _RESET:
            conversation.reset()
            continue
        try:
            conversation.answer(line)
        except MemoryBudgetError:
            raise
        except UsageError as error:
            if not is_terminal:
                raise
            remedy = f" {_RESET} begins a new conversation." if _is_full(error) else ""
            _tell(f"edge-experts: {error}.{remedy}")


class Conversation:
    """Messages so far, and their answers on stdout.

    Args:
        settings: of each answer.
        system: instructions before the first message.
    """

    def __init__(
        self, runtime: ExpertRuntime | InstalledRuntime, settings: Prompt, system: str | None
    ):
        self._runtime, self._settings = runtime, settings
        self._first = () if system is None else (Message("system", system),)
        self._watch = Watch(runtime)
        self.reset()

    def reset(self) -> None:
        """Forget all messages but the instructions."""
        self.messages: tuple[Message, ...] = self._first

    def answer(self, text: str) -> None:
        """Print the answer to a message; one that cannot be answered is forgotten.

        Raises:
            UsageError: the conversation is too long, or the chat template refuses it.
        """
        messages = (*self.messages, Message("user", text))
        settings = self._settings
        prompt = Prompt("", settings.max_tokens, settings.stop, settings.sampling, messages)
        with self._runtime.held() as opened, _interrupts() as interrupts:
            stream = cast("Continuation", opened.stream(prompt))
            for part in stream:
                print(_CONTROL.sub("?", part), end="", flush=True)
                if interrupts:
                    stream.close()
                    break
            else:
                self._watch.look(stream.answer())
            print(flush=True)
            task = opened.task
            assert isinstance(task, LanguageModel)
            self._say_why(stream, task.context, bool(interrupts))
        self.messages = (*messages, Message("assistant", stream.text))

    def _say_why(self, stream: Continuation, context: int, is_stopped: bool) -> None:
        """Say why an answer is not complete."""
        if is_stopped:
            _tell("[stopped]")
        elif stream.finish_reason == LENGTH:
            if stream.prompt_tokens + len(stream.token_ids) >= context:
                _tell(
                    f"[the context of {context:,} tokens is full; {_RESET} begins a new "
                    "conversation]"
                )
            else:
                _tell(f"[cut at {self._settings.max_tokens:,} tokens; --max-tokens allows more]")


def _lines(is_terminal: bool) -> Iterator[str]:
    """Yield lines that are not empty, until the end of stdin or the command to end."""
    while True:
        try:
            line = input("> " if is_terminal else "")
        except EOFError:
            if is_terminal:
                print()
            return
        except KeyboardInterrupt as interrupt:
            if not is_terminal or type(interrupt) is not KeyboardInterrupt:
                raise
            _tell(f"\n[{_EXIT} or Ctrl-D ends the chat]")
            continue
        if line.strip() == _EXIT:
            return
        if line.strip():
            yield line


@contextlib.contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect SIGINT in a list instead of raising an exception; the second one raises it.

    An exception amid a token would leave keys and values half-written.
    """
    received: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, note)
    try:
        yield received
    finally:
        signal.signal(signal.SIGINT, before)


def _is_full(error: UsageError) -> bool:
    return isinstance(error, ContextError)


def _tell(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)

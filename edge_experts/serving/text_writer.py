"""Continuations of prompts for many clients at a time, each written by a separate thread."""

from __future__ import annotations

import asyncio
import contextlib
import weakref
from concurrent.futures import Future, ThreadPoolExecutor
from time import perf_counter
from typing import TYPE_CHECKING, cast

from starlette.types import Receive

from ..runtime import Answer, ExpertRuntime
from ..runtime.installed import InstalledRuntime
from .server_metrics import ModelMetrics
from .service import OverloadedError, Service, disconnection

if TYPE_CHECKING:
    from ..runtime.tasks.language_model.continuation import Continuation, Prompt


class Writing:
    """Continuation of one prompt, written by a thread and read by the event loop.

    Args:
        seconds: limit for the request, with its time in the queue.

    Attributes:
        prompt_tokens, completion_tokens, finish_reason: as of `Continued`, at the end of the text.
        answer: the whole answer; None if the time limit or the client ended it.
        begin: time of the request's arrival.
    """

    def __init__(self, prompt: Prompt, seconds: float):
        self.begin = perf_counter()
        self._prompt, self._seconds = prompt, seconds
        self._loop = asyncio.get_running_loop()
        # A few bytes a token: a slow reader does not keep the thread and its cache.
        self._parts = asyncio.Queue[str | Exception | None]()
        self._future: Future[None] | None = None
        self._at_end = contextlib.ExitStack()
        self.is_cancelled = False
        self.prompt_tokens = self.completion_tokens = 0
        self.finish_reason = "length"
        self.answer: Answer | None = None

    def start(self, service: Service, threads: ThreadPoolExecutor, receive: Receive) -> None:
        """Enter the queue; `end` must be called.

        Args:
            receive: the request's ASGI function, whose body has been read.

        Raises:
            OverloadedError: the queue is full.
        """
        self._at_end.enter_context(service.place())
        self._future = threads.submit(self._run, service.runtime, service.metrics)
        self._at_end.callback(self.cancel)
        self._at_end.callback(asyncio.create_task(self._watch(receive)).cancel)

    async def part(self) -> str | None:
        """Wait for the next part of the text; None at its end.

        Raises:
            UsageError: the prompt is too long.
            OverloadedError: the time limit was reached before a thread was free.
            EdgeExpertsError, MemoryError, OSError: what `ExpertRuntime.stream` raises.
        """
        part = await self._parts.get()
        if isinstance(part, Exception):
            raise part
        return part

    def cancel(self) -> None:
        """Stop writing at the next token, or leave the queue."""
        self.is_cancelled = True
        if self._future is not None and self._future.cancel():
            self._future = None
            self._parts.put_nowait(None)

    def end(self) -> None:
        """Cancel what is not written yet, and free the place in the queue; may be repeated."""
        self._at_end.close()

    @property
    def _is_late(self) -> bool:
        return perf_counter() - self.begin > self._seconds

    async def _watch(self, receive: Receive) -> None:
        """Cancel when the client disconnects."""
        await disconnection(receive)
        self.cancel()

    def _run(self, runtime: ExpertRuntime | InstalledRuntime, metrics: ModelMetrics) -> None:
        try:
            if self._is_late:
                raise OverloadedError(
                    f"the request waited {self._seconds:g} s in the queue; try again later"
                )
            with runtime.held() as opened:
                # Its routes were chosen by the task, whose streams are continuations.
                stream = cast("Continuation", opened.stream(self._prompt))
                try:
                    self._write(stream)
                finally:
                    metrics.wrote(stream.prompt_tokens, len(stream.token_ids))
        except Exception as error:
            self._tell(error)
        else:
            self._tell(None)

    def _write(self, stream: Continuation) -> None:
        for text in stream:
            if text:
                self._tell(text)
            if self.is_cancelled or self._is_late:
                stream.close()
                break
        else:
            self.answer, self.finish_reason = stream.answer(), stream.finish_reason
        self.prompt_tokens = stream.prompt_tokens
        self.completion_tokens = len(stream.token_ids)

    def _tell(self, part: str | Exception | None) -> None:
        with contextlib.suppress(RuntimeError):  # the loop has been closed
            self._loop.call_soon_threadsafe(self._parts.put_nowait, part)


class TextWriter:
    """Threads that continue prompts, in the order of their arrival.

    Args:
        sequences: number of threads; the runtime has as many caches.
        seconds: see `Writing`.
    """

    def __init__(self, service: Service, *, sequences: int, seconds: float):
        self._service, self._seconds = service, seconds
        self._threads = ThreadPoolExecutor(sequences, "texts")
        self._writings = weakref.WeakSet[Writing]()

    def start(self, prompt: Prompt, receive: Receive) -> Writing:
        """Start to continue a prompt; see `Writing.start`."""
        writing = Writing(prompt, self._seconds)
        writing.start(self._service, self._threads, receive)
        self._writings.add(writing)
        return writing

    def close(self) -> None:
        """End all continuations at their next tokens."""
        for writing in list(self._writings):
            writing.cancel()
        self._threads.shutdown()

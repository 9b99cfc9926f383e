"""Inference for many clients: a bounded queue in front of one runtime."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from time import perf_counter
from typing import Any

from starlette.requests import ClientDisconnect
from starlette.types import Receive

from ..errors import UsageError
from ..runtime import Answer, ExpertRuntime
from ..runtime.installed import InstalledRuntime
from .server_metrics import ModelMetrics


class OverloadedError(Exception):
    """The queue is full; the client should retry later."""


async def disconnection(receive: Receive) -> None:
    """Wait until the client of a request disconnects."""
    while (await receive())["type"] != "http.disconnect":
        pass


class Service:
    """A runtime that answers requests one at a time, with a bounded queue.

    Under overload, an unbounded queue makes every answer later and fills the memory. With a bound
    most requests are answered in time, and the others are rejected at once.

    Args:
        runtime: closed by `close`.
        queue: largest number of requests that wait or are answered at a time.
        most_parts: largest number of parts of a request: sentences, where texts are answered
            sentence by sentence.
        name: of the model, in requests; the bundle's by default.
    """

    def __init__(
        self,
        runtime: ExpertRuntime | InstalledRuntime,
        *,
        queue: int,
        most_parts: int,
        metrics: ModelMetrics,
        name: str | None = None,
    ):
        self.runtime, self._most_parts = runtime, most_parts
        self.name = runtime.manifest.name if name is None else name
        self._queue, self._waiting, self.metrics = queue, 0, metrics
        # The event loop must not wait for the interpreter.
        self._thread = ThreadPoolExecutor(1, "answers")

    async def answer(self, examples: Sequence[Any], receive: Receive | None = None) -> list[Answer]:
        """Answers in the examples' order.

        Args:
            receive: the request's ASGI function, whose body has been read; without it a client that
                disconnects is not noticed.

        Raises:
            OverloadedError: too many requests wait.
            ClientDisconnect: the client disconnected before its turn came.
            UsageError: the examples have too many parts.
            EdgeExpertsError: what `predict` raises.
        """
        begin = perf_counter()
        with self.place():
            asked = self._thread.submit(self._ask, examples)
            answered = asyncio.wrap_future(asked)
            left = asyncio.ensure_future(disconnection(receive) if receive else asyncio.Future())
            try:
                await asyncio.wait((answered, left), return_when=asyncio.FIRST_COMPLETED)
                if left.done() and asked.cancel():
                    raise ClientDisconnect
                answers = await answered
            finally:
                left.cancel()
                asked.cancel()
        self.metrics.answered(answers, perf_counter() - begin)
        for answer in answers:
            self.metrics.wrote(answer.prompt_tokens or 0, answer.tokens or 0)
        return answers

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Hold a place in the queue.

        Raises:
            OverloadedError: too many requests wait.
        """
        if self._waiting >= self._queue:
            raise OverloadedError(f"{self._queue} requests wait already; try again later")
        self._waiting += 1
        self.metrics.waiting.set(self._waiting)
        try:
            yield
        finally:
            self._waiting -= 1
            self.metrics.waiting.set(self._waiting)

    def _ask(self, examples: Sequence[Any]) -> list[Answer]:
        task, asked = self.runtime.task, list[Any]()
        ends = []
        for example in examples:
            asked += task.parts(example)
            ends.append(len(asked))
            if len(asked) > self._most_parts:
                raise UsageError(
                    f"a request may hold at most {self._most_parts} sentences in all; "
                    "split it into several requests"
                )
        answers = self.runtime.predict_batch(asked)
        return [task.joined(answers[start:end]) for start, end in pairwise([0, *ends])]

    def close(self) -> None:
        """Answer the waiting requests, then free the runtime."""
        self._thread.shutdown()
        self.runtime.close()

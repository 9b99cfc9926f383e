"""A server of a language model in a thread of the test, whose threads, files and caches it counts.

Its model takes a while for each token, so that a text is in progress when something happens to it.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import uvicorn

from edge_experts import ExpertRuntime
from edge_experts.runtime.tasks.language_model.continuation import Prompt
from edge_experts.serving import connections
from edge_experts.serving.routes import make_app
from edge_experts.serving.served_models import ServedModels
from edge_experts.serving.server_metrics import Metrics, ModelMetrics
from edge_experts.serving.server_options import ServerOptions
from edge_experts.serving.service import Service
from edge_experts.serving.task_routes import task_routes

OPTIONS = {
    "host": "127.0.0.1",
    "port": 0,
    "queue": 64,
    "most_bytes": 1_000_000,
    "most_examples": 10,
    "grace": 5,
    "sequences": 2,
}


class SlowRuntime:
    """A runtime whose streams pause after each token, and may write very long tokens."""

    def __init__(self, runtime: ExpertRuntime, seconds: float, padding: int = 0):
        self._runtime, self._seconds, self._padding = runtime, seconds, padding
        self.streams: list[Any] = []
        self.order: list[int] = []  # of the streams that wrote a token

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    @contextlib.contextmanager
    def held(self) -> Iterator[SlowRuntime]:
        yield self

    def stream(self, prompt: Prompt) -> _SlowStream:
        return _SlowStream(self, self._runtime.stream(prompt), self._seconds, self._padding)


class _SlowStream:
    def __init__(self, runtime: SlowRuntime, stream: Any, seconds: float, padding: int):
        self._runtime, self._stream = runtime, stream
        self._seconds, self._padding = seconds, padding
        self._number = len(runtime.streams)
        self.is_closed = False
        runtime.streams.append(self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def __iter__(self) -> Iterator[str]:
        for text in self._stream:
            time.sleep(self._seconds)
            self._runtime.order.append(self._number)
            yield text + " " * self._padding

    def close(self) -> None:
        self.is_closed = True
        self._stream.close()


@contextlib.contextmanager
def serving(
    bundle: Path, seconds: float = 0.02, padding: int = 0, **options: Any
) -> Iterator[tuple[int, SlowRuntime]]:
    """Serve in a thread; yields the port and the runtime."""
    chosen = ServerOptions(**{**OPTIONS, **options})
    runtime = SlowRuntime(ExpertRuntime(bundle, sequences=chosen.sequences), seconds, padding)
    with in_thread({runtime.manifest.name: runtime}, chosen) as port:
        yield port, runtime


@contextlib.contextmanager
def in_thread(runtimes: Mapping[str, Any], options: ServerOptions) -> Iterator[int]:
    """Serve runtimes in a thread; yields the port."""
    metrics = Metrics(by_model=len(runtimes) > 1)
    models = ServedModels(
        Service(
            runtime,
            name=name,
            queue=options.queue,
            most_parts=10,
            metrics=ModelMetrics(metrics, name),
        )
        for name, runtime in runtimes.items()
    )
    config = uvicorn.Config(
        make_app(models, metrics, options, task_routes(models, options)),
        http=connections.Connection,
        log_level="warning",
        timeout_graceful_shutdown=5,
    )
    server, listening = uvicorn.Server(config), socket.create_server(("127.0.0.1", 0))
    thread = threading.Thread(target=server.run, args=([listening],))
    thread.start()
    until(lambda: server.started)
    try:
        yield listening.getsockname()[1]
    finally:
        server.should_exit = True
        thread.join(30)
        assert not thread.is_alive()


def until(test: Callable[[], bool], seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not test():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.01)


def is_idle(runtime: SlowRuntime) -> bool:
    """Test if all caches are free."""
    return len(runtime.task._caches._free) == OPTIONS["sequences"]

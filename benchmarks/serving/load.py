"""Load test of the server: more requests than it can answer, from many connections.

`edge-experts serve BUNDLE` runs with a short queue on the loopback interface. The figures are
status codes, latency, the server's memory, and answers that differ from those of a runtime alone.
"""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any, NamedTuple

import numpy as np

from edge_experts.errors import MachineError, ThresholdError
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.memory.process_memory import resident_bytes
from edge_experts.serving.task_routes import TASK_ROUTES
from edge_experts.serving.tensors import inputs_of, outputs_of

_FLAT = 1_000_000  # bytes by which memory may grow
_QUEUE = 8


@dataclass
class Load:
    """Outcome of a load test; `seconds` are the answers' latencies, in the order of arrival."""

    codes: Counter[int] = field(default_factory=Counter)
    seconds: list[float] = field(default_factory=list)
    wrong: int = 0
    broken: int = 0  # connections that ended without a response
    memory: list[int] = field(default_factory=list)  # bytes, at even times

    @property
    def growth(self) -> int:
        """Bytes, from the median of the second quarter to that of the last."""
        quarters = np.array_split(np.array(self.memory), 4)
        return int(np.median(quarters[3]) - np.median(quarters[1]))

    def check(self) -> None:
        """Raise ThresholdError unless the server behaved as documented.

        A status other than 200 and 503, a wrong answer, a broken connection, or memory that grew by
        more than a megabyte is an error.
        """
        odd = sorted(set(self.codes) - {200, 503})
        if odd or self.wrong or self.broken or not self.codes[200]:
            raise ThresholdError(
                f"status codes {dict(self.codes)} (expected: only 200 and 503, some 200), "
                f"{self.wrong} wrong answers and {self.broken} broken connections (expected: none)"
            )
        if self.growth > _FLAT:
            raise ThresholdError(f"memory grew by {self.growth:,} bytes")


def hold_at_limit(bundle: Path, seconds: float, clients: int) -> Load:
    """Send requests on several connections, each again as soon as it has its response."""
    path, requests, text_in = _requests(bundle)
    load, lock, end = Load(), threading.Lock(), monotonic() + seconds

    def ask(first: int) -> None:
        connection, row = http.client.HTTPConnection("127.0.0.1", port, timeout=30), first
        while monotonic() < end:
            body, text = requests[row % len(requests)]
            row += 1
            begin = perf_counter()
            try:
                connection.request("POST", path, body)
                response = connection.getresponse()
                content = response.read()
            except (OSError, http.client.HTTPException):
                connection.close()
                with lock:
                    load.broken += 1
                continue
            taken = perf_counter() - begin
            with lock:
                load.codes[response.status] += 1
                if response.status == 200:
                    load.seconds.append(taken)
                    load.wrong += text_in(json.loads(content)) != text

    with running(bundle, "--queue", str(_QUEUE)) as (process, port):
        threads = [threading.Thread(target=ask, args=(first,)) for first in range(clients)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            load.memory.append(resident_bytes(process.pid))
            sleep(seconds / 200)
    return load


class running:  # noqa: N801  reads as what it is: with running(bundle) as (process, port)
    """A server in a separate process, on a free port of the loopback interface."""

    def __init__(self, bundle: Path, *options: str):
        command = [sys.executable, "-m", "edge_experts", "serve", str(bundle), "--port", "0"]
        self.process = subprocess.Popen(
            [*command, *options], stderr=subprocess.PIPE, encoding="utf-8", errors="replace"
        )

    def __enter__(self) -> tuple[subprocess.Popen[str], int]:
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:  # the interpreter may print first
            said += line
            found = re.search(r"http://\S+:(\d+)/", line)
            if found is not None:
                return self.process, int(found[1])
        raise MachineError(f"the server did not start: {said}")

    def __exit__(self, *error: object) -> None:
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(60)
        finally:
            self.process.kill()
            assert self.process.stderr is not None
            self.process.stderr.close()


class _Requests(NamedTuple):
    """Path, bodies with the labels or texts expected in return, and where a response has them."""

    path: str
    bodies: list[tuple[bytes, str]]
    text_in: Callable[[Any], str]


def _requests(bundle: Path) -> _Requests:
    """Make a request of each golden example; those of language models are completions."""
    made = []
    with ExpertRuntime(bundle) as runtime:
        completes = TASK_ROUTES.has(runtime.task.name)
        body_of = _completion if completes else _tensors
        for example in golden.read(bundle).inputs:
            body = json.dumps(body_of(runtime, example)).encode()
            made.append((body, runtime.predict(example).text))
        if completes:
            return _Requests("/v1/completions", made, lambda found: found["choices"][0]["text"])
        path = f"/v2/models/{runtime.manifest.name}/infer"
        return _Requests(path, made, lambda found: found["outputs"][0]["data"][0])


def _completion(runtime: ExpertRuntime, example: Any) -> dict[str, Any]:
    return {"model": runtime.manifest.name, "prompt": example, "temperature": 0}


def _tensors(runtime: ExpertRuntime, example: Any) -> dict[str, Any]:
    values, tensors = runtime.features.take_apart(example), []
    for one in inputs_of(runtime.features):
        data = np.asarray(values[one["name"]]).ravel().tolist()
        tensors.append({**one, "shape": [1, *one["shape"][1:]], "data": data})
    return {"inputs": tensors, "outputs": [{"name": outputs_of(runtime.task)[0]["name"]}]}


def figures(load: Load, *, seconds: float, clients: int) -> dict[str, Any]:
    """Build the content for JSON; latencies are None without answers."""
    p50, p99 = (
        np.percentile(np.array(load.seconds) * 1000, [50, 99]).tolist()
        if load.seconds
        else (None, None)
    )
    return {
        "clients": clients,
        "seconds": seconds,
        "queue": _QUEUE,
        "codes": {str(code): count for code, count in sorted(load.codes.items())},
        "answers": load.codes[200],
        "answers_per_second": load.codes[200] / seconds,
        "turned_away": load.codes[503],
        "broken": load.broken,
        "wrong": load.wrong,
        "p50_ms": p50,
        "p99_ms": p99,
        "memory_bytes": load.memory[-1],
        "growth_bytes": load.growth,
    }


def as_table(content: Mapping[str, Any]) -> list[list[str]]:
    """Build one row for each figure."""
    rows = {
        "connections": f"{content['clients']}",
        "seconds": f"{content['seconds']:g}",
        "queue": f"{content['queue']}",
        "answers": f"{content['answers']:,}",
        "answers a second": f"{content['answers_per_second']:,.0f}",
        "turned away (503)": f"{content['turned_away']:,}",
        "broken connections": f"{content['broken']:,}",
        "wrong answers": f"{content['wrong']:,}",
        "p50 ms": _milliseconds(content["p50_ms"]),
        "p99 ms": _milliseconds(content["p99_ms"]),
        "memory MB": f"{content['memory_bytes'] / 1e6:.1f}",
        "memory growth MB": f"{content['growth_bytes'] / 1e6:+.2f}",
    }
    return [["figure", "value"], *([name, value] for name, value in rows.items())]


def _milliseconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"

"""A server held at its limit: `python -m benchmarks.serving.load BUNDLE [--seconds 60]`.

It starts `edge-experts serve BUNDLE` with a short queue, asks more than it can answer from many
connections on the loopback interface, and says which status codes came back, how long answers took,
how the server's memory went, and whether every answer was the one that a runtime alone gives. Its
exit code is 5 where a status other than 200 and 503 came, an answer was wrong, or memory grew by
more than a megabyte from the second quarter to the last.
"""

from __future__ import annotations

import argparse
import http.client
import json
import re
import signal
import subprocess
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, perf_counter, sleep

import numpy as np

from edge_experts.errors import MachineError, ThresholdError
from edge_experts.format.manifest import read_manifest
from edge_experts.runtime import ExpertRuntime, golden
from edge_experts.runtime.memory.process_memory import resident_bytes
from edge_experts.serving.tensors import inputs_of, outputs_of

_FLAT = 1_000_000  # bytes that memory may grow by
_QUEUE = 8


@dataclass
class Load:
    """What came of it; `seconds` are those of answers, in the order they came."""

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
        """Raises ThresholdError unless all was as documented."""
        odd = sorted(set(self.codes) - {200, 503})
        if odd or self.wrong or self.broken or not self.codes[200]:
            raise ThresholdError(
                f"status codes {dict(self.codes)}, {self.wrong} wrong answers, {self.broken} "
                "broken connections"
            )
        if self.growth > _FLAT:
            raise ThresholdError(f"memory grew by {self.growth:,} bytes")


def hold_at_limit(bundle: Path, seconds: float, clients: int) -> Load:
    """Ask from so many connections at once, each again as soon as it has its response."""
    requests = _requests(bundle)
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
                    load.wrong += json.loads(content)["outputs"][0]["data"] != [text]

    with running(bundle, "--queue", str(_QUEUE)) as (process, port):
        path = f"/v2/models/{read_manifest(bundle).name}/infer"
        threads = [threading.Thread(target=ask, args=(first,)) for first in range(clients)]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            load.memory.append(resident_bytes(process.pid))
            sleep(seconds / 200)
    return load


class running:  # noqa: N801  reads as what it is: with running(bundle) as (process, port)
    """A server in a process of its own, on a free port of the loopback interface."""

    def __init__(self, bundle: Path, *options: str):
        command = [sys.executable, "-m", "edge_experts", "serve", str(bundle), "--port", "0"]
        self.process = subprocess.Popen([*command, *options], stderr=subprocess.PIPE, text=True)

    def __enter__(self) -> tuple[subprocess.Popen[str], int]:
        assert self.process.stderr is not None
        said = ""
        for line in self.process.stderr:  # the interpreter may speak first
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


def _requests(bundle: Path) -> list[tuple[bytes, str]]:
    """Bodies, of a golden example each, and the labels, or texts, that they must get."""
    with ExpertRuntime(bundle) as runtime:
        described, output = inputs_of(runtime.features), outputs_of(runtime.manifest)[0]["name"]
        made = []
        for example in golden.read(bundle).inputs:
            values, tensors = runtime.features.take_apart(example), []
            for one in described:
                data = np.asarray(values[one["name"]]).ravel().tolist()
                tensors.append({**one, "shape": [1, *one["shape"][1:]], "data": data})
            body = {"inputs": tensors, "outputs": [{"name": output}]}
            made.append((json.dumps(body).encode(), runtime.predict(example).text))
        return made


def main(bundle: Path, seconds: float, clients: int) -> None:
    load = hold_at_limit(bundle, seconds, clients)
    p50, p99 = np.percentile(np.array(load.seconds) * 1000, [50, 99])
    print(
        f"{clients} clients for {seconds:.0f} s, a queue of {_QUEUE}: "
        f"{load.codes[200]:,} answers ({load.codes[200] / seconds:,.0f} a second), "
        f"{load.codes[503]:,} turned away, {load.broken} broken, {load.wrong} wrong\n"
        f"an answer took {p50:.1f} ms (median), {p99:.1f} ms (p99)\n"
        f"memory {load.memory[-1] / 1e6:.1f} MB, from the second quarter to the last "
        f"{load.growth / 1e6:+.2f} MB"
    )
    load.check()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=32)
    options = parser.parse_args()
    try:
        main(options.bundle, options.seconds, options.clients)
    except ThresholdError as missed:
        print(missed, file=sys.stderr)
        sys.exit(missed.exit_code)

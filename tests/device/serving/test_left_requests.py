"""Requests of the Open Inference Protocol whose clients disconnect before they are answered."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from edge_experts import ExpertRuntime
from edge_experts.runtime import Answer
from edge_experts.serving.server_options import ServerOptions

from ...tiny import tiny_bundle
from .completing import ask
from .slow_server import OPTIONS, in_thread, until
from .test_many_clients import runtime_metrics

INFER = "/v2/models/tiny/infer"
BODY = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [2, 1]}]}


class HeldRuntime:
    """A runtime that answers once it may."""

    def __init__(self, runtime: ExpertRuntime):
        self._runtime, self.may_answer, self.begun = runtime, threading.Event(), 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    def predict_batch(self, examples: Sequence[Any]) -> list[Answer]:
        self.begun += 1
        assert self.may_answer.wait(30)
        return self._runtime.predict_batch(examples)


def send(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    body = json.dumps(BODY).encode()
    head = f"POST {INFER} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n"
    connection.sendall(head.encode() + body)
    return connection


def test_a_waiting_request_whose_client_left_is_not_answered(tmp_path: Path) -> None:
    runtime = HeldRuntime(ExpertRuntime(tiny_bundle(tmp_path / "tiny.bundle")))
    given: dict[str, Any] = {**OPTIONS, "queue": 4}
    options = ServerOptions(**given)
    with in_thread({"tiny": runtime}, options) as port:
        clients = [send(port) for _ in range(4)]
        until(lambda: runtime.begun == 1)
        until(lambda: runtime_metrics(port)["edge_experts_waiting"] == 4)
        assert ask(port, BODY, INFER)[0] == 503
        for client in clients:
            client.close()
        # The first one is being answered, and keeps its place.
        until(lambda: runtime_metrics(port)["edge_experts_waiting"] == 1)
        runtime.may_answer.set()
        assert ask(port, BODY, INFER)[0] == 200
        assert runtime.begun == 2
        found = runtime_metrics(port)
        assert found['edge_experts_requests_total{code="499"}'] == 3
        assert found["edge_experts_waiting"] == 0

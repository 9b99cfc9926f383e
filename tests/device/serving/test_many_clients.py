"""Clients of one language model that come together, wait, disconnect, or do not read."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import socket
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from edge_experts.serving import connections
from edge_experts.serving.server_options import is_loopback

from .slow_server import is_idle, serving, until


def body(**fields: Any) -> bytes:
    given = {"model": "chain", "prompt": "red cat", "temperature": 0, "max_tokens": 50, **fields}
    return json.dumps(given).encode()


def ask(port: int, **fields: Any) -> tuple[int, Any, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/v1/completions", body(**fields))
    response = connection.getresponse()
    content, headers = response.read(), response.headers
    connection.close()
    return response.status, json.loads(content), headers


def send(port: int, content: bytes) -> socket.socket:
    """Send a request, and do not read the response."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    head = f"POST /v1/completions HTTP/1.1\r\nHost: a\r\nContent-Length: {len(content)}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_texts_are_written_in_turns(language_bundle: Path) -> None:
    with serving(language_bundle) as (port, runtime):
        clients = [threading.Thread(target=ask, args=(port,)) for _ in range(2)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        turns = sum(one != other for one, other in pairwise(runtime.order))
        assert turns > len(runtime.order) / 4
        assert is_idle(runtime)


@pytest.mark.parametrize("stream", [False, True])
def test_a_client_that_disconnects_frees_its_cache(language_bundle: Path, stream: bool) -> None:
    with serving(language_bundle, seconds=0.1) as (port, runtime):
        connection = send(port, body(stream=stream))
        until(lambda: len(runtime.order) > 2)
        connection.close()
        until(lambda: is_idle(runtime))
        assert runtime.streams[0].is_closed
        assert len(runtime.order) < 20
        assert ask(port, max_tokens=2)[0] == 200


def test_a_client_that_disconnects_leaves_the_queue(language_bundle: Path) -> None:
    with serving(language_bundle, seconds=0.1, queue=3) as (port, runtime):
        waiting = [send(port, body()) for _ in range(3)]
        until(lambda: len(runtime.streams) == 2)
        status, content, headers = ask(port)
        assert status == 503
        assert headers["Retry-After"] == "1"
        assert content["error"] == {
            "message": "3 requests wait already; try again later",
            "type": "server_error",
            "param": None,
            "code": "overloaded",
        }
        for connection in waiting:
            connection.close()
        until(lambda: is_idle(runtime))
        assert len(runtime.streams) == 2, "the third was never started"
        assert ask(port, max_tokens=2)[0] == 200


def test_a_time_limit_ends_a_text(language_bundle: Path) -> None:
    with serving(language_bundle, seconds=0.1, request_seconds=0.6) as (port, runtime):
        status, content, _ = ask(port)
        assert status == 200
        assert content["choices"][0]["finish_reason"] == "length"
        assert 0 < content["usage"]["completion_tokens"] < 10
        assert is_idle(runtime)


def test_a_time_limit_holds_in_the_queue(language_bundle: Path) -> None:
    with serving(language_bundle, seconds=0.4, request_seconds=1) as (port, _):
        found: list[int] = []
        clients = [threading.Thread(target=lambda: found.append(ask(port)[0])) for _ in range(4)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        assert sorted(found) == [200, 200, 503, 503]


def test_a_client_that_does_not_read_is_dropped(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with serving(language_bundle, seconds=0.05, padding=1_000_000) as (port, runtime):
        connection = send(port, body(stream=True))
        until(lambda: bool(runtime.streams) and runtime.streams[0].is_closed)
        until(lambda: is_idle(runtime))
        # The kernel still delivers what it has.
        with connection, connection.makefile("rb") as file, contextlib.suppress(OSError):
            assert not file.read().endswith(b"0\r\n\r\n"), "the response ended in order"


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /v2 HTTP/1.1\r\nX: ", b"GET /v2 HTTP/1.1\r\nHost: a\r\n\r\nGET /v2 HT"],
    ids=["nothing", "half a head", "half of a second one"],
)
def test_a_connection_whose_request_does_not_come_is_closed(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch, begun: bytes
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with (
        serving(language_bundle, seconds=0.05) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=30) as connection,
    ):
        connection.sendall(begun)
        start = time.monotonic()
        status, content, _ = ask(port, max_tokens=30)  # this one takes longer
        assert (status, content["usage"]["completion_tokens"]) == (200, 30)
        with contextlib.suppress(ConnectionResetError):
            while connection.recv(10_000):
                pass
        assert time.monotonic() - start < 10


def test_a_head_that_comes_by_the_byte_is_closed(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)

    def drip(connection: socket.socket) -> None:
        connection.sendall(b"GET /v2 HTTP/1.1\r\nX: ")
        for _ in range(100):
            connection.sendall(b"a")
            time.sleep(0.05)

    with (
        serving(language_bundle) as (port, _),
        socket.create_connection(("127.0.0.1", port), timeout=30) as connection,
        pytest.raises((BrokenPipeError, ConnectionResetError)),
    ):
        drip(connection)


def test_a_client_that_reads_slowly_gets_all(
    language_bundle: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with serving(language_bundle, seconds=0, padding=1_000_000) as (port, _):
        with send(port, body(max_tokens=10)) as connection:
            size, content = 0, b""
            while not content.endswith(b"}}"):
                part = connection.recv(400_000)
                assert part, "it was dropped"
                size, content = size + len(part), (content + part)[-100:]
                time.sleep(0.02)
        assert size > 10_000_000


def test_many_bad_clients_leave_nothing(language_bundle: Path) -> None:
    def counts() -> tuple[int, int]:
        return threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))

    draw = random.Random(0)
    with serving(language_bundle, seconds=0.002) as (port, runtime):
        for _ in range(4):  # both threads of the pool exist
            clients = [threading.Thread(target=ask, args=(port,)) for _ in range(2)]
            for client in clients:
                client.start()
            for client in clients:
                client.join()
        time.sleep(0.2)
        before = counts()
        for number in range(300):
            connection = send(port, broken(draw, number))
            if number % 3 == 0:
                time.sleep(0.01)
            if number % 5 == 0:  # a reset instead of an end
                linger = b"\x01\0\0\0\0\0\0\0"
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            if number % 7 == 0:
                connection.recv(100)
            connection.close()
        until(lambda: is_idle(runtime), 60)
        until(lambda: counts() == before, 60)
        assert ask(port, max_tokens=2)[0] == 200
        metrics = runtime_metrics(port)
        assert metrics["edge_experts_waiting"] == 0
        assert metrics.get('edge_experts_requests_total{code="500"}', 0) == 0
        assert metrics['edge_experts_requests_total{code="499"}'] > 0


def broken(draw: random.Random, number: int) -> bytes:
    """A request that is valid, or has invalid bytes, or ends early."""
    content = body(stream=bool(number % 2), max_tokens=draw.randrange(60))
    if number % 4 == 0:
        bad = draw.choice(["max_tokens", "stop", "prompt", "n", "temperature"])
        return body(**{bad: draw.choice([-1, [], {}, "", "x" * 5000, 1e308])})
    if number % 4 == 1:
        damaged = bytearray(content)
        for _ in range(3):
            damaged[draw.randrange(len(damaged))] = draw.randrange(256)
        return bytes(damaged)
    return content


def runtime_metrics(port: int) -> dict[str, float]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/metrics")
    lines = connection.getresponse().read().decode().splitlines()
    connection.close()
    pairs = (line.rsplit(" ", 1) for line in lines if not line.startswith("#"))
    return {name: float(value) for name, value in pairs}


def test_a_failure_in_the_middle_is_an_event(language_bundle: Path) -> None:
    with serving(language_bundle, seconds=0.05) as (port, runtime):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("POST", "/v1/completions", body(stream=True))
        until(lambda: len(runtime.order) > 2)
        runtime.access.close()
        events = connection.getresponse().read().decode().split("\n\n")
        connection.close()
        error = json.loads(events[-2].removeprefix("data: "))["error"]
        assert error["type"] == "server_error"
        assert is_idle(runtime)


def test_a_shutdown_lets_texts_end(language_bundle: Path) -> None:
    found: list[Any] = []
    with serving(language_bundle, seconds=0.05) as (port, runtime):
        client = threading.Thread(target=lambda: found.append(ask(port, max_tokens=30)))
        client.start()
        until(lambda: len(runtime.order) > 2)
    client.join()
    ((status, content, _),) = found
    assert status == 200
    assert content["usage"]["completion_tokens"] == 30


def test_a_shutdown_ends_long_texts(language_bundle: Path) -> None:
    begin = time.monotonic()
    with serving(language_bundle, seconds=0.5) as (port, runtime):
        connections = [send(port, body(stream=True)) for _ in range(3)]
        until(lambda: len(runtime.order) > 2)
    assert time.monotonic() - begin < 20
    for connection in connections:
        connection.close()


@pytest.mark.parametrize(
    ("host", "is_own"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("127.example.org", False),
        ("192.168.0.1", False),
    ],
)
def test_loopback(host: str, is_own: bool) -> None:
    assert is_loopback(host) is is_own

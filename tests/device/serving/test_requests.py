"""Requests that are not plain JSON: each is refused in a sentence, with the fitting status."""

from __future__ import annotations

import gzip
import http.client
import json
import zlib
from collections.abc import Iterator
from typing import Any

import pytest

from benchmarks.serving.load import running
from tests.tiny import tiny_bundle

INFER = "/v2/models/tiny/infer"
BODY = json.dumps(
    {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [2, 1]}]}
).encode()


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    bundle = tiny_bundle(tmp_path_factory.mktemp("served") / "tiny.bundle")
    with running(bundle) as (_, port):
        yield port


def _ask(
    port: int, body: bytes | None = BODY, method: str = "POST", path: str = INFER, **headers: str
) -> tuple[int, str, Any]:
    """Status, the error's text or the body, and headers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request(method, path, body, {key.replace("_", "-"): headers[key] for key in headers})
    response = connection.getresponse()
    raw = response.read()
    connection.close()
    told = json.loads(raw) if raw else {}
    return response.status, told.get("error", ""), response.headers


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", gzip.compress(BODY, mtime=0)),
        ("GZIP", gzip.compress(BODY, mtime=0)),
        ("deflate", zlib.compress(BODY)),
        ("br", BODY),
        ("zstd", b""),
        ("gzip, identity", gzip.compress(BODY, mtime=0)),
    ],
)
def test_a_compressed_body_is_415(port: int, encoding: str, body: bytes) -> None:
    status, error, headers = _ask(port, body, Content_Encoding=encoding)
    assert status == 415
    assert "send it uncompressed" in error
    assert headers["Accept-Encoding"] == "identity"


def test_gzip_that_does_not_say_so_is_415_too(port: int) -> None:
    status, error, _ = _ask(port, gzip.compress(BODY, mtime=0))
    assert (status, "gzip" in error) == (415, True)


@pytest.mark.parametrize("kind", ["text/csv", "multipart/form-data; boundary=x", "image/png"])
def test_another_type_is_415(port: int, kind: str) -> None:
    status, error, _ = _ask(port, b"a,b\n1,2\n", Content_Type=kind)
    assert status == 415
    assert kind.partition(";")[0] in error
    assert "application/json" in error


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "text/plain", ""]
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_json_is_read_whatever_it_is_called(port: int, kind: str, encoding: str) -> None:
    body = BODY.decode().encode(encoding)
    headers = {"Content_Type": kind, "Content_Encoding": "identity"} if kind else {}
    assert _ask(port, body, **headers)[0] == 200


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (BODY.replace(b"[2, 1]", b"[NaN, 1]"), "NaN is not a JSON number; send null for a gap"),
        (BODY.replace(b"[2, 1]", b"[-Infinity, 1]"), "-Infinity is not a JSON number"),
        (b'{"inputs": [], "inputs": []}', "a key stands twice"),
        (b"[" * 5000, "not JSON"),
        (b"", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[]", "must be a JSON object"),
    ],
)
def test_bad_json_is_400(port: int, body: bytes, told: str) -> None:
    status, error, _ = _ask(port, body)
    assert (status, told in error) == (400, True), error


def test_half_a_surrogate_pair_comes_back_as_it_was_sent(port: int) -> None:
    """Valid in JSON as an escape, and of no use but that UTF-8 has no bytes for it."""
    body = BODY.replace(b"{", b'{"id": "\\ud800", ', 1)
    assert _ask(port, body)[0] == 200
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", INFER, body)
    assert json.loads(connection.getresponse().read())["id"] == "\ud800"
    connection.close()
    for changed in (
        BODY.replace(b'"x"', b'"\\udfff"'),
        BODY.replace(b"FP32", b"\\udfff"),
        BODY.replace(b"[2, 1]", b'["\\udfff", 1]'),
        BODY.replace(b"{", b'{"outputs": [{"name": "\\udfff"}], ', 1),
    ):
        status, error, _ = _ask(port, changed)
        assert (status, bool(error)) == (400, True)


def test_a_tensor_that_is_there_twice_is_400(port: int) -> None:
    tensor = json.loads(BODY)["inputs"][0]
    status, error, _ = _ask(port, json.dumps({"inputs": [tensor, tensor]}).encode())
    assert status == 400
    assert error == "inputs: a name stands twice; give each tensor once, with all examples"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", INFER, "POST"),
        ("PUT", INFER, "POST"),
        ("POST", "/v2/health/live", "GET"),
        ("DELETE", "/v2", "GET"),
    ],
)
def test_another_method_is_405(port: int, method: str, path: str, allowed: str) -> None:
    status, error, headers = _ask(port, None, method, path)
    assert status == 405
    assert allowed in headers["Allow"]
    assert f"{method} is not allowed here; use " in error


def test_head_is_get_without_a_body(port: int) -> None:
    assert _ask(port, None, "HEAD", "/v2/health/live")[0] == 200


def test_another_path_is_404(port: int) -> None:
    status, error, _ = _ask(port, None, "GET", "/predict")
    assert status == 404
    assert error.startswith("/predict: no such path")

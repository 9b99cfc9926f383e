"""Bodies of requests: JSON objects or files, read in bounded memory and time."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request

from ..errors import UsageError
from ..format.strict_json import request_json

_PATIENCE = 30.0  # seconds until a body must have arrived
_GZIP = b"\x1f\x8b"
_FORM = "application/x-www-form-urlencoded"  # content type that curl sends by default


async def json_object(request: Request, most_bytes: int) -> dict[str, Any]:
    """Read the request's JSON object; at most `most_bytes` of it are in memory.

    Raises:
        HTTPException: see `body_of`; 415 also for another content type.
        UsageError: it is not a JSON object.
    """
    raw = await body_of(request, most_bytes)
    try:
        content = request_json(raw)
    except ValueError as error:
        kind = content_type(request)
        if kind and "json" not in kind and kind != _FORM:
            raise HTTPException(
                415, f"a body of {kind!r:.80} is not read; send JSON as application/json"
            ) from None
        raise UsageError(f"not JSON: {error}") from None
    if not isinstance(content, dict):
        raise UsageError("the body must be a JSON object")
    return content


def content_type(request: Request) -> str:
    """Content type of a request without its parameters; empty if it has none."""
    stated: str = request.headers.get("content-type", "")
    return stated.partition(";")[0].strip().lower()


async def body_of(request: Request, most_bytes: int) -> bytes:
    """Read the request's body; at most `most_bytes` of it are in memory.

    Raises:
        HTTPException: 408 for a body that does not arrive, 413 for one that is too large, 415 for
            one that is compressed.
    """
    _refuse_compressed(request.headers.get("content-encoding", ""))
    too_large = HTTPException(413, f"a body may have at most {most_bytes:,} bytes")
    stated = request.headers.get("content-length", "")
    if stated.isdigit() and int(stated[:20]) > most_bytes:
        raise too_large
    raw = bytearray()
    try:
        async with asyncio.timeout(_PATIENCE):
            async for part in request.stream():
                raw += part
                if len(raw) > most_bytes:
                    raise too_large
    except TimeoutError:
        raise HTTPException(408, f"the body did not come in {_PATIENCE:.0f} s") from None
    if raw.startswith(_GZIP):
        _refuse_compressed("gzip")
    return bytes(raw)


def _refuse_compressed(encoding: str) -> None:
    """Raise HTTPException for a compressed body."""
    if encoding.strip().lower() not in ("", "identity"):
        raise HTTPException(
            415,
            f"a body in Content-Encoding {encoding!r:.40} is not read; send it uncompressed",
            {"Accept-Encoding": "identity"},
        )

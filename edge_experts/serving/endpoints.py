"""Endpoints: every error becomes a response, every request is checked and counted."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from ..errors import EdgeExpertsError, MemoryBudgetError, UsageError
from .api_keys import ApiKeys
from .server_metrics import Metrics
from .service import OverloadedError

Endpoint = Callable[[Request], Awaitable[Response]]
ErrorBody = Callable[[Exception, int, str], Any]  # of an error, its status and its message
FAILURES = (EdgeExpertsError, OverloadedError, MemoryError, OSError)  # of answering
GONE = 499  # status of a request whose client has disconnected, as nginx counts them
_RETRY = {"Retry-After": "1"}


class Json(JSONResponse):
    """JSON in UTF-8 of any texts: what UTF-8 has no bytes for is written as JSON escapes it.

    A request may have such a text: half of a surrogate pair, which is valid as an escape.
    """

    def render(self, content: Any) -> bytes:
        text = json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        return text.encode("utf-8", "backslashreplace")


def text_body(error: Exception, status: int, message: str) -> Any:
    """Return an error in the form of the Open Inference Protocol."""
    return {"error": message}


class Endpoints:
    """Wraps the endpoints of a server.

    An endpoint that answers for a model sets `request.state.model` to its name.

    Args:
        keys: None: everyone may send requests.
    """

    def __init__(self, metrics: Metrics, keys: ApiKeys | None):
        self._metrics, self._keys = metrics, keys

    def wrap(
        self, endpoint: Endpoint, body: ErrorBody = text_body, *, is_open: bool = False
    ) -> Endpoint:
        """Wrap an endpoint.

        Args:
            body: creates the body of an error.
            is_open: True if it needs no key.
        """

        async def answer(request: Request) -> Response:
            try:
                if not is_open:
                    self._require_key(request)
                response = await endpoint(request)
            except ClientDisconnect:
                response = Response(status_code=GONE)
            except (HTTPException, *FAILURES) as error:
                response = error_response(request, error, body)
            model = getattr(request.state, "model", "")
            self._metrics.responded(model, response.status_code)
            return response

        return answer

    def _require_key(self, request: Request) -> None:
        if self._keys is None or self._keys.admit(request.headers.get("authorization", "")):
            return
        raise HTTPException(
            401,
            "a valid API key is required: send the header Authorization: Bearer KEY",
            {"WWW-Authenticate": "Bearer"},
        )


def error_response(request: Request, error: Exception, body: ErrorBody = text_body) -> Response:
    """Return the response to an error."""
    status, message, headers = _described(request, error)
    return Json(body(error, status, message), status, headers)


def _described(request: Request, error: Exception) -> tuple[int, str, Mapping[str, str] | None]:
    """Return status, message and headers."""
    if isinstance(error, OverloadedError):
        return 503, str(error), _RETRY
    if isinstance(error, UsageError) and not isinstance(error, MemoryBudgetError):
        return 400, str(error), None
    if not isinstance(error, HTTPException):  # an error of the bundle, not of the client
        return 500, message_of(error), None
    detail, headers = error.detail, error.headers or {}
    if error.status_code == 405:
        allowed = headers.get("Allow", headers.get("allow", ""))
        detail = f"{request.method} is not allowed here; use {allowed}"
    elif error.status_code == 404 and detail == "Not Found":  # Starlette's own
        detail = f"{request.url.path[:80]}: no such path; those of a model begin with /v2/models/"
    return error.status_code, detail, error.headers


def message_of(error: Exception) -> str:
    """Return the message of an error, which some of Python's own do not have."""
    return str(error) or type(error).__name__

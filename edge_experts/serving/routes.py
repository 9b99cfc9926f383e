"""The HTTP routes of the Open Inference Protocol, version 2, and /metrics.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
Errors are {"error": text}: 400 for an invalid request, 404 for another model, 408 for a body that
does not arrive, 413 for one that is too large, 415 for one that is compressed or not JSON, and 503
with Retry-After if too many requests wait.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ..errors import EdgeExpertsError, UsageError
from ..format.strict_json import request_json
from ..version import VERSION
from .server_metrics import Metrics
from .service import OverloadedError, Service
from .tensors import examples_of, inputs_of, outputs_from, outputs_of

_PATIENCE = 30.0  # seconds until a body must have arrived
_GZIP = b"\x1f\x8b"
_FORM = "application/x-www-form-urlencoded"  # content type that curl sends by default
_RETRY = {"Retry-After": "1"}


class Routes:
    """The endpoints of one model.

    Args:
        most_bytes: largest size of a request's body.
        most_examples: largest number of examples in a request.
    """

    def __init__(self, service: Service, metrics: Metrics, most_bytes: int, most_examples: int):
        self._service, self._metrics = service, metrics
        self._most_bytes, self._most_examples = most_bytes, most_examples

    @property
    def _name(self) -> str:
        return self._service.runtime.manifest.name

    @property
    def _version(self) -> str:
        return str(self._service.runtime.manifest.bundle_version)

    async def live(self, request: Request) -> Response:
        return JSONResponse({"live": True})

    async def ready(self, request: Request) -> Response:
        return JSONResponse({"ready": True})

    async def server(self, request: Request) -> Response:
        return JSONResponse({"name": "edge-experts", "version": VERSION, "extensions": []})

    async def model(self, request: Request) -> Response:
        self._require_model(request)
        runtime = self._service.runtime
        return JSONResponse(
            {
                "name": self._name,
                "versions": [self._version],
                "platform": "edge-experts_tflite",
                "inputs": inputs_of(runtime.features),
                "outputs": outputs_of(runtime.task),
            }
        )

    async def model_ready(self, request: Request) -> Response:
        self._require_model(request)
        return JSONResponse({"name": self._name, "ready": True})

    async def infer(self, request: Request) -> Response:
        self._require_model(request)
        if "inference-header-content-length" in request.headers:
            raise HTTPException(400, "binary data is not supported; send the data as JSON")
        asked = await self._body(request)
        runtime = self._service.runtime
        examples = examples_of(runtime.features, asked.get("inputs"), self._most_examples)
        task = runtime.task
        outputs_from([], task, asked.get("outputs"))  # rejects invalid names before the inference
        answers = await self._service.answer(examples)
        content = {
            "model_name": self._name,
            "model_version": self._version,
            **({"id": asked["id"]} if isinstance(asked.get("id"), str) else {}),
            "outputs": outputs_from(answers, task, asked.get("outputs")),
        }
        if any(answer.warnings for answer in answers):
            content["parameters"] = {"warnings": [list(answer.warnings) for answer in answers]}
        return JSONResponse(content)

    async def metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    def _require_model(self, request: Request) -> None:
        name, version = request.path_params["name"], request.path_params.get("version")
        if name != self._name:
            raise HTTPException(404, f"no model {name!r:.80}; this server has {self._name!r}")
        if version is not None and version != self._version:
            raise HTTPException(404, f"no version {version!r:.20}, it is {self._version}")

    async def _body(self, request: Request) -> dict[str, Any]:
        """The request's JSON object; at most `most_bytes` of it are in memory."""
        _refuse_compressed(request.headers.get("content-encoding", ""))
        too_large = HTTPException(413, f"a body may have at most {self._most_bytes:,} bytes")
        stated = request.headers.get("content-length", "")
        if stated.isdigit() and int(stated[:20]) > self._most_bytes:
            raise too_large
        raw = bytearray()
        try:
            async with asyncio.timeout(_PATIENCE):
                async for part in request.stream():
                    raw += part
                    if len(raw) > self._most_bytes:
                        raise too_large
        except TimeoutError:
            raise HTTPException(408, f"the body did not come in {_PATIENCE:.0f} s") from None
        if raw.startswith(_GZIP):
            _refuse_compressed("gzip")
        try:
            content = request_json(bytes(raw))
        except ValueError as error:
            kind = request.headers.get("content-type", "").partition(";")[0].strip()
            if kind and "json" not in kind and kind != _FORM:
                raise HTTPException(
                    415, f"a body of {kind!r:.80} is not read; send JSON as application/json"
                ) from None
            raise UsageError(f"not JSON: {error}") from None
        if not isinstance(content, dict):
            raise UsageError("the body must be a JSON object")
        return content


def make_app(
    service: Service, metrics: Metrics, *, most_bytes: int, most_examples: int
) -> Starlette:
    """Build the ASGI application; its shutdown closes the service."""
    routes = Routes(service, metrics, most_bytes, most_examples)
    model = "/v2/models/{name}"

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        service.close()

    def counted(
        endpoint: Callable[[Request], Awaitable[Response]],
    ) -> Callable[[Request], Awaitable[Response]]:
        async def answer(request: Request) -> Response:
            response = await _or_error(endpoint, request)
            metrics.requests.labels(response.status_code).inc()
            return response

        return answer

    def both(path: str, endpoint: Callable[[Request], Awaitable[Response]], method: str) -> Any:
        places = (f"{model}{path}", f"{model}/versions/{{version}}{path}")
        return [Route(place, counted(endpoint), methods=[method]) for place in places]

    return Starlette(
        routes=[
            Route("/v2", counted(routes.server)),
            Route("/v2/health/live", counted(routes.live)),
            Route("/v2/health/ready", counted(routes.ready)),
            *both("", routes.model, "GET"),
            *both("/ready", routes.model_ready, "GET"),
            *both("/infer", routes.infer, "POST"),
            Route("/metrics", routes.metrics),
        ],
        exception_handlers={HTTPException: _http_error},
        lifespan=lifespan,
    )


async def _or_error(
    endpoint: Callable[[Request], Awaitable[Response]], request: Request
) -> Response:
    """Response of the endpoint, or of the error that it raised."""
    try:
        return await endpoint(request)
    except HTTPException as error:
        return await _http_error(request, error)
    except OverloadedError as error:
        return JSONResponse({"error": str(error)}, 503, _RETRY)
    except UsageError as error:
        return JSONResponse({"error": str(error)}, 400)
    except EdgeExpertsError as error:  # an error of the bundle, not of the client
        return JSONResponse({"error": str(error)}, 500)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail, headers = error.detail, error.headers or {}
    if error.status_code == 405:
        allowed = headers.get("Allow", headers.get("allow", ""))
        detail = f"{request.method} is not allowed here; use {allowed}"
    elif error.status_code == 404 and detail == "Not Found":  # Starlette's own
        detail = f"{request.url.path[:80]}: no such path; those of a model begin with /v2/models/"
    return JSONResponse({"error": detail}, error.status_code, error.headers)


def _refuse_compressed(encoding: str) -> None:
    """Raise HTTPException for a compressed body."""
    if encoding.strip().lower() not in ("", "identity"):
        raise HTTPException(
            415,
            f"a body in Content-Encoding {encoding!r:.40} is not read; send it uncompressed",
            {"Accept-Encoding": "identity"},
        )

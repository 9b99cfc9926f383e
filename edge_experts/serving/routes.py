"""The HTTP routes of the Open Inference Protocol, version 2, and /metrics.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
Errors are {"error": text}: 400 for an invalid request, 401 for an invalid API key, 404 for another
model, 408 for a body that does not arrive, 413 for one that is too large, 415 for one that is
compressed or not JSON, and 503 with Retry-After if too many requests wait. A bundle of photos also
takes the bytes of one image file, with a Content-Type of image/jpeg or the like, and one of sounds
those of a WAV file, with audio/wav.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from ..version import VERSION
from .endpoints import Endpoint, Endpoints, Json, error_response
from .request_body import body_of, content_type, json_object
from .served_models import ServedModels
from .server_metrics import Metrics
from .server_options import ServerOptions
from .service import Service
from .task_routes import TaskRoutes
from .tensors import examples_of, inputs_of, outputs_from, outputs_of


class Routes:
    """The endpoints of the models.

    Args:
        most_bytes: largest size of a request's body.
        most_examples: largest number of examples in a request.
    """

    def __init__(self, models: ServedModels, metrics: Metrics, most_bytes: int, most_examples: int):
        self._models, self._metrics = models, metrics
        self._most_bytes, self._most_examples = most_bytes, most_examples

    async def live(self, request: Request) -> Response:
        return Json({"live": True})

    async def ready(self, request: Request) -> Response:
        return Json({"ready": True})

    async def server(self, request: Request) -> Response:
        return Json({"name": "edge-experts", "version": VERSION, "extensions": []})

    async def model(self, request: Request) -> Response:
        service = self._service(request)
        runtime = service.runtime
        return Json(
            {
                "name": service.name,
                "versions": [_version(service)],
                "platform": "edge-experts_tflite",
                "inputs": inputs_of(runtime.features),
                "outputs": outputs_of(runtime.task),
            }
        )

    async def model_ready(self, request: Request) -> Response:
        return Json({"name": self._service(request).name, "ready": True})

    async def infer(self, request: Request) -> Response:
        service = self._service(request)
        if "inference-header-content-length" in request.headers:
            raise HTTPException(400, "binary data is not supported; send the data as JSON")
        runtime = service.runtime
        task = runtime.task
        media = getattr(runtime.features, "media", None)
        if media is not None and content_type(request).startswith(media):
            # Decoded in the thread that answers, one at a time.
            examples: list[Any] = [await body_of(request, self._most_bytes)]
            asked: dict[str, Any] = {}
        else:
            asked = await json_object(request, self._most_bytes)
            examples = examples_of(runtime.features, asked.get("inputs"), self._most_examples)
        outputs_from([], task, asked.get("outputs"))  # rejects invalid names before the inference
        answers = await service.answer(examples, request.receive)
        content = {
            "model_name": service.name,
            "model_version": _version(service),
            **({"id": asked["id"]} if isinstance(asked.get("id"), str) else {}),
            "outputs": outputs_from(answers, task, asked.get("outputs")),
        }
        if any(answer.warnings for answer in answers):
            content["parameters"] = {"warnings": [list(answer.warnings) for answer in answers]}
        return Json(content)

    async def metrics(self, request: Request) -> Response:
        return Response(self._metrics.text(), media_type="text/plain; version=0.0.4")

    def _service(self, request: Request) -> Service:
        """Return the service of the model in the path, and of its version if that is there."""
        service = self._models.named(request.path_params["name"])
        request.state.model = service.name
        version = request.path_params.get("version")
        if version is not None and version != _version(service):
            raise HTTPException(404, f"no version {version!r:.20}, it is {_version(service)}")
        return service


def _version(service: Service) -> str:
    return str(service.runtime.manifest.bundle_version)


def make_app(
    models: ServedModels, metrics: Metrics, options: ServerOptions, of_tasks: Sequence[TaskRoutes]
) -> Starlette:
    """Build the ASGI application; its shutdown closes the services.

    Args:
        of_tasks: routes of the models' tasks.
    """
    routes = Routes(models, metrics, options.most_bytes, options.most_examples)
    endpoints, model = Endpoints(metrics, options.keys), "/v2/models/{name}"
    wrap = endpoints.wrap

    @asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        yield
        for one in (*of_tasks, *models):
            one.close()

    def both(path: str, endpoint: Endpoint, method: str) -> list[Route]:
        places = (f"{model}{path}", f"{model}/versions/{{version}}{path}")
        return [Route(place, wrap(endpoint), methods=[method]) for place in places]

    async def refuse(request: Request, error: Exception) -> Response:
        return error_response(request, error)

    return Starlette(
        routes=[
            Route("/v2", wrap(routes.server)),
            Route("/v2/health/live", wrap(routes.live, is_open=True)),
            Route("/v2/health/ready", wrap(routes.ready, is_open=True)),
            *both("", routes.model, "GET"),
            *both("/ready", routes.model_ready, "GET"),
            *both("/infer", routes.infer, "POST"),
            Route("/metrics", routes.metrics),
            *(route for one in of_tasks for route in one.routes(endpoints)),
        ],
        exception_handlers={HTTPException: refuse},
        lifespan=lifespan,
    )

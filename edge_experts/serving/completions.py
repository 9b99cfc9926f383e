"""OpenAI's API of a language model: POST /v1/completions and /v1/chat/completions, GET /v1/models.

https://platform.openai.com/docs/api-reference/completions and .../chat
Errors are {"error": {"message", "type", "param", "code"}}, with the status codes of `routes`. Texts
of prompts and answers appear in responses alone, never in logs or metrics.
"""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from time import perf_counter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ..errors import ContextError, MemoryBudgetError, UsageError
from .answer_forms import CHAT, TEXT, AnswerForm
from .chat_request import chat_request
from .completion_request import CompletionRequest, FieldError, completion_request
from .endpoints import FAILURES, Endpoints, message_of
from .request_body import json_object
from .server_options import ServerOptions, is_loopback
from .service import Service
from .text_writer import TextWriter, Writing

_MODELS, _COMPLETIONS, _CHAT = "/v1/models", "/v1/completions", "/v1/chat/completions"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CODES = {401: "invalid_api_key", 503: "overloaded"}
# Proxies such as nginx would otherwise collect events.
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Completions:
    """Routes of a language model; see `TaskRoutes`."""

    title = "/v1 (OpenAI's completions and chat)"

    def __init__(self, service: Service, options: ServerOptions):
        if options.keys is None and not is_loopback(options.host):
            raise UsageError(
                f"--host {options.host}: other machines can connect, and a language model answers "
                "them only with a key; give --api-key-file FILE, with one key a line"
            )
        self._service, self._options = service, options
        self._writer = TextWriter(
            service, sequences=options.sequences, seconds=options.request_seconds
        )
        self._created = int(time.time())

    def routes(self, endpoints: Endpoints) -> Sequence[BaseRoute]:
        def route(path: str, endpoint: Any, methods: list[str]) -> Route:
            return Route(path, endpoints.wrap(endpoint, openai_body), methods=methods)

        return [
            route(_COMPLETIONS, self.complete, ["POST"]),
            route(_CHAT, self.chat, ["POST"]),
            route(_MODELS, self.models, ["GET"]),
            route(f"{_MODELS}/{{name:path}}", self.model, ["GET"]),
            route("/v1/{rest:path}", self.refuse, _METHODS),
        ]

    def close(self) -> None:
        self._writer.close()

    async def models(self, request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._described()]})

    async def model(self, request: Request) -> Response:
        self._require_model(request.path_params["name"])
        return JSONResponse(self._described())

    async def refuse(self, request: Request) -> Response:
        """Refuse another path, or another method."""
        path = request.url.path
        allowed = {_COMPLETIONS: "POST", _CHAT: "POST", _MODELS: "GET"}.get(path)
        if allowed is not None:
            raise HTTPException(405, headers={"Allow": allowed})
        raise HTTPException(
            404,
            f"{path[:80]!r}: no such path; there are POST {_COMPLETIONS}, POST {_CHAT} and GET "
            f"{_MODELS}",
        )

    async def complete(self, request: Request) -> Response:
        content = await json_object(request, self._options.most_bytes)
        asked = completion_request(content, self._options.most_tokens)
        return await self._answered(request, asked, TEXT)

    async def chat(self, request: Request) -> Response:
        content = await json_object(request, self._options.most_bytes)
        return await self._answered(request, chat_request(content, self._options.most_tokens), CHAT)

    async def _answered(
        self, request: Request, asked: CompletionRequest, form: AnswerForm
    ) -> Response:
        self._require_model(asked.model)
        writing = self._writer.start(asked.prompt, request.receive)
        try:
            # A request that fails before its first text gets a status code, streamed or not.
            first = await _first_part(writing, form.field)
            if writing.is_cancelled:
                raise ClientDisconnect
            if asked.is_streamed:
                return EventStream(self._events(asked, form, writing, first), writing.end)
            text, part = "", first
            while part is not None:
                text += part
                part = await writing.part()
            if writing.is_cancelled:
                raise ClientDisconnect
        except BaseException:
            writing.end()
            raise
        writing.end()
        self._count(writing)
        return JSONResponse(
            {
                **form.head(self._name),
                "choices": [form.whole(text, writing.finish_reason)],
                "usage": _usage(writing),
            }
        )

    async def _events(
        self, asked: CompletionRequest, form: AnswerForm, writing: Writing, part: str | None
    ) -> AsyncIterator[str]:
        """Yield the data of server-sent events."""
        head = form.head(self._name, is_part=True)
        head |= {"usage": None} if asked.includes_usage else {}
        for choice in form.first():
            yield json.dumps({**head, "choices": [choice]})
        try:
            while part is not None:
                yield json.dumps({**head, "choices": [form.part(part)]})
                part = await writing.part()
        except FAILURES as error:
            yield json.dumps(openai_body(error, 500, message_of(error)))
            return
        yield json.dumps({**head, "choices": [form.last(writing.finish_reason)]})
        if asked.includes_usage:
            yield json.dumps({**head, "choices": [], "usage": _usage(writing)})
        yield "[DONE]"
        self._count(writing)

    def _count(self, writing: Writing) -> None:
        if writing.answer is not None:
            seconds = perf_counter() - writing.begin
            self._service.metrics.answered([writing.answer], seconds)

    @property
    def _name(self) -> str:
        return self._service.runtime.manifest.name

    def _require_model(self, name: str) -> None:
        if name != self._name:
            raise UnknownModelError(name, self._name)

    def _described(self) -> dict[str, Any]:
        return {
            "id": self._name,
            "object": "model",
            "created": self._created,
            "owned_by": "edge-experts",
        }


class UnknownModelError(HTTPException):
    """The request names another model."""

    def __init__(self, name: str, own: str):
        super().__init__(404, f"no model {name!r:.80}; this server has {own!r}")


class EventStream(Response):
    """Server-sent events, each sent as it comes.

    Args:
        events: data of the events, without line feeds.
        at_end: called once the response has ended, for whatever reason.
    """

    media_type = "text/event-stream"

    def __init__(self, events: AsyncIterator[str], at_end: Callable[[], None]):
        super().__init__(None, headers=_STREAM_HEADERS)
        del self.headers["content-length"]
        self._events, self._at_end = events, at_end

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": self.status_code,
                    "headers": self.raw_headers,
                }
            )
            async for event in self._events:
                body = f"data: {event}\n\n".encode()
                await send({"type": "http.response.body", "body": body, "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._at_end()


def openai_body(error: Exception, status: int, message: str) -> Any:
    """Return an error in OpenAI's form."""
    param, code = getattr(error, "field", None), getattr(error, "code", None)
    if isinstance(error, UnknownModelError):
        param, code = "model", "model_not_found"
    return {
        "error": {
            "message": message,
            "type": "invalid_request_error" if status < 500 else "server_error",
            "param": param,
            "code": code or _CODES.get(status),
        }
    }


async def _first_part(writing: Writing, field: str) -> str | None:
    """Wait for the first part of a text.

    Raises:
        FieldError: the prompt, which is that field, is too long or cannot be used.
    """
    try:
        return await writing.part()
    except MemoryBudgetError:
        raise
    except ContextError as error:
        raise FieldError(field, str(error), "context_length_exceeded") from None
    except UsageError as error:
        raise FieldError(field, str(error)) from None


def _usage(writing: Writing) -> dict[str, int]:
    prompt, completion = writing.prompt_tokens, writing.completion_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }

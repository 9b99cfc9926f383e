"""OpenAI's API of language models: POST /v1/completions and /v1/chat/completions, GET /v1/models.

https://platform.openai.com/docs/api-reference/completions and .../chat
Errors are {"error": {"message", "type", "param", "code"}}, with the status codes of `routes`. Texts
of prompts and answers appear in responses alone, never in logs or metrics.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import Receive, Scope, Send

from ..errors import ContextError, MemoryBudgetError, UsageError
from .answer_forms import CHAT, TEXT, AnswerForm
from .chat_request import chat_request
from .completion_request import CompletionRequest, FieldError, completion_request
from .endpoints import FAILURES, Endpoints, Json, message_of
from .request_body import json_object
from .served_models import ServedModels, UnknownModelError
from .server_options import ServerOptions, is_loopback
from .service import Service
from .text_writer import TextWriter, Writing

_MODELS, _COMPLETIONS, _CHAT = "/v1/models", "/v1/completions", "/v1/chat/completions"
_METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
_CODES = {401: "invalid_api_key", 503: "overloaded"}
# Proxies such as nginx would otherwise collect events.
_STREAM_HEADERS = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}


class Completions:
    """Routes of language models; see `TaskRoutes`."""

    title = "/v1 (OpenAI's completions and chat)"

    def __init__(self, own: Sequence[Service], models: ServedModels, options: ServerOptions):
        if options.keys is None and not is_loopback(options.host):
            raise UsageError(
                f"--host {options.host}: other machines can connect, and a language model answers "
                "them only with a key; give --api-key-file FILE, with one key a line"
            )
        self._models, self._options = models, options
        self._writers = {
            one.name: TextWriter(one, sequences=options.sequences, seconds=options.request_seconds)
            for one in own
        }
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
        for writer in self._writers.values():
            writer.close()

    async def models(self, request: Request) -> Response:
        return Json({"object": "list", "data": list(map(self._described, self._models))})

    async def model(self, request: Request) -> Response:
        return Json(self._described(self._models.named(request.path_params["name"])))

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
        most = min(self._options.most_examples, self._options.queue)
        asked = completion_request(content, self._options.most_tokens, most)
        return await self._answered(request, asked, TEXT)

    async def chat(self, request: Request) -> Response:
        content = await json_object(request, self._options.most_bytes)
        return await self._answered(request, chat_request(content, self._options.most_tokens), CHAT)

    async def _answered(
        self, request: Request, asked: CompletionRequest, form: AnswerForm
    ) -> Response:
        name = self._chosen(asked.model)
        request.state.model = name
        with contextlib.ExitStack() as at_end:
            writings = []
            for prompt in asked.prompts:
                writings.append(self._writers[name].start(prompt, request.receive))
                at_end.callback(writings[-1].end)
            if asked.is_streamed:
                # A request that fails before its first text gets a status code.
                first = await _first_part(writings[0], form.field)
                _require_client(writings)
                events = self._events(name, asked, form, writings, first)
                return EventStream(events, at_end.pop_all().close)
            texts = [await _text(one, form.field) for one in writings]
            _require_client(writings)
        self._count(name, writings)
        choices = [
            form.whole(text, one.finish_reason) | {"index": index}
            for index, (text, one) in enumerate(zip(texts, writings, strict=True))
        ]
        return Json({**form.head(name), "choices": choices, "usage": _usage(writings)})

    async def _events(
        self,
        name: str,
        asked: CompletionRequest,
        form: AnswerForm,
        writings: Sequence[Writing],
        part: str | None,
    ) -> AsyncIterator[str]:
        """Yield the data of server-sent events, one text after the other.

        Args:
            part: the first one of the first text.
        """
        head = form.head(name, is_part=True)
        head |= {"usage": None} if asked.includes_usage else {}

        def event(choice: Mapping[str, Any], index: int) -> str:
            return json.dumps({**head, "choices": [{**choice, "index": index}]})

        try:
            for index, writing in enumerate(writings):
                if index:
                    part = await _first_part(writing, form.field)
                for choice in form.first():
                    yield event(choice, index)
                while part is not None:
                    yield event(form.part(part), index)
                    part = await writing.part()
                yield event(form.last(writing.finish_reason), index)
        except FAILURES as error:
            status = 400 if isinstance(error, FieldError) else 500
            yield json.dumps(openai_body(error, status, message_of(error)))
            return
        if asked.includes_usage:
            yield json.dumps({**head, "choices": [], "usage": _usage(writings)})
        yield "[DONE]"
        self._count(name, writings)

    def _count(self, name: str, writings: Sequence[Writing]) -> None:
        answers = [one.answer for one in writings if one.answer is not None]
        if answers:
            seconds = perf_counter() - writings[0].begin
            self._models.named(name).metrics.answered(answers, seconds)

    def _chosen(self, name: str | None) -> str:
        """Return the name of the language model that a request names, or of the only one.

        Raises:
            UnknownModelError, FieldError: it names none, or a bundle of another task.
        """
        if name is None:
            if len(self._writers) == 1:
                return next(iter(self._writers))
            names = ", ".join(map(repr, self._writers))
            raise FieldError("model", f"model must be the name of a language model here: {names}")
        task = self._models.named(name).runtime.task.name
        if name not in self._writers:
            raise FieldError(
                "model",
                f"model {name!r:.80} is of {task}: it answers POST /v2/models/{name:.80}/infer",
            )
        return name

    def _described(self, service: Service) -> dict[str, Any]:
        return {
            "id": service.name,
            "object": "model",
            "created": self._created,
            "owned_by": "edge-experts",
            "task": service.runtime.task.name,
        }


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


async def _text(writing: Writing, field: str) -> str:
    """Wait for a whole text; raises as `_first_part`."""
    text, part = "", await _first_part(writing, field)
    while part is not None:
        text += part
        part = await writing.part()
    return text


def _require_client(writings: Sequence[Writing]) -> None:
    if any(one.is_cancelled for one in writings):
        raise ClientDisconnect


def _usage(writings: Sequence[Writing]) -> dict[str, int]:
    prompt = sum(one.prompt_tokens for one in writings)
    completion = sum(one.completion_tokens for one in writings)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
    }

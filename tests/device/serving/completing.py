"""Requests of completions to a server of the fixture `language_bundle`."""

from __future__ import annotations

import http.client
import json
from typing import Any

from edge_experts import ExpertRuntime
from edge_experts.runtime.tasks.language_model.continuation import Continued, Prompt


def ask(port: int, body: Any, path: str = "/v1/completions", **headers: str) -> tuple[int, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    raw = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    connection.request("GET" if body is None else "POST", path, raw, headers)
    response = connection.getresponse()
    content = response.read().decode()
    connection.close()
    if response.headers["content-type"].startswith("text/event-stream"):
        return response.status, [
            event.removeprefix("data: ") for event in content.split("\n\n") if event
        ]
    return response.status, json.loads(content)


def asked(**fields: Any) -> dict[str, Any]:
    """A request whose answer is always the same."""
    return {"model": "chain", "prompt": "red cat", "temperature": 0, **fields}


def alone(runtime: ExpertRuntime, prompt: Prompt) -> Continued:
    answer = runtime.predict(prompt)
    assert isinstance(answer, Continued)
    return answer

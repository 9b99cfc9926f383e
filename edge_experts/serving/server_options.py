"""Options of a server, from the command line."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from .api_keys import ApiKeys


@dataclass(frozen=True)
class ServerOptions:
    """Address and limits of a server.

    Attributes:
        port: 0 takes a free one.
        queue: largest number of requests that wait or are answered at a time.
        most_bytes: largest size of a request's body.
        most_examples: largest number of examples in a request.
        grace: seconds to finish running requests at shutdown.
        keys: None: everyone may send requests.
        sequences: texts that a language model writes at the same time.
        most_tokens: largest `max_tokens` of a completion; None: up to the context.
        request_seconds: limit for a completion, with its time in the queue.
    """

    host: str
    port: int
    queue: int
    most_bytes: int
    most_examples: int
    grace: int
    keys: ApiKeys | None = None
    sequences: int = 1
    most_tokens: int | None = None
    request_seconds: float = 300.0


def is_loopback(host: str) -> bool:
    """Test if only this machine can connect to an address."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""Connections: small packets go out at once, and clients that do not read are dropped."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

from uvicorn.protocols.http.auto import AutoHTTPProtocol

PATIENCE = 30.0  # seconds without a byte


class Connection(AutoHTTPProtocol):  # type: ignore[valid-type, misc]
    """HTTP connection without delay, closed if its client takes no byte of a response for a while.

    The request then ends as if the client had disconnected.
    """

    _timer: asyncio.TimerHandle | None = None
    _left = 0  # bytes to send when the timer was set

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio leaves this to the one who made the listening socket. Without it the second packet
        # of a response, and each token of a stream, waits some 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Called when any byte has to wait, not only when there are many.
        transport.set_write_buffer_limits(0)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_timer()

    def resume_writing(self) -> None:
        self._cancel_timer()
        super().resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._cancel_timer()
        super().connection_lost(error)

    def _set_timer(self) -> None:
        self._left = self.transport.get_write_buffer_size()
        self._timer = asyncio.get_running_loop().call_later(PATIENCE, self._check)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        if self.transport.get_write_buffer_size() < self._left:
            self._set_timer()
        else:
            self.transport.abort()

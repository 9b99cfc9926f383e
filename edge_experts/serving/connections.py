"""Connections: small packets go out at once, and clients that only hold one are dropped."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

PATIENCE = 30.0  # seconds without a byte of a response, or until the head of a request is there


class Connection(H11Protocol):
    """HTTP connection without delay, closed if its client takes no byte of a response for a while.

    The request then ends as if the client had disconnected. A connection whose request does not
    begin, or whose head does not end, is closed too: as many as the server admits would otherwise
    keep all others out. h11 also bounds the head of a request, which httptools does not.
    """

    _timer: asyncio.TimerHandle | None = None
    _left = 0  # bytes to send when the timer was set
    _head: asyncio.TimerHandle | None = None  # of the request that is arriving

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        # asyncio leaves this to the one who made the listening socket. Without it the second packet
        # of a response, and each token of a stream, waits some 40 ms.
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Called when any byte has to wait, not only when there are many.
        transport.set_write_buffer_limits(0)
        self._limit_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._limit_head()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_timer()

    def resume_writing(self) -> None:
        self._cancel_timer()
        super().resume_writing()

    def connection_lost(self, error: Exception | None) -> None:
        self._cancel_timer()
        self._cancel_head()
        super().connection_lost(error)

    def _limit_head(self) -> None:
        """Start the time of a head, which its next bytes do not prolong, or end it."""
        if self.conn.their_state is not h11.IDLE:
            self._cancel_head()
        elif self._head is None:
            loop = asyncio.get_running_loop()
            self._head = loop.call_later(PATIENCE, self.transport.abort)

    def _cancel_head(self) -> None:
        if self._head is not None:
            self._head.cancel()
            self._head = None

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

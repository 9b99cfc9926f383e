"""What ssh takes as ProxyCommand: counts all bytes of a connection, and may break it.

python relay.py PORT COUNTS [MOST]: adds a line with the number of bytes to the file COUNTS; ends
after MOST bytes, as a connection does that is lost.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path


def main(port: int, counts: Path, most: float) -> None:
    signal.signal(signal.SIGHUP, lambda *_: sys.exit())  # how ssh ends it
    board = socket.create_connection(("127.0.0.1", port))
    moved = 0
    try:
        for chunk, write in _chunks(board):
            moved += len(chunk)
            write(chunk)
            if moved >= most:
                break
    finally:
        with counts.open("a") as file:
            file.write(f"{moved}\n")


def _chunks(board: socket.socket) -> Iterator[tuple[bytes, Callable[[bytes], None]]]:
    """What comes from either side, and how to hand it to the other, until the board ends."""
    with selectors.DefaultSelector() as ready:
        ready.register(0, selectors.EVENT_READ, board.sendall)
        ready.register(board.fileno(), selectors.EVENT_READ, _write)
        while True:
            for key, _ in ready.select():
                if chunk := os.read(key.fd, 65536):
                    yield chunk, key.data
                elif key.fd:
                    return
                else:
                    ready.unregister(0)


def _write(chunk: bytes) -> None:
    while chunk:
        chunk = chunk[os.write(1, chunk) :]


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]) if sys.argv[3:] else float("inf"))

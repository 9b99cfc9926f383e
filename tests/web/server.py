"""Web server of a folder that logs requests, and can be stopped and started again."""

from __future__ import annotations

import functools
import gzip
import http.server
import io
import queue
import threading
import time
from pathlib import Path
from typing import BinaryIO


class Server:
    """Serves a folder on localhost.

    Args:
        compress: send files compressed by gzip, as public servers do.

    Attributes:
        log: paths of all requests, in their order.
        slow: seconds before the answer to a request of a path, by the path.
        reports: bodies that pages sent, for browsers that no one drives.
    """

    def __init__(self, folder: Path, *, compress: bool = False):
        self.folder = folder
        self._handler = _Compressing if compress else _Handler
        self.log: list[str] = []
        self.slow: dict[str, float] = {}
        self.reports: queue.Queue[bytes] = queue.Queue()
        self._port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://localhost:{self._port}/"

    def start(self) -> None:
        handler = functools.partial(self._handler, self, directory=str(self.folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", self._port), handler)
        self._port = self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def take(self, below: str = "/") -> list[str]:
        """Return the requests since the last call whose paths begin so, without the beginning."""
        taken = [path.removeprefix(below) for path in self.log if path.startswith(below)]
        self.log.clear()
        return taken


class _Handler(http.server.SimpleHTTPRequestHandler):
    def __init__(self, told: Server, *args: object, **options: object):
        self._told = told
        super().__init__(*args, **options)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        self._told.log.append(self.path)
        time.sleep(self._told.slow.get(self.path, 0))
        # Compares times in seconds, within which tests change files.
        del self.headers["If-Modified-Since"]
        super().do_GET()

    def do_POST(self) -> None:
        self._told.reports.put(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(204)
        self.end_headers()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-cache")
        super().end_headers()

    def log_message(self, *args: object) -> None:
        """Print nothing."""


class _Compressing(_Handler):
    def send_head(self) -> BinaryIO | None:
        """Send the headers of a compressed file."""
        path = Path(self.translate_path(self.path))
        path = path / "index.html" if path.is_dir() else path
        if not path.is_file():
            return super().send_head()
        content = _compressed(path)
        self.send_response(200)
        self.send_header("Content-Type", self.guess_type(str(path)))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        return io.BytesIO(content)


@functools.cache
def _compressed(path: Path) -> bytes:
    return gzip.compress(path.read_bytes())

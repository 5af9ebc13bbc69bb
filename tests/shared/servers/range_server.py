"""A file server on localhost that answers range requests, as object stores do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


@contextmanager
def serve_folder(
    folder: Path, allowed: Callable[[BaseHTTPRequestHandler], bool] = lambda _: True
) -> Iterator[tuple[str, list[tuple[str, int]]]]:
    """Yields the address and a growing list of (path, bytes sent).

    Requests that are not `allowed` are answered with 403.
    """
    sent: list[tuple[str, int]] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self._answer(with_body=False)

        def do_GET(self) -> None:
            self._answer(with_body=True)

        def log_message(self, *_: object) -> None:
            pass

        def _answer(self, *, with_body: bool) -> None:
            path = folder / unquote(urlsplit(self.path).path).lstrip("/")
            if not path.is_file() or not allowed(self):
                self.send_response(404 if allowed(self) else 403)
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            body, status, size = path.read_bytes(), 200, path.stat().st_size
            first, last = 0, size - 1
            wanted = self.headers.get("Range", "")
            if wanted.startswith("bytes="):
                start, _, end = wanted[6:].partition("-")
                if start:
                    first, last = int(start), min(int(end or last), last)
                else:
                    first = max(size - int(end), 0)
                status = 206
            self.send_response(status)
            self.send_header("Accept-Ranges", "bytes")
            self.send_header("Content-Length", str(last - first + 1))
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
            self.end_headers()
            if with_body:
                sent.append((path.name, last - first + 1))
                self.wfile.write(body[first : last + 1])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", sent
    finally:
        server.shutdown()
        server.server_close()
        thread.join()

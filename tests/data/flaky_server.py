"""A local HTTP server that behaves as badly as the tests of `lib.data.io.fetch` need it to."""

import hashlib
import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

from lib.data.catalogue import PublicCorpus, PublicFile


@dataclass
class Request:
    path: str
    range: str | None
    encoding: str | None
    body_bytes: int = 0


@dataclass
class FlakyServer:
    """Serves `files` (content by decoded URL path) and honours `Range` unless told otherwise.

    `cut_after`: one entry per answer, the number of body bytes after which its connection is cut.
    `stall_after`: after that many body bytes of an answer, wait until `release` is set.
    `status`: answer with this status and no content, as long as `status_times` lasts (None: always).
    """

    files: dict[str, bytes]
    cut_after: list[int] = field(default_factory=list)
    stall_after: int | None = None
    release: threading.Event = field(default_factory=threading.Event)
    stalled: threading.Event = field(default_factory=threading.Event)
    status: int | None = None
    status_times: int | None = None
    honour_range: bool = True
    wrong_range: bool = False
    requests: list[Request] = field(default_factory=list)

    def __enter__(self) -> "FlakyServer":
        self._http = _QuietServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.02})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release.set()
        self._http.shutdown()
        self._thread.join()
        self._http.server_close()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def body_bytes(self) -> int:
        return sum(request.body_bytes for request in self.requests)

    def _next_status(self) -> int | None:
        if self.status_times is not None:
            self.status_times -= 1
            if self.status_times < 0:
                return None
        return self.status

    def _handler(self) -> Callable[..., BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                request = Request(self.path, self.headers["Range"], self.headers["Accept-Encoding"])
                server.requests.append(request)
                content = server.files.get(unquote(self.path))
                status = server._next_status() or (404 if content is None else 200)
                if status != 200:
                    self._head(status, 0)
                    return
                start = 0
                if request.range and server.honour_range:
                    start = int(request.range.removeprefix("bytes=").removesuffix("-"))
                    if start >= len(content):
                        self._head(416, 0, f"bytes */{len(content)}")
                        return
                    if server.wrong_range:
                        start -= 1
                    self._head(206, len(content) - start, f"bytes {start}-{len(content) - 1}/{len(content)}")
                else:
                    self._head(200, len(content))
                self._send(request, content[start:])

            def _head(self, status: int, length: int, content_range: str | None = None) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(length))
                if content_range:
                    self.send_header("Content-Range", content_range)
                self.end_headers()

            def _send(self, request: Request, body: bytes) -> None:
                cut = server.cut_after.pop(0) if server.cut_after else None
                if server.stall_after is not None and not server.release.is_set():
                    self._write(request, body[: server.stall_after])
                    body = body[server.stall_after :]
                    server.stalled.set()
                    server.release.wait(60)
                self._write(request, body[:cut])
                self.close_connection = cut is not None

            def _write(self, request: Request, body: bytes) -> None:
                self.wfile.write(body)
                self.wfile.flush()
                request.body_bytes += len(body)

            def log_message(self, *_: object) -> None: ...

        return Handler


class _QuietServer(ThreadingHTTPServer):
    daemon_threads = False

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was killed has closed its connection; nothing to report."""


def noise(size: int, seed: int = 0) -> bytes:
    """The same incompressible bytes in every process."""
    return random.Random(seed).randbytes(size)


def public_corpus(contents: dict[str, bytes], name: str = "tiny", *, size_known: bool = True) -> PublicCorpus:
    """A corpus of these contents by path below the data root; its folder upstream has spaces in its name."""
    files = tuple(
        PublicFile(
            path=path,
            repository="someone/corpus",
            commit="c0ffee",
            repository_path=f"data of 2017/{path}",
            git_blob_sha1=hashlib.sha1(b"blob %d\0%b" % (len(content), content)).hexdigest(),
            size=len(content) if size_known else None,
            sha256=hashlib.sha256(content).hexdigest() if size_known else None,
            licence="MIT",
        )
        for path, content in contents.items()
    )
    return PublicCorpus(name, "a corpus of the tests", files)


def served(contents: dict[str, bytes]) -> dict[str, bytes]:
    """What a server must hold for `public_corpus(contents)`."""
    return {f"/someone/corpus/c0ffee/data of 2017/{path}": content for path, content in contents.items()}

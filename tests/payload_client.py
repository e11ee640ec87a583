"""One application in two interfaces, and a client for each: what payload logging must do alike for ASGI and WSGI.

Around the WSGI side stands the standard library's validator of PEP 3333, on both sides of the middleware.
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from wsgiref.validate import validator

from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware

Headers = list[tuple[str, str]]
JSON = [("content-type", "application/json")]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What an application answers."""

    status: int = 200
    headers: Headers = field(default_factory=lambda: list(JSON))
    chunks: Iterable[bytes] = (b'{"prediction": [1]}',)


@dataclass(kw_only=True)
class Call:
    """What a client sends."""

    method: str = "POST"
    path: str = "/score"
    query: str = ""
    headers: Headers = field(default_factory=lambda: list(JSON))
    chunks: tuple[bytes, ...] = (b'{"data": [[1, 2]]}',)
    declares_length: bool = True

    @property
    def all_headers(self) -> Headers:
        length = [("Content-Length", str(sum(map(len, self.chunks))))] if self.declares_length else []
        chunked = [] if self.declares_length else [("Transfer-Encoding", "chunked")]
        return [*self.headers, *length, *chunked]


Answerer = Callable[[bytes], Answer]
"""An application: the body of a request, as far as it reads it, to an answer."""


class Send(Protocol):
    """Sends a call through the middleware to an application; what the client sees of the answer."""

    def __call__(
        self, answerer: Answerer, call: Call | None = None, *, reads: bool = True, times: int = 1
    ) -> tuple[int, Headers, bytes]: ...


def send_by_wsgi(
    answerer: Answerer, call: Call | None = None, *, reads: bool = True, times: int = 1
) -> tuple[int, Headers, bytes]:
    def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterator[bytes] | list[bytes]:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 1 << 20)) if reads else b""
        answer = answerer(body)
        start_response(f"{answer.status} Whatever", answer.headers)
        return list(answer.chunks) if isinstance(answer.chunks, tuple) else iter(answer.chunks)

    wrapped: Any = validator(app)
    for _ in range(times):
        wrapped = WSGIMiddleware(wrapped)
    return run_wsgi(validator(wrapped), call or Call())


def environ_of(call: Call) -> dict[str, Any]:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": call.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": call.path.encode().decode("latin-1"),
        "QUERY_STRING": call.query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(b"".join(call.chunks)),
        "wsgi.errors": io.StringIO(),
        "wsgi.multithread": False,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    for name, value in call.all_headers:
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = value
    return environ


def run_wsgi(app: Any, call: Call) -> tuple[int, Headers, bytes]:
    started: list[tuple[int, Headers]] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], object]:
        started.append((int(status[:3]), headers))
        return lambda data: None

    chunks = app(environ_of(call), start_response)
    try:
        body = b"".join(chunks)
    finally:
        chunks.close()
    return (*started[-1], body)


def send_by_asgi(
    answerer: Answerer, call: Call | None = None, *, reads: bool = True, times: int = 1
) -> tuple[int, Headers, bytes]:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        body = b""
        while reads:
            message = await receive()
            body += message["body"]
            if not message.get("more_body"):
                break
        answer = answerer(body)
        headers = [(name.lower().encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for chunk in answer.chunks:
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    wrapped: Any = app
    for _ in range(times):
        wrapped = ASGIMiddleware(wrapped)
    return run_asgi(wrapped, call or Call())


def scope_of(call: Call) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": call.method,
        "path": call.path,
        "query_string": call.query.encode(),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in call.all_headers],
        "server": ("localhost", 80),
        "client": ("127.0.0.1", 1234),
        "scheme": "http",
    }


def run_asgi(app: Any, call: Call) -> tuple[int, Headers, bytes]:
    sent: list[Any] = []
    chunks = list(call.chunks)

    async def receive() -> dict[str, Any]:
        if not chunks:
            return {"type": "http.disconnect"}
        chunk = chunks.pop(0)
        return {"type": "http.request", "body": chunk, "more_body": bool(chunks)}

    async def send(message: Any) -> None:
        sent.append(message)

    asyncio.run(app(scope_of(call), receive, send))
    headers = [(name.decode(), value.decode()) for name, value in sent[0]["headers"]]
    return sent[0]["status"], headers, b"".join(message["body"] for message in sent[1:])

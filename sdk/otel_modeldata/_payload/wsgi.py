"""Payload logging around a WSGI application (PEP 3333).

The application reads its input through a wrapper that gets the same bytes, and its chunks are passed on one by one. The
exchange ends when the server closes the response, after its last byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ..context import REQUEST_ID_HEADER
from .exchange import BAGGAGE_HEADER, RequestHead
from .logger import MARK, PayloadLogger, safely

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from .captured_headers import Header
    from .exchange import Exchange

    Environ = dict[str, Any]
    StartResponse = Callable[..., Callable[[bytes], object]]
    WSGIApplication = Callable[[Environ, StartResponse], Iterable[bytes]]

_AZURE_MAX_ID_CHARS: Final = 100
"""Azure's scoring server answers 431 to a longer `x-request-id`."""


class WSGIMiddleware:
    """Collects the requests and responses of a WSGI application.

    ```python
    app.wsgi_app = WSGIMiddleware(app.wsgi_app)  # Flask
    ```

    Azure's scoring server makes an `x-request-id` if a request has none. The middleware gives it the correlation id in
    that header, so that the client gets the id of the lines in the response.

    Args:
        app: any WSGI application; it gets the same requests as without this middleware.

    Raises:
        ConfigError: the configuration, the endpoint or a variable is wrong.
    """

    def __init__(self, app: WSGIApplication) -> None:
        self.app = app
        self._log = PayloadLogger()
        self._names_requests = hasattr(app, "azml_blueprint")

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        exchange = None if MARK in environ else safely(self._open, environ)
        if exchange is None:
            return self.app(environ, start_response)
        environ[MARK] = True
        if exchange.sends_on:
            environ[_key(BAGGAGE_HEADER)] = exchange.sends_on
        if self._names_requests and len(exchange.correlation_id) <= _AZURE_MAX_ID_CHARS:
            environ.setdefault(_key(REQUEST_ID_HEADER), exchange.correlation_id)
        if exchange.is_observed:
            return self._observe(exchange, environ, start_response)
        with exchange.current():
            chunks = self.app(environ, start_response)
        return chunks if _is_made(chunks, environ) else _Chunks(chunks, exchange)

    def _open(self, environ: Environ) -> Exchange | None:
        return self._log.open(_head(environ))

    def _observe(self, exchange: Exchange, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        def begin(status: str, headers: list[tuple[str, str]], *exc_info: Any) -> Callable[[bytes], object]:
            write = start_response(status, headers, *exc_info)
            safely(_begin, exchange, status, headers)

            def observed(data: bytes) -> object:
                safely(exchange.take_response, data)
                return write(data)

            return observed

        if exchange.request is not None:
            environ["wsgi.input"] = _Input(environ["wsgi.input"], exchange.take_request)
        try:
            with exchange.current():
                chunks = self.app(environ, begin)
        except BaseException:  # only to end the exchange; raised again
            safely(exchange.end, is_whole=False)
            raise
        return (_SizedChunks if hasattr(chunks, "__len__") else _Chunks)(chunks, exchange)


class _Chunks:
    """The chunks of a response; a generator runs here, inside the context of its request."""

    def __init__(self, chunks: Iterable[bytes], exchange: Exchange) -> None:
        self._chunks = chunks
        self._iterator: Iterator[bytes] | None = None
        self._exchange = exchange
        self._is_whole = False

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        with self._exchange.current():
            if self._iterator is None:
                self._iterator = iter(self._chunks)
            try:
                chunk = next(self._iterator)
            except StopIteration:
                self._is_whole = True
                raise
        safely(self._exchange.take_response, chunk)
        return chunk

    def close(self) -> None:
        """Called by the server after the last chunk that it sends."""
        try:
            close = getattr(self._chunks, "close", None)
            if close is not None:
                with self._exchange.current():
                    close()
        finally:
            safely(self._exchange.end, is_whole=self._is_whole)

    def __del__(self) -> None:
        """For servers that do not call `close`, such as uvicorn's own adapter."""
        safely(self._exchange.end, is_whole=self._is_whole)


class _SizedChunks(_Chunks):
    """A response with a known number of chunks: servers use it to set Content-Length (PEP 3333)."""

    def __len__(self) -> int:
        return len(self._chunks)  # type: ignore[arg-type] # it has one, see `_observe`


class _Input:
    """`wsgi.input`: the four methods of PEP 3333, and all other attributes of the server's own object."""

    def __init__(self, stream: Any, take: Callable[[bytes], object]) -> None:
        self._stream = stream
        self._take = take

    def read(self, *size: int) -> bytes:
        data: bytes = self._stream.read(*size)
        safely(self._take, data)
        return data

    def readline(self, *size: int) -> bytes:
        line: bytes = self._stream.readline(*size)
        safely(self._take, line)
        return line

    def readlines(self, *hint: int) -> list[bytes]:
        lines: list[bytes] = self._stream.readlines(*hint)
        for line in lines:
            safely(self._take, line)
        return lines

    def __iter__(self) -> Iterator[bytes]:
        for line in self._stream:
            safely(self._take, line)
            yield line

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._stream, name)
        if name == "readinto":
            return self._readinto
        return found

    def _readinto(self, buffer: bytearray | memoryview) -> int | None:
        count: int | None = self._stream.readinto(buffer)
        safely(self._take, bytes(memoryview(buffer)[: count or 0]))
        return count


def _begin(exchange: Exchange, status: str, headers: list[tuple[str, str]]) -> None:
    values = {name.lower(): value for name, value in headers}
    exchange.begin_response(int(status[:3]), values.get)


def _is_made(chunks: Iterable[bytes], environ: Environ) -> bool:
    """Whether no code of the application runs while the response is sent; the server may then use sendfile."""
    wrapper = environ.get("wsgi.file_wrapper")
    return isinstance(chunks, (list, tuple)) or (isinstance(wrapper, type) and isinstance(chunks, wrapper))


def _head(environ: Environ) -> RequestHead:
    # PEP 3333: these texts are bytes decoded as ISO-8859-1.
    path = environ.get("SCRIPT_NAME", "") + environ.get("PATH_INFO", "")
    path = path.encode("latin-1").decode("utf-8", "replace")
    return RequestHead(environ["REQUEST_METHOD"].upper(), path, environ.get("QUERY_STRING", ""), _header(environ))


def _header(environ: Environ) -> Header:
    return lambda name: environ.get(_key(name))


def _key(name: str) -> str:
    key = name.upper().replace("-", "_")
    return key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"

"""Pages of metrics: what is read of them is bounded, and what is none is a sentence."""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.commands.why import page
from otel_modeldata_receiver.commands.why.gateway import about_gateway
from otel_modeldata_receiver.commands.why.page import NoPageError, metrics_of, read_page

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def serving(body: bytes, status: int = 200) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_metrics_are_summed_by_their_labels_with_and_without_total() -> None:
    metrics = metrics_of(
        '# TYPE a counter\na{x="1",y="p"} 2\na{x="1",y="q"} 3\na{x="2",y="p"} 4\n'
        '# TYPE b counter\nb_total{x="1"} 5\n# TYPE c gauge\nc 6\n'
    )
    assert metrics.by("a", "x") == {"1": 5, "2": 4}
    assert metrics.by("a", "x", "y") == {"1/p": 2, "1/q": 3, "2/p": 4}
    assert metrics.by("a", "x", y="p") == {"1": 2, "2": 4}
    assert [metrics.total(name) for name in ("a", "b", "c", "d")] == [9, 5, 6, 0]
    assert metrics.total("a", x="1") == 5


@pytest.mark.parametrize("text", ["a{x=", "a b c d", "<html><body>x</body></html>", '{"a": 1}', 'a{x="1"} one'])
def test_a_page_that_has_no_metrics(text: str) -> None:
    with pytest.raises(NoPageError, match="Prometheus"):
        metrics_of(text)


def test_a_page_of_any_status_is_read_and_one_that_is_too_large_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving(b"not ready: \xff", 503) as url:
        assert read_page(f"{url}/readyz") == page.Page(status=503, text="not ready: \ufffd")
    monkeypatch.setattr(page, "_MOST_BYTES", 1000)
    with serving(b"x" * 5000) as url, pytest.raises(NoPageError, match="more than 1,000 bytes"):
        read_page(url)
    monkeypatch.setattr(page, "_MOST_SECONDS", -1.0)
    with serving(b"x") as url, pytest.raises(NoPageError, match="did not end within"):
        read_page(url)


@pytest.mark.parametrize("answer", [b"", b"SSH-2.0-OpenSSH\r\n", b"HTTP/1.1 two hundred\r\n\r\n"])
def test_a_server_of_another_protocol(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(1000)
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        with pytest.raises(NoPageError):
            read_page(f"http://127.0.0.1:{listener.getsockname()[1]}")
        thread.join(60)


def test_without_prometheus_client_metrics_are_not_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.parser", None)
    with serving(b"a 1\n") as url:
        (found,) = about_gateway(url, has_data=False)
    assert (found.cause, found.outcome) == ("no_gateway_metrics", "not checked")
    assert found.sentence.endswith("pip install 'otel-modeldata[receiver]'")


def test_a_url_that_is_none() -> None:
    with pytest.raises(NoPageError):
        read_page("http://[::1")

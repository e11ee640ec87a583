"""The server ends when it is asked to, whatever its event loop does at that moment."""

from __future__ import annotations

import asyncio
import signal
import socket
import threading
import urllib.request

import pytest
from starlette.responses import PlainTextResponse
from starlette.routing import Route

import otel_modeldata_studio.web.server as serving


class Ending:
    """An application that needs a lock to end, and holds it in an answer, in which the signal comes."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.ended = 0

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        async def answer(_: object) -> PlainTextResponse:
            with self.lock:
                signal.raise_signal(signal.SIGINT)
            return PlainTextResponse("answer")

        await Route("/", answer).handle({**scope, "path_params": {}}, receive, send)  # type: ignore[arg-type, dict-item]

    def end_streams(self) -> None:
        assert self.lock.acquire(timeout=10), "the answer holds it, and waits for this"
        self.ended += 1
        self.lock.release()


@pytest.mark.slow
def test_a_signal_while_the_event_loop_holds_a_lock_ends_the_server() -> None:
    app, answers = Ending(), []
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        def ask() -> None:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=60) as answer:
                answers.append(answer.read())

        asking = threading.Thread(target=ask)
        asking.start()
        serving.serve(app, listening)  # type: ignore[arg-type]
        asking.join()
    assert answers == [b"answer"]
    assert app.ended == 2  # by the signal, and at the end


class Deaf(Ending):
    """An application with an answer that does not end when it is asked to."""

    async def __call__(self, scope: object, receive: object, send: object) -> None:
        signal.raise_signal(signal.SIGINT)
        await asyncio.Event().wait()


@pytest.mark.slow
def test_an_answer_that_the_end_cancels_is_no_line(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening, socket.create_connection(listening.getsockname()) as one:
        one.sendall(b"GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n")
        serving.serve(Deaf(), listening)  # type: ignore[arg-type]
    assert [record.getMessage() for record in caplog.records if record.levelname != "DEBUG"] == []

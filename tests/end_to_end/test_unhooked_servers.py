"""Servers whose payloads cannot be collected without code."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from payload_servers import (
        Served,
    )


TORNADO = """
import asyncio, sys
import tornado.web

class Score(tornado.web.RequestHandler):
    def get(self):
        self.write("Healthy")

async def main():
    tornado.web.Application([("/", Score)]).listen(int(sys.argv[1]), "127.0.0.1")
    await asyncio.Event().wait()

asyncio.run(main())
"""
AIOHTTP = """
import sys
from aiohttp import web

async def score(request):
    return web.Response(text="Healthy")

app = web.Application()
app.router.add_get("/", score)
web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]))
"""
RSGI = """
async def app(scope, protocol):
    protocol.response_str(200, [], "Healthy")
"""
UNKNOWN = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from otel_modeldata._payload import server_watch

class Score(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()

server_watch.watch._grace_seconds = 0.1
HTTPServer(("127.0.0.1", int(sys.argv[1])), Score).serve_forever()
"""
IN_CODE = (
    "wrap it in code: `from otel_modeldata.payload import ASGIMiddleware`, then `app = ASGIMiddleware(app)`, or "
    "WSGIMiddleware"
)
NO_INTERFACE = (
    "it serves no ASGI or WSGI application; collect frames with a Collector, or serve the model with an ASGI or WSGI "
    "application"
)
COLLECTS_NOTHING = "payload logging collects nothing"
CANNOT_BE_HOOKED = {
    "tornado": (TORNADO, f"{COLLECTS_NOTHING} from tornado: {NO_INTERFACE}"),
    "aiohttp": (AIOHTTP, f"{COLLECTS_NOTHING} from aiohttp: {NO_INTERFACE}"),
    "unknown": (
        UNKNOWN,
        (
            f"{COLLECTS_NOTHING}: this process listens on 127.0.0.1:PORT, and it runs none of the servers that payload "
            f"logging hooks; if it serves an ASGI or WSGI application, {IN_CODE}"
        ),
    ),
    "rsgi": (
        RSGI,
        f"{COLLECTS_NOTHING} from granian's interface rsgi: start granian with --interface asgi or --interface wsgi",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("server", CANNOT_BE_HOOKED)
def test_a_server_that_cannot_be_hooked_is_one_log_line_that_says_what_to_do(
    serve: Callable[..., Served], server: str
) -> None:
    application, line = CANNOT_BE_HOOKED[server]
    command = ("python", "application.py", "PORT")
    if server == "rsgi":
        command = ("granian", "--port=PORT", "application:app")
    served = serve(application, *command)
    expected = line.replace("PORT", str(served.port))
    wait_until(lambda: expected in served.log.read_text())
    assert served.send("/", method="GET")[0] == 200
    served.stop()
    assert [found for found in served.log.read_text().splitlines() if "payload logging" in found] == [expected]

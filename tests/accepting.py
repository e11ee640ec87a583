"""Runs in the programs that `test_exits.py` ends in every way: collects, and writes down what was accepted.

What `collect` returned for stands in the file `ACCEPTED` before anything else happens, whatever ends the program then.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pandas as pd

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable

COLLECTOR = Collector(name="model_inputs")
FRAME = pd.DataFrame({"feature": [1.5], "name": ["x"]})


def collect(name: str, count: int = 1) -> None:
    """Collect `count` frames under the correlation ids `{name}-{n}`."""
    accepted = os.open(os.environ["ACCEPTED"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for n in range(count):
        COLLECTOR.collect(FRAME, BasicCorrelationContext(id=f"{name}-{n}"))
        os.write(accepted, f"{name}-{n}\n".encode())
    os.close(accepted)


def wsgi_app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """One event for each request, named by its path."""
    collect(environ["PATH_INFO"].strip("/"))
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [str(os.getpid()).encode()]


async def asgi_app(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """As `wsgi_app`; the end of its lifespan is where an ASGI application shuts down."""
    if scope["type"] == "lifespan":
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        if "OTEL_MODELDATA_SPOOL" not in os.environ:
            otel_modeldata.shutdown()
        await send({"type": "lifespan.shutdown.complete"})
    else:
        collect(scope["path"].strip("/"))
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/plain")]})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})

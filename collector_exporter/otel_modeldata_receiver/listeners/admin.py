"""The admin listener: whether the receiver lives and is ready, and its metrics, over plain HTTP.

It takes no data and needs no certificate, so that a kubelet and a Prometheus can ask a receiver that serves mTLS.
Whoever reaches it sees the names of deployments in metrics, and nothing of their data.

| path | answer |
|---|---|
| `/livez` | 200 while the process answers |
| `/readyz` | 200 while the store can be written, else 503; the store is probed while no data arrives |
| `/metrics` | all metrics in Prometheus's text format |
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from aiohttp import web

from .http_server import HttpServer, Route

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..telemetry.prometheus import PrometheusReader
    from .http_request import HttpRefusal

__all__ = ["SETTING", "admin_listener"]

SETTING: Final = "admin_listen"
"""The setting with its address."""
_NO_METRICS: Final = "expected a receiver that keeps its metrics, got one inside another program; ask that program\n"


def admin_listener(listen: str, ready: Callable[[], str | None], metrics: PrometheusReader | None) -> HttpServer:
    """The listener, not yet started.

    Args:
        listen: `HOST:PORT`.
        ready: returns why the receiver is not ready, or None when it is.
        metrics: reads the metrics; None where nothing keeps them.
    """
    routes: dict[str, Route] = {"/livez": _Alive(), "/readyz": _Ready(ready), "/metrics": _Metrics(metrics)}
    return HttpServer(SETTING, listen, routes, method="GET")


class _Page(Route):
    def refused(self, request: web.BaseRequest, refusal: HttpRefusal) -> web.Response:  # noqa: ARG002 (the interface)
        return web.Response(status=refusal.status, text=f"{refusal.message}\n", headers=refusal.headers)


class _Alive(_Page):
    async def answer(self, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        return web.Response(text="alive\n")


class _Ready(_Page):
    def __init__(self, ready: Callable[[], str | None]) -> None:
        self._ready = ready

    async def answer(self, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        reason = self._ready()
        if reason is None:
            return web.Response(text="ready\n")
        return web.Response(status=503, text=f"not ready: {reason}\n")


class _Metrics(_Page):
    def __init__(self, metrics: PrometheusReader | None) -> None:
        self._metrics = metrics

    async def answer(self, request: web.BaseRequest) -> web.Response:  # noqa: ARG002
        if self._metrics is None:
            return web.Response(status=501, text=_NO_METRICS)
        text = await asyncio.to_thread(self._metrics.text)
        return web.Response(body=text, headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"})

"""Payload logging of one application: which exchanges are collected, and where their records go.

What is collected is up to the configuration: the collections `request` and `response`, each with its own rate. Without
any configuration both are: whoever puts a middleware around an application wants that. The decision hangs on the
correlation id alone, as for frames, so request, response, inputs and outputs are kept together or not at all.

`safely` is the edge to serving: whatever goes wrong here is told once a minute and changes nothing for the client.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from .. import _forking, semconv
from .._delivery import metrics, open_transport
from .._delivery.loss_reporter import Notices
from .._settings.payload import collected_rates
from .._settings.settings import Settings
from .captured_headers import HeaderList
from .exchange import REQUEST, RESPONSE, Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import SpanContext

    from .._emitter import Emitter
    from .._encoding.log_record import Payload
    from .exchange import RequestHead

MARK: Final = "otel_modeldata.payload"
"""In a scope or environ: a middleware further out collects this exchange."""
LAST_FLUSH_SECONDS: Final = 10.0
"""How long the end of a server waits for deliveries, as the end of the interpreter does (`_delivery/process.py`)."""

P = ParamSpec("P")
T = TypeVar("T")

_notices = Notices()


def safely(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """What `act` returns; None when it fails, which one log line a minute tells."""
    try:
        return act(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - the edge to serving: a client must not notice
        condition = type(error).__name__
        _notices.warn(condition, "payload logging: expected to collect a request, got %s: %s", condition, error)
        return None


class PayloadLog:
    """What the middleware of one application asks.

    Raises:
        ConfigError: the configuration, the endpoint or a variable is wrong.
    """

    def __init__(self) -> None:
        settings = Settings.from_env()
        self._config, self._settings = settings.config, settings.payload
        open_transport.check(settings)
        metrics.register_once()
        self._headers = HeaderList(self._config.capture_headers)
        self._rates = collected_rates(self._config)
        if self._config.enabled and self._config.collections is None:
            self._rates = dict.fromkeys((REQUEST, RESPONSE), self._config.sampling_rate)
        self._emitters = self._make_emitters(settings)

    def _make_emitters(self, settings: Settings) -> dict[str, Emitter]:
        """Made before the first request, which would else wait for the heavy half of the package to load."""
        if not self._rates:
            return {}
        with _forking.guard:
            from .._emitter import Emitter  # noqa: PLC0415 - only where payloads are collected

            return {name: Emitter(name, settings, rate, None) for name, rate in self._rates.items()}

    def open(self, head: RequestHead) -> Exchange:
        """The exchange that a request begins; it has a correlation context even when nothing of it is collected."""
        exchange = Exchange(head, self._settings.max_bytes)
        if self._rates and self._settings.is_scoring(head.method, head.path):
            names = [name for name, rate in self._rates.items() if self._is_sampled(name, rate, exchange)]
            if names:
                exchange.observe(
                    self._emit, self._headers.read(head.header), request=REQUEST in names, response=RESPONSE in names
                )
        return exchange

    def _is_sampled(self, name: str, rate: float, exchange: Exchange) -> bool:
        is_sampled = semconv.is_sampled(exchange.correlation_id, rate)
        if not is_sampled:
            metrics.count_sampled_out(name)
        return is_sampled

    def _emit(
        self,
        collection: str,
        payload: Payload,
        attributes: Mapping[str, str | float],
        time_ns: int,
        span_context: SpanContext,
    ) -> None:
        """Emit one record; a refusal must not take the other record of the exchange with it."""
        if self._config.local_capture:
            _print(collection, attributes, payload)
        else:
            safely(self._emit_counted, collection, payload, attributes, time_ns, span_context)

    def _emit_counted(
        self,
        collection: str,
        payload: Payload,
        attributes: Mapping[str, str | float],
        time_ns: int,
        span_context: SpanContext,
    ) -> None:
        try:
            self._emitters[collection].emit_payload(payload, attributes, time_ns, span_context)
        except Exception as error:  # counted only: `safely` ends it
            metrics.count_refused(collection, error)
            raise


def _print(collection: str, attributes: Mapping[str, str | float], payload: Payload) -> None:
    """Azure's local capture: one line on standard output, no server."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    text = payload.text().decode() if payload.is_text else f"({payload.nbytes} bytes)"
    correlation_id = attributes[semconv.AZUREML_CORRELATION_ID]
    sys.stdout.write(f"{moment} | {collection} | {correlation_id} | {' '.join(text.splitlines())}\n")

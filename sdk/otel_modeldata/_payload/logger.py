"""Payload logging of one application: chooses the exchanges to collect, and emits their records.

The configuration decides what is collected: the collections `request` and `response`, each with its own rate. Without
any configuration both are collected, because wrapping an application in a middleware shows that intent. The decision
depends on the correlation id alone, as for frames, so request, response, inputs and outputs are collected together or
not at all.

`safely` is the error boundary to serving: an error here is logged once a minute and changes nothing for the client.
"""

from __future__ import annotations

import logging
import sys
import time
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from .. import _forking, semconv
from .._delivery import metrics, open_transport
from .._delivery.ending.hooks import install_hooks
from .._settings.payload import collected_rates
from .._settings.settings import Settings
from ..log_throttle import LogThrottle
from .captured_headers import CapturedHeaders
from .exchange import REQUEST, RESPONSE, Exchange, is_open
from .server_watch import watch

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.trace import SpanContext

    from .._emitter import Emitter
    from .._encoding.log_record import PayloadBody
    from .exchange import RequestHead

logger = logging.getLogger(__name__)

MARK: Final = "otel_modeldata.payload"
"""Key in a scope or environ: an outer middleware already collects this exchange."""

P = ParamSpec("P")
T = TypeVar("T")

_throttle = LogThrottle(logger)


def safely(act: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T | None:
    """The result of `act`; None when it fails, which is logged at most once a minute."""
    try:
        return act(*args, **kwargs)
    except Exception as error:  # noqa: BLE001 - error boundary to serving: a client must not notice
        condition = type(error).__name__
        message = "payload logging: expected to collect a request, got %s: %s"
        _throttle.log(logging.WARNING, condition, message, condition, error)
        return None


class PayloadLogger:
    """Opens an exchange for each request of one application, and emits its records.

    Raises:
        ConfigError: the configuration, the endpoint or a variable is wrong.
    """

    def __init__(self) -> None:
        with _forking.guard:  # OpenTelemetry's resource is loaded here
            settings = Settings.from_env()
        self._config, self._settings = settings.config, settings.payload
        open_transport.check(settings)
        metrics.register_once()
        install_hooks(on_sigterm=settings.delivery.on_sigterm)
        self._headers = CapturedHeaders(self._config.capture_headers)
        self._rates = collected_rates(self._config)
        if self._config.enabled and self._config.collections is None:
            self._rates = dict.fromkeys((REQUEST, RESPONSE), self._config.sampling_rate)
        self._emitters = self._make_emitters(settings)
        watch.wraps()

    def __reduce__(self) -> tuple[type[PayloadLogger], tuple[()]]:
        """A pickled application has nothing of the environment, which has secrets; its copy reads its own."""
        return type(self), ()

    def _make_emitters(self, settings: Settings) -> dict[str, Emitter]:
        """Load the heavy part of the package now, so that the first request does not wait for it."""
        if not self._rates:
            return {}
        with _forking.guard:
            from .._emitter import Emitter  # noqa: PLC0415 - only where payloads are collected

            return {name: Emitter(name, settings, rate, None) for name, rate in self._rates.items()}

    def open(self, head: RequestHead) -> Exchange | None:
        """The exchange of a request; it has a correlation context even if nothing of it is collected.

        None if an outer middleware has opened one: `MARK` does not pass an adapter from ASGI to WSGI.
        """
        if is_open(head):
            return None
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
        payload: PayloadBody,
        attributes: Mapping[str, str | float],
        time_ns: int,
        span_context: SpanContext,
    ) -> None:
        """Emit one record; a refusal must not affect the other record of the exchange."""
        if self._config.local_capture:
            _print(collection, attributes, payload)
        else:
            safely(self._emit_counted, collection, payload, attributes, time_ns, span_context)

    def _emit_counted(
        self,
        collection: str,
        payload: PayloadBody,
        attributes: Mapping[str, str | float],
        time_ns: int,
        span_context: SpanContext,
    ) -> None:
        try:
            self._emitters[collection].emit_payload(payload, attributes, time_ns, span_context)
        except Exception as error:  # only counted: `safely` handles it
            metrics.count_refused(collection, error)
            raise


def _print(collection: str, attributes: Mapping[str, str | float], payload: PayloadBody) -> None:
    """Azure's local capture: one line on standard output, no server."""
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    text = payload.text().decode() if payload.is_text else f"({payload.nbytes} bytes)"
    correlation_id = attributes[semconv.AZUREML_CORRELATION_ID]
    sys.stdout.write(f"{moment} | {collection} | {correlation_id} | {' '.join(text.splitlines())}\n")

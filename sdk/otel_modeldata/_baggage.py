"""The correlation id as an entry of OpenTelemetry's baggage, which propagators carry from service to service.

This module uses OTel only if the process has loaded it: without OTel nothing propagates baggage. An id from outside is
untrusted: it is used only if it has at most `MAX_CHARS` characters, all printable. The id joins lines and grants no
access: a client can choose it, like `x-request-id`.
"""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from . import semconv

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextvars import Token

__all__ = ["MAX_CHARS", "attach", "current", "detach", "get_context", "quick_getter"]

MAX_CHARS = 256
"""A UUID has 36. W3C Baggage guarantees 8192 bytes for all entries of a request together."""

_ENTRY = semconv.AZUREML_CORRELATION_ID


def current() -> str | None:
    """The id in the current baggage; None if there is no usable one."""
    everything = get_context()
    if not everything:  # outside of a request, the usual case: one look-up
        return None
    api = _api()
    if api is None:
        return None
    found = api.get_baggage(_ENTRY, everything)
    return found if isinstance(found, str) and _is_usable(found) else None


def _look_for_otel() -> Any:
    """The current context; once OTel is loaded, later calls go to OTel directly."""
    global get_context  # noqa: PLW0603 - once per process
    context = sys.modules.get("opentelemetry.context")
    get_current = getattr(context, "get_current", None)  # missing while another thread imports it
    if get_current is None:
        return None
    get_context = quick_getter(get_current)
    return get_context()


get_context: Callable[[], Any] = _look_for_otel
"""The current context of OTel; None or an empty one outside of a request."""


def quick_getter(get_current: Callable[[], Any]) -> Callable[[], Any]:
    """OTel's `get_current` without its calls, and without the lock that releases before 1.25 take in each call.

    A signal handler that interrupts such a call, and collects, would wait for its own thread. The lock guards only the
    load of the context, which happens here.
    """
    get_current()
    runtime = getattr(sys.modules.get("opentelemetry.context"), "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    if type(runtime).__module__ == "opentelemetry.context.contextvars_context" and type(variable) is ContextVar:
        return variable.get  # what `get_current` returns; any other context is asked in the public way
    return getattr(get_current, "__wrapped__", get_current)  # they wrap it with `functools.wraps`


def attach(correlation_id: str) -> Token[Any] | None:
    """Put the id into the current baggage until `detach` is called with the returned token."""
    api = _api()
    if api is None or not _is_usable(correlation_id):
        return None
    from opentelemetry import context  # noqa: PLC0415 - loaded together with `_api`

    return context.attach(api.set_baggage(_ENTRY, correlation_id))


def detach(attached: Token[Any] | None) -> None:
    """Undo `attach`."""
    if attached is not None:
        from opentelemetry import context  # noqa: PLC0415 - loaded by `attach`

        context.detach(attached)


def _api() -> Any:
    """OTel's baggage API; None when it is not loaded: then nothing propagates baggage."""
    return sys.modules.get("opentelemetry.baggage")


def _is_usable(correlation_id: str) -> bool:
    return 0 < len(correlation_id) <= MAX_CHARS and correlation_id.isprintable()

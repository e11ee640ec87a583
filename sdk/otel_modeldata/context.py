"""Correlation contexts: they join the inputs and outputs of one request.

The classes and methods are those of `azureml.ai.monitoring.context`. In addition, `use_correlation_context` makes a
context the current one. It propagates like the current span, so `collect` needs no argument. OpenTelemetry sends its id
to other services with the trace, as W3C baggage: inputs that one service collects and outputs that the next one
collects have the same correlation id.
"""

from __future__ import annotations

import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from numbers import Real
from typing import TYPE_CHECKING, Any, Generic, TypeVar, overload

from . import _baggage, _forking, semconv
from .exceptions import ContextError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = [
    "BasicCorrelationContext",
    "CorrelationContext",
    "WrapperContext",
    "current_correlation_context",
    "sent_correlation_id",
    "use_correlation_context",
]

REQUEST_ID_HEADER = "x-request-id"
"""The header of a context that becomes `xrequestid` of the line."""


_T = TypeVar("_T")


class _MadeOnFirstUse(Generic[_T]):
    """An attribute that is made when it is read: most contexts are made by `collect`, and have only their id read."""

    def __init__(self, make: Callable[[Any], _T]) -> None:
        self._make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, _: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, instance: None, _: type) -> _MadeOnFirstUse[_T]: ...
    @overload
    def __get__(self, instance: object, _: type) -> _T: ...
    def __get__(self, instance: object | None, _: type) -> _MadeOnFirstUse[_T] | _T:
        if instance is None:
            return self
        made: _T = vars(instance).setdefault(self._name, self._make(instance))
        return made


_FEW, _MANY = 16, 256
_ids: list[str] = []
"""Correlation ids that the delivery thread makes in advance, to save time in `collect`. If a running process is cloned,
some are used twice: acceptable for correlation ids, not for event ids, which must be unique."""


def new_uuid() -> str:
    """A random uuid (RFC 9562, version 4) as text; a third of the cost of `str(uuid.uuid4())`."""
    return _uuid_of(os.urandom(16))


def _uuid_of(octets: bytes) -> str:
    digits = octets.hex()
    variant = "89ab"[octets[8] >> 6]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def prepare_ids() -> None:
    """Make correlation ids in advance; called off the hot path."""
    _make_ids(_MANY - len(_ids))


def _make_ids(count: int) -> None:
    """Read the random bytes for all ids at once, because each read releases the GIL."""
    if count > 0:
        octets = os.urandom(16 * count)
        _ids.extend([_uuid_of(octets[start : start + 16]) for start in range(0, len(octets), 16)])


def _new_correlation_id() -> str:
    """An id when there is none in advance."""
    _make_ids(_FEW)
    return new_uuid()


_forking.on_fork(after_in_child=_ids.clear)


class CorrelationContext:
    """The argument and result of `collect`; subclass it to use an id from elsewhere."""

    def get_id(self) -> str:
        """The correlation id: joins inputs, outputs and, later, ground truth."""
        return ""

    def __str__(self) -> str:
        return self.get_id()

    def __repr__(self) -> str:
        return self.__str__()


class BasicCorrelationContext(CorrelationContext):
    """A correlation id with a time and headers.

    Args:
        id: the id, or any value that converts to it with `str`; should be unique per request. A new UUID when missing.
            The row with index n of a frame has the row id `{id}_{n}` in Azure's consumer.
        timestamp: event time in whole seconds since 1970 (UTC). When missing, each event has the time of its `collect`,
            and `get_timestamp` returns the time when the context was made.
        headers: `x-request-id` becomes `xrequestid` of the line; any other name of lower-case letters and digits
            becomes its own line key, e.g. `{"tenant": "a"}`.
    """

    has_own_timestamp = False
    collected_rows = (0, 0)

    def __init__(
        self,
        id: object = None,  # noqa: A002 - the parameter's name is the official API
        timestamp: int | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        if id is None or id == "":
            try:
                self.id = _ids.pop()
            except IndexError:
                self.id = _new_correlation_id()
        else:
            self.id = str(id)
        if headers:
            self.headers = dict(headers)
        if timestamp is None:
            self.made_ns = time.time_ns()  # which `collect` takes as the time of the event
        else:
            self.timestamp = timestamp
            self.has_own_timestamp = True

    @_MadeOnFirstUse
    def headers(self) -> dict[str, str]:
        """The headers, as given."""
        return {}

    @_MadeOnFirstUse
    def timestamp(self) -> int:
        """Whole seconds since 1970."""
        return self.made_ns // 1_000_000_000

    @property
    def row_ids(self) -> list[str]:
        """The row ids of the frame last collected with this context: `{id}_{n}`, as Azure's consumer makes them.

        n starts above 0 when the frame joined the event of one collected just before (`OTEL_MODELDATA_BATCH_MS`). Later
        frames of the same id have separate events, and Azure's consumer numbers the rows of each from 0: if requests
        share an id, their rows have the same row ids.

        If threads or tasks share the context, each has the row ids of its own last frame.
        """
        last = _last_collected.get()
        start, count = last[1] if last is not None and last[0] is self else self.collected_rows
        return [f"{self.id}_{number}" for number in range(start, start + count)]

    def get_id(self) -> str:
        """The correlation id."""
        return self.id

    def get_timestamp(self) -> int:
        """Whole seconds since 1970."""
        return self.timestamp

    def get_headers(self) -> dict[str, str]:
        """The headers, as given."""
        return self.headers


_last_collected: ContextVar[tuple[BasicCorrelationContext, tuple[int, int]] | None] = ContextVar(
    "otel_modeldata_last_collected", default=None
)
"""The context of the frame that this thread or task collected last, and its rows."""


def set_collected_rows(context: CorrelationContext, rows: tuple[int, int]) -> None:
    """Remember which rows of its event the frame has that was just collected with `context`, for `row_ids`.

    Args:
        context: of the frame; another thread or task may have it, too.
        rows: the first one and their number.
    """
    if isinstance(context, BasicCorrelationContext):
        context.collected_rows = rows
        _last_collected.set((context, rows))


_END_OF_TIME = 2**63 // 1_000_000_000
"""The maximum of seconds since 1970 with nanoseconds in a signed 64 bit number: the year 2262."""

_current: ContextVar[CorrelationContext | None] = ContextVar("otel_modeldata_correlation_context", default=None)
read_current = _current.get
"""`current_correlation_context` without a call of Python."""


class WrapperContext(CorrelationContext):
    """The result of `collect` in debug mode (`AZUREML_MDC_DEBUG=true`): the context, and whether the call succeeded."""

    def __init__(self, correlation_context: CorrelationContext, success: bool, message: str) -> None:
        self.wrapped = correlation_context
        self._success = success
        self._message = message

    def get_id(self) -> str:
        """The wrapped context's id."""
        return self.wrapped.get_id()

    def get_timestamp(self) -> int:
        """The wrapped context's timestamp."""
        return int(getattr(self.wrapped, "get_timestamp", time.time)())

    def get_headers(self) -> dict[str, str]:
        """The wrapped context's headers."""
        return headers_of(self.wrapped)

    def is_success(self) -> bool:
        """Whether the frame was accepted for delivery."""
        return self._success

    def get_message(self) -> str:
        """`accepted`, `dropped_sampling`, or the text of the refusal."""
        return self._message


@contextmanager
def use_correlation_context(context: CorrelationContext) -> Iterator[CorrelationContext]:
    """Make `context` the current one: `collect` uses it when it gets no context.

    It propagates like the current span: through `await`, and into threads that copy the context. Requests to other
    services carry its id as the baggage entry `azureml.correlation.id`.
    """
    token = _current.set(context)
    attached = _baggage.attach(_id_of(context))
    try:
        yield context
    finally:
        _baggage.detach(attached)
        _current.reset(token)


def _id_of(context: CorrelationContext) -> str:
    """The id; an empty text if the context has none. `collect` reports that error, because it has `on_error`."""
    try:
        return str(context.get_id() or "")
    except Exception:  # noqa: BLE001 - the caller's own class must not break a request here
        return ""


def sent_correlation_id() -> str | None:
    """The correlation id that the calling service sent as W3C baggage; None if there is no usable one."""
    return _baggage.current()


def current_correlation_context() -> CorrelationContext | None:
    """The current context; None if there is none."""
    return _current.get()


def resolve(context: CorrelationContext | None) -> CorrelationContext:
    """The given context, else the current one, else one with the id of the calling service, else a new one.

    Raises:
        ContextError: `context` is not a correlation context.
    """
    known = known_context(context)
    return BasicCorrelationContext() if known is None else known


def known_context(context: CorrelationContext | None) -> CorrelationContext | None:
    """The given context, else the current one, else one with the id of the calling service; None without these.

    Raises:
        ContextError: `context` is not a correlation context.
    """
    if context is None:
        current = _current.get()
        if current is not None:
            return current
        sent = _baggage.current()
        return None if sent is None else BasicCorrelationContext(sent)
    if type(context) is BasicCorrelationContext:  # the usual case
        return context
    if isinstance(context, WrapperContext):
        return context.wrapped
    if isinstance(context, CorrelationContext) or callable(getattr(context, "get_id", None)):
        if isinstance(context, type):
            raise ContextError(f"expected a correlation context, got the class {context.__name__}: make one of it")
        return context
    raise ContextError(
        f"expected a correlation context, got {type(context).__name__}: "
        "pass what collect returned, or BasicCorrelationContext(id=...)"
    )


def event_time_ns(context: CorrelationContext) -> int | None:
    """The event time that the caller chose, in ns since 1970; None when the caller chose none.

    Raises:
        ContextError: a record cannot carry this time.
    """
    if not getattr(context, "has_own_timestamp", False):
        return None
    seconds: Any = context.get_timestamp()  # type: ignore[attr-defined]
    is_number = isinstance(seconds, Real)
    if not (is_number and 0 <= seconds < _END_OF_TIME):
        raise ContextError(
            f"expected a timestamp in seconds since 1970, got {seconds!r:.100}: "
            "give int(moment.timestamp()) of a datetime, milliseconds divided by 1000"
        )
    return int(seconds * 1_000_000_000)


def headers_of(context: CorrelationContext) -> dict[str, str]:
    """The context's headers; none if the class has no such method."""
    get_headers = getattr(context, "get_headers", None)
    return {} if get_headers is None else get_headers()


def checked_text(text: str) -> str:
    """`text` itself if an attribute of a line can hold it.

    Raises:
        ContextError: `text` has a lone surrogate, or a control character.
    """
    if text.isprintable():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ContextError(
            "expected text, got a lone surrogate in an id or header, which UTF-8 cannot carry: "
            "text.encode('utf-8', 'replace').decode() replaces it"
        ) from None
    if semconv.CONTROL_CHARACTER.search(text):
        raise ContextError(
            f"expected text without control characters in an id or header, got {text!r:.100}: remove them, "
            "CloudEvents does not allow them"
        )
    return text

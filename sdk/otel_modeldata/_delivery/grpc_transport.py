"""Sends an encoded request over OTLP/gRPC once, and maps the gRPC status to an `Answer` (OTLP specification).

`retry_sender.py` decides about retries.
"""

from __future__ import annotations

import contextlib
import logging
import math
import time
from typing import TYPE_CHECKING

import grpc

from .._encoding.otlp_messages import ExportLogsServiceResponse, RetryInfo, Status
from .._forking import on_fork
from .._settings.credential_renewal import CredentialRenewal
from ..transport import TOO_LARGE, Answer, Delivered, OpenTransports, Refused, Retry
from .native_threads import Lock, RLock, is_patched, sleep

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from .._settings.otlp_endpoint import Endpoint

logger = logging.getLogger(__name__)

EXPORT_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

FORK_WAITS_SECONDS = 0.05
"""How long a fork waits for a call in progress before it cancels the call."""
FORK_GIVES_UP_SECONDS = 5.0
"""Canceling a call takes milliseconds. After this time the fork proceeds anyway, at a risk, instead of hanging."""
_FORK_SETTLES_SECONDS = 0.2
"""gRPC's threads run on for a moment after a channel is closed. A fork in that time may wait for them forever (2 of
2,400 forks did on a busy machine with gRPC 1.85, many more with 1.49), or copies their held locks to the child."""


_RETRYABLE = frozenset(
    {
        # OTLP 1.x, "Failures", table of retryable gRPC codes
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.OUT_OF_RANGE,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
        # Not in the table, but usually temporary: an expired token, a server that is being replaced. Dropping records
        # here would lose the whole queue.
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)


_ABOUT_CREDENTIALS = frozenset({grpc.StatusCode.UNAUTHENTICATED.name, grpc.StatusCode.PERMISSION_DENIED.name})
_TLS_FAILURES = ("TSI_", "security handshaker", "SSL_ERROR", "CERTIFICATE_VERIFY", "Hostname Verification")
"""Parts of gRPC's texts for a handshake that failed; a server that is down or restarts has other ones."""
_CLOSED = ("Socket closed", "Connection reset")
_MOST_AT_ONCE = 2
_MANY_CLOSED = 3
"""A server that restarts closes a connection once or twice."""


class GrpcTransport:
    """OTLP/gRPC over one channel.

    The thread of the first `collect` opens the channel, not the delivery thread: gRPC imports more modules then, and a
    fork during an import leaves the child with a half-imported module.

    Two calls at a time: while the endpoint stores one request, the next one is on its way.

    If a process forks while a thread is inside gRPC, calls in the child never end ("skipping fork() handlers"). So a
    fork waits for the calls in progress. If that takes too long, it cancels them by closing the channel. The parent
    opens a new channel and retries; the receiver recognizes the events by their ids.

    Before each try the credential files are read (`_settings/credential_renewal.py`): other certificates need a new
    channel, which waits for the calls in progress; another token does not.

    Raises:
        ConfigError: the endpoint has no credentials yet, and a file cannot be read.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint if endpoint.credentials or not endpoint.files() else endpoint.checked()
        self._renewal = CredentialRenewal(self._endpoint)
        self._is_renewed = False
        """Whether no try has succeeded since the certificates changed."""
        self._closed_in_row = 0
        """How many tries ended with a closed connection since one ended in another way."""
        self._places = tuple(RLock() for _ in range(_MOST_AT_ONCE))
        """One is held by each thread inside gRPC; all by a fork, and by the thread that replaces the channel."""
        self._renewing = Lock()
        self._interrupted: grpc.Channel | None = None
        self._is_closed = False
        self._open()
        _transports.add(self)

    def _open(self) -> None:
        channel = self._endpoint.open_channel()
        export = channel.unary_unary(EXPORT_METHOD)
        self._channel, self._export = channel, export  # both or none: a signal handler may raise

    @property
    def most_at_once(self) -> int:
        """Two; one in a patched process, where eventlet gives gRPC locks that two native threads cannot share."""
        return 1 if is_patched() else _MOST_AT_ONCE

    def send(self, request: bytes) -> Answer:
        """Try once, for at most the endpoint's timeout."""
        while True:
            with self._renewing:
                self._renew()
            place = self._take_place()
            try:
                channel = self._channel
                answer = self._call(request)
            finally:
                place.release()
            is_cancelled = isinstance(answer, Retry) and answer.code == grpc.StatusCode.CANCELLED.name
            if not is_cancelled or self._interrupted is not channel or self._is_closed:
                return answer
            # The fork waits for the places. Locks are not fair: without a pause this thread would get one each time.
            sleep(FORK_WAITS_SECONDS)

    def _take_place(self) -> RLock:
        *others, last = self._places
        for place in others:
            if place.acquire(blocking=False):
                return place
        last.acquire()
        return last

    def _renew(self) -> None:
        """Use the credentials that the files have now, if they changed."""
        renewed = self._renewal.renewed()
        if renewed is None or renewed.credentials is None:
            return
        before, self._endpoint = self._endpoint, renewed
        if before.credentials is None or not renewed.credentials.is_same_channel(before.credentials):
            with contextlib.ExitStack() as calls:
                for place in self._places:
                    calls.enter_context(place)
                self._replace_channel()
        logger.info("the credentials of %s changed and are used now", self._endpoint.target)

    def _replace_channel(self) -> None:
        old = self._channel
        self._open()
        self._is_renewed, self._closed_in_row = True, 0
        if self._interrupted is old:  # a fork waits
            self._interrupted = self._channel
            _close(self._channel)
        elif self._is_closed:
            _close(self._channel)
        _close(old)

    def _call(self, request: bytes) -> Answer:
        closed_before = self._closed_in_row
        try:
            response = self._export(request, timeout=self._endpoint.timeout, metadata=self._endpoint.metadata())
        except ValueError:  # gRPC raises it when the channel was closed between two tries
            return Retry("CANCELLED", "the channel is closed")
        except grpc.RpcError as error:
            answer = answer_of(error.code(), error.details() or "", error.trailing_metadata() or ())
            return self._with_blame(answer, closed_before) if isinstance(answer, Retry) else answer
        self._is_renewed, self._closed_in_row = False, 0
        partial = ExportLogsServiceResponse.FromString(response).partial_success
        return Delivered(partial.rejected_log_records, partial.error_message)

    def _with_blame(self, answer: Retry, closed_before: int) -> Retry:
        """The answer, which says whether credentials are probably the reason.

        A connection that is closed ends two calls, and counts once: for the first that ends.
        """
        is_refused = answer.code in _ABOUT_CREDENTIALS
        # With TLS 1.3 a server refuses a client's certificate after the handshake: only the connection is closed.
        is_closed = self._endpoint.client_certificate is not None and any(sign in answer.details for sign in _CLOSED)
        if not is_closed:
            self._closed_in_row = 0
        elif self._closed_in_row == closed_before:
            self._closed_in_row += 1
        is_unwanted = is_closed and (self._is_renewed or self._closed_in_row >= _MANY_CLOSED)
        is_tls = self._endpoint.secure and any(sign in answer.details for sign in _TLS_FAILURES)
        return answer._replace(is_about_credentials=is_refused or is_unwanted or is_tls)

    def close(self) -> None:
        """Close the channel, which cancels a try in progress."""
        self._is_closed = True
        _transports.discard(self)
        _close(self._channel)

    def hold_for_fork(self) -> None:
        """Wait until no thread is inside gRPC, and block further calls."""
        missing = self._hold(self._places, FORK_WAITS_SECONDS)
        end = time.monotonic() + FORK_GIVES_UP_SECONDS
        while missing and time.monotonic() < end:
            if self._interrupted is not self._channel:  # also a new one, which a fork of another thread has opened
                self._interrupted = self._channel
                _close(self._channel)
            missing = self._hold(missing, FORK_WAITS_SECONDS)

    def _hold(self, places: Sequence[RLock], seconds: float) -> Sequence[RLock]:
        """Take these places; returns those that could not be taken in so many seconds."""
        end = time.monotonic() + seconds
        for number, place in enumerate(places):
            if not place.acquire(timeout=max(0.0, end - time.monotonic())):
                return places[number:]
        return ()

    def go_on_after_fork(self) -> None:
        """Allow calls in the parent again."""
        try:
            if self._interrupted is self._channel and not self._is_closed:
                self._open()
        finally:  # a signal handler may raise here, and may have raised in the hook before the fork
            for place in self._places:
                while place._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as `threading` does
                    place.release()


_closed_at = -math.inf
"""When this process closed a channel last, as `time.monotonic` counts."""


def _close(channel: grpc.Channel) -> None:
    global _closed_at  # noqa: PLW0603
    _closed_at = time.monotonic()  # another thread may fork in the middle
    try:
        channel.close()
    finally:
        _closed_at = time.monotonic()


def _let_grpc_settle() -> None:
    left = _closed_at + _FORK_SETTLES_SECONDS - time.monotonic()
    if left > 0:
        sleep(left)


on_fork(before=_let_grpc_settle)  # runs after the next one, which may close channels
_transports = OpenTransports()


def answer_of(code: grpc.StatusCode, details: str, metadata: Iterable[tuple[str, str | bytes]]) -> Answer:
    """The answer of a failed call, as OTLP defines it: "Failures" and "OTLP/gRPC Throttling"."""
    delay = retry_delay(metadata)
    if code in _RETRYABLE:
        return Retry(code.name, details, delay)
    if code is grpc.StatusCode.RESOURCE_EXHAUSTED and TOO_LARGE not in details:
        # OTLP allows a retry only with RetryInfo, but overloaded servers often send the bare code. A message that is
        # too large is different: smaller requests fix that.
        return Retry(code.name, details, delay)
    return Refused(code.name, details)


def retry_delay(metadata: Iterable[tuple[str, str | bytes]]) -> float | None:
    """Delay in seconds of the RetryInfo in trailing metadata, in OTLP's form or in that of opentelemetry-python."""
    for key, value in metadata:
        raw = value if isinstance(value, bytes) else value.encode()
        if key == "grpc-status-details-bin":
            details = Status.FromString(raw).details
            infos = [detail.value for detail in details if detail.type_url.endswith("/google.rpc.RetryInfo")]
        else:
            infos = [raw] if key == "google.rpc.retryinfo-bin" else []
        for info in infos:
            delay = RetryInfo.FromString(info).retry_delay
            return float(delay.seconds) + float(delay.nanos) / 1e9
    return None

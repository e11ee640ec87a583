"""Senders that put load on a receiver and keep books: what they sent, what was acknowledged, how they were refused.

    with Load(endpoint, threads=4) as load:
        ... break something ...
    load.finish()  # sends again until everything is acknowledged
    check(accepted=load.sent(), acked=load.acked, store=folder)

Every request is sent until it is acknowledged, with the same ids, as gateways do.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Final

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from history import Sent
from otel_modeldata import semconv
from otlp_requests import NOON, ROWS, record, request
from otlp_sender import LOGS

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

TRY_SECONDS: Final = 10.0
PAUSE_SECONDS: Final = 0.02
FINISH_SECONDS: Final = 60.0
"""Only ever reached by a failing test."""


class Load:
    """Threads that send requests, one after the other, to `endpoint`.

    Args:
        endpoint: `host:port` of a receiver.
        threads: how many send at a time; each is one producer.
        records: in each request.
        tenant: `endpoint/deployment` that they say they are.
        body: rows of each record.
        copies: how often each request is sent at the same time.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        threads: int = 4,
        records: int = 5,
        tenant: str = "credit/blue",
        body: str = ROWS,
        copies: int = 1,
    ) -> None:
        self.endpoint = endpoint
        self.records = records
        self.tenant = tenant
        self.body = body
        self.copies = copies
        self.refusals: Counter[grpc.StatusCode] = Counter()
        self.without_retry_info = 0
        self.rejected = 0
        self._sent: dict[str, Sent] = {}
        self._acked: set[str] = set()
        self._stop = threading.Event()
        self._deadline = float("inf")
        self._threads = [
            threading.Thread(target=self._run, args=(f"p{number}-{id(self):x}",)) for number in range(threads)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self._deadline = 0.0
        self.finish()

    @property
    def acked(self) -> set[str]:
        """Ids of acknowledged records."""
        return set(self._acked)

    def sent(self) -> list[Sent]:
        """Everything that was put on the wire."""
        return list(self._sent.values())

    def ids(self) -> list[str]:
        """The ids of everything that was put on the wire."""
        return list(self._sent)

    def wait_for_acks(self, count: int) -> None:
        """Return when so many more records than now are acknowledged."""
        goal = len(self._acked) + count
        deadline = time.monotonic() + FINISH_SECONDS
        while len(self._acked) < goal:
            assert time.monotonic() < deadline, f"{len(self._acked)} of {goal} acknowledged: {self.refusals}"
            time.sleep(0.005)

    def finish(self) -> None:
        """Begin no new request, and send the others until they are acknowledged."""
        self._deadline = min(self._deadline, time.monotonic() + FINISH_SECONDS)
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, producer: str) -> None:
        number = 0
        with grpc.insecure_channel(self.endpoint, options=_OPTIONS) as channel:
            export = channel.unary_unary(LOGS)
            while not self._stop.is_set():
                events = [self._event(producer, number + offset) for offset in range(self.records)]
                number += self.records
                self._send(export, self._request(producer, events), [event.id for event in events])

    def _event(self, producer: str, number: int) -> Sent:
        event = Sent(
            id=f"{producer}-{number}",
            tenant=self.tenant,
            collection="model_inputs",
            producer=producer,
            sequence=number,
            hour="2026/11/22/12",
        )
        self._sent[event.id] = event
        return event

    def _request(self, producer: str, events: list[Sent]) -> bytes:
        endpoint, _, deployment = self.tenant.partition("/")
        values = {
            semconv.AZUREML_ENDPOINT_NAME: endpoint,
            semconv.AZUREML_DEPLOYMENT_NAME: deployment,
            semconv.SERVICE_INSTANCE_ID: producer,
        }
        records = [
            record(
                self.body,
                {semconv.AZUREML_PRODUCER_SEQUENCE: event.sequence},
                event_id=event.id,
                time_ns=NOON,
            )
            for event in events
        ]
        return request(*records, resource_values=values)

    def _send(self, export: grpc.UnaryUnaryMultiCallable, raw: bytes, ids: list[str]) -> None:
        """Send until one copy is acknowledged, and every copy is answered."""
        while time.monotonic() < self._deadline:
            calls = [export.future(raw, timeout=TRY_SECONDS) for _ in range(self.copies)]
            if sum(self._is_acked(call) for call in calls):
                self._acked.update(ids)
                return
            time.sleep(PAUSE_SECONDS)

    def _is_acked(self, call: grpc.Future) -> bool:
        error = call.exception()
        if error is None:
            answer = ExportLogsServiceResponse.FromString(call.result())
            self.rejected += answer.partial_success.rejected_log_records
            return True
        self.refusals[error.code()] += 1
        forms = {key for key, _ in error.trailing_metadata() or ()}
        # Without trailers nobody answered: the connection broke.
        self.without_retry_info += bool(forms) and not forms >= RETRY_INFO
        return False


RETRY_INFO: Final = {"grpc-status-details-bin", "google.rpc.retryinfo-bin"}
_OPTIONS: Final = (
    ("grpc.max_send_message_length", -1),
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    # Each load has connections of its own.
    ("grpc.use_local_subchannel_pool", 1),
)

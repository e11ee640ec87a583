from __future__ import annotations

import math
import signal
import socket
import threading
from collections import Counter
from concurrent import futures
from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2_grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from recording_backend import RecordingBackend, exhausted_with_retry_info, unavailable_with_retry_info

from otel_modeldata._delivery import grpc_transport
from otel_modeldata._delivery.grpc_transport import (
    Answer,
    Delivered,
    GrpcTransport,
    Refused,
    Retry,
    answer_of,
    retry_delay,
)
from otel_modeldata._settings.otlp_endpoint import Endpoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_INFO = RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))


def _status() -> bytes:
    status = Status(code=14, message="later")
    status.details.add().Pack(ErrorInfo(reason="other"))
    status.details.add().Pack(_INFO)
    return status.SerializeToString()


@pytest.mark.parametrize(
    "metadata",
    [
        [("grpc-status-details-bin", _status())],
        [("x", "y"), ("google.rpc.retryinfo-bin", _INFO.SerializeToString())],
    ],
)
def test_the_delay_is_read_in_both_forms(metadata: list[tuple[str, str | bytes]]) -> None:
    assert retry_delay(metadata) == 1.5


def test_metadata_without_retry_info_has_no_delay() -> None:
    assert retry_delay([("grpc-status-details-bin", Status(code=14).SerializeToString()), ("a", "b")]) is None


@pytest.mark.parametrize(
    "code",
    [
        "CANCELLED",
        "DEADLINE_EXCEEDED",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
        "PERMISSION_DENIED",
        "UNIMPLEMENTED",
        "RESOURCE_EXHAUSTED",
    ],
)
def test_these_codes_are_retried(code: str) -> None:
    assert answer_of(grpc.StatusCode[code], "why", ()) == Retry(code, "why", None)


@pytest.mark.parametrize("code", ["INVALID_ARGUMENT", "INTERNAL", "UNKNOWN", "NOT_FOUND", "FAILED_PRECONDITION"])
def test_these_codes_are_final_for_the_same_request(code: str) -> None:
    assert answer_of(grpc.StatusCode[code], "why", ()) == Refused(code, "why")


def test_a_message_above_the_servers_limit_is_refused_so_that_it_can_be_halved() -> None:
    details = "SERVER: Received message larger than max (10827113 vs. 4194304)"
    assert answer_of(grpc.StatusCode.RESOURCE_EXHAUSTED, details, ()) == Refused("RESOURCE_EXHAUSTED", details)


@pytest.fixture
def server() -> Iterator[RecordingBackend]:
    with RecordingBackend() as running:
        yield running


@pytest.fixture
def transport(server: RecordingBackend) -> Iterator[GrpcTransport]:
    opened = GrpcTransport(Endpoint(target=server.endpoint, timeout=10.0))
    yield opened
    opened.close()


def test_a_request_arrives_unchanged(server: RecordingBackend, transport: GrpcTransport) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=7)
    assert transport.send(request.SerializeToString()) == Delivered(0, "")
    assert server.log_requests() == [request]


def test_a_real_refusal_keeps_code_text_and_delay(server: RecordingBackend, transport: GrpcTransport) -> None:
    server.refuse(unavailable_with_retry_info)
    assert transport.send(b"") == Retry("UNAVAILABLE", "come back later", 0.2)
    server.refuse(exhausted_with_retry_info)
    assert transport.send(b"") == Retry("RESOURCE_EXHAUSTED", "come back later", 0.2)


def test_requests_to_loopback_bypass_a_proxy_of_the_environment(
    server: RecordingBackend, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport.send(b"") == Delivered(0, "")


def test_requests_to_a_stopped_server_are_retried_until_it_is_back(
    server: RecordingBackend, transport: GrpcTransport
) -> None:
    server.stop()
    answer = transport.send(b"")
    assert isinstance(answer, Retry)
    assert answer.code == "UNAVAILABLE"
    server.start()
    while isinstance(answer, Retry):  # gRPC reconnects within its back-off of at most 5 s
        answer = transport.send(b"")
    assert answer == Delivered(0, "")


def test_a_closed_transport_answers_retry_and_does_not_raise(transport: GrpcTransport) -> None:
    transport.send(b"")
    transport.close()
    assert transport.send(b"") == Retry("CANCELLED", "the channel is closed", None)


def test_a_real_server_refuses_a_too_large_request_with_both_sizes() -> None:
    """gRPC's own limit of 4 MiB."""
    server = grpc.server(futures.ThreadPoolExecutor(1), options=[("grpc.so_reuseport", 0)])
    port = server.add_insecure_port("127.0.0.1:0")
    logs_service_pb2_grpc.add_LogsServiceServicer_to_server(  # type: ignore[no-untyped-call]
        logs_service_pb2_grpc.LogsServiceServicer(), server
    )
    server.start()
    transport = GrpcTransport(Endpoint(target=f"127.0.0.1:{port}", timeout=10.0))
    answer = transport.send(bytes(5_000_000))
    transport.close()
    server.stop(None).wait()
    assert isinstance(answer, Refused)
    assert answer.is_about_size()
    assert "5000000 vs. 4194304" in answer.details


def _hang_until(gate: threading.Event) -> Callable[[grpc.ServicerContext], None]:
    def hang(context: grpc.ServicerContext) -> None:
        assert gate.wait(60)
        context.abort(grpc.StatusCode.UNAVAILABLE, "too late")

    return hang


def _senders(transport: GrpcTransport, count: int, answers: list[Answer]) -> list[threading.Thread]:
    senders = [threading.Thread(target=lambda: answers.append(transport.send(b""))) for _ in range(count)]
    for sender in senders:
        sender.start()
    return senders


def _taken(transport: GrpcTransport) -> list[bool]:
    """Whether each place is taken, as another thread sees it."""
    taken: list[bool] = []

    def look() -> None:
        for place in transport._places:
            if place.acquire(blocking=False):
                place.release()
                taken.append(False)
            else:
                taken.append(True)

    looking = threading.Thread(target=look)
    looking.start()
    looking.join()
    return taken


@pytest.mark.parametrize("count", [1, 2])
def test_a_fork_cancels_long_calls_which_are_then_retried(
    server: RecordingBackend, transport: GrpcTransport, count: int
) -> None:
    """If a process forks while a thread is inside gRPC, calls in the child never end."""
    gate = threading.Event()
    server.refuse(_hang_until(gate))
    answers: list[Answer] = []
    senders = _senders(transport, count, answers)
    server.wait_until(lambda backend: backend.refused == count)
    transport.hold_for_fork()
    assert _taken(transport) == [True, True]
    assert answers == []
    server.refuse(None)
    transport.go_on_after_fork()
    for sender in senders:
        sender.join(60)
    gate.set()
    assert answers == [Delivered(0, "")] * count
    assert len(server.log_requests()) == count


def test_a_call_that_is_answered_while_a_fork_cancels_another_one_is_not_sent_again(
    server: RecordingBackend, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    call = transport._call

    def answered_late(request: bytes) -> Answer:
        answer = call(request)
        transport._interrupted = transport._channel if len(server.log_requests()) == 1 else None
        return answer

    monkeypatch.setattr(transport, "_call", answered_late)
    assert transport.send(b"") == Delivered(0, "")
    assert len(server.log_requests()) == 1


@pytest.mark.parametrize("patience", ["FORK_WAITS_SECONDS", "_FORK_SETTLES_SECONDS"])
def test_a_fork_that_a_signal_handler_interrupts_does_not_keep_the_places(
    server: RecordingBackend, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch, patience: str
) -> None:
    """The exception of a hook is printed, the process forks, and the other hooks are called."""
    monkeypatch.setattr(grpc_transport, patience, 60.0)

    def raise_timeout(*_: object) -> None:
        raise TimeoutError

    def hold() -> None:
        transport.hold_for_fork()
        grpc_transport._let_grpc_settle()

    gate = threading.Event()
    server.refuse(_hang_until(gate))
    answers: list[Answer] = []
    senders = _senders(transport, 1, answers)
    server.wait_until(lambda backend: backend.refused == 1)
    server.refuse(None)
    before = signal.signal(signal.SIGALRM, raise_timeout)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(TimeoutError):
            hold()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    transport.go_on_after_fork()
    gate.set()
    senders[0].join(60)
    assert len(answers) == 1
    assert _taken(transport) == [False, False]
    assert transport.send(b"") == Delivered(0, "")


def test_two_threads_that_fork_at_the_same_time_both_find_nobody_inside(
    server: RecordingBackend, transport: GrpcTransport
) -> None:
    gate, calls = threading.Event(), []

    def hang(_: grpc.ServicerContext) -> None:
        calls.append(1)
        gate.wait(60)

    server.refuse(hang)
    answers: list[Answer] = []
    senders = _senders(transport, 2, answers)
    server.wait_until(lambda backend: backend.refused == 2)
    held: list[list[bool]] = []

    def fork() -> None:
        transport.hold_for_fork()
        held.append([place._is_owned() for place in transport._places] + _taken(transport))
        transport.go_on_after_fork()

    forks = [threading.Thread(target=fork) for _ in range(2)]
    for one in forks:
        one.start()
    for one in forks:
        one.join(60)
    assert held == [[True, True, True, True]] * 2
    server.refuse(None)
    gate.set()
    for sender in senders:
        sender.join(60)
    assert len(answers) == 2
    assert transport.send(b"") == Delivered(0, "")


def test_a_fork_of_another_thread_in_the_middle_of_a_close_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    class Channel:
        def close(self) -> None:
            grpc_transport._let_grpc_settle()
            raise TimeoutError  # a signal handler

    pauses: list[float] = []
    monkeypatch.setattr(grpc_transport, "sleep", pauses.append)
    monkeypatch.setattr(grpc_transport, "_closed_at", -math.inf)
    with pytest.raises(TimeoutError):
        grpc_transport._close(Channel())
    grpc_transport._let_grpc_settle()
    assert [0 < pause <= grpc_transport._FORK_SETTLES_SECONDS for pause in pauses] == [True, True]


def test_a_third_call_waits_for_the_end_of_one_of_two(server: RecordingBackend, transport: GrpcTransport) -> None:
    gate = threading.Event()
    server.refuse(_hang_until(gate))
    answers: list[Answer] = []
    senders = _senders(transport, 3, answers)
    server.wait_until(lambda backend: backend.refused == 2)
    assert _taken(transport) == [True, True]
    server.refuse(None)
    gate.set()
    for sender in senders:
        sender.join(60)
    assert Counter(answers) == {Retry("UNAVAILABLE", "too late"): 2, Delivered(0, ""): 1}


def test_a_fork_between_two_calls_keeps_the_connection(server: RecordingBackend, transport: GrpcTransport) -> None:
    transport.send(b"")
    channel = transport._channel
    transport.hold_for_fork()
    transport.go_on_after_fork()
    assert transport.send(b"") == Delivered(0, "")
    assert transport._channel is channel


def test_closing_cancels_a_call_to_a_server_that_never_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        hung = GrpcTransport(Endpoint(target=f"127.0.0.1:{listener.getsockname()[1]}", timeout=600.0))
        answers: list[Answer] = []
        sender = threading.Thread(target=lambda: answers.append(hung.send(b"")))
        sender.start()
        connection, _ = listener.accept()
        hung.close()
        sender.join(60)
        connection.close()
    (answer,) = answers
    assert isinstance(answer, Retry)

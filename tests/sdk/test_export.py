from __future__ import annotations

from typing import TYPE_CHECKING

import grpc
import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_modeldata._endpoint import Endpoint
from otel_modeldata._export import Delivered, GrpcTransport, Refused, Retry, answer_of, retry_delay
from recording_backend import RecordingBackend, exhausted_with_retry_info, unavailable_with_retry_info

if TYPE_CHECKING:
    from collections.abc import Iterator

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


def test_metadata_without_retry_info_names_no_delay() -> None:
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
def test_these_codes_are_tried_again(code: str) -> None:
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


def test_a_request_arrives_as_the_bytes_it_was(server: RecordingBackend, transport: GrpcTransport) -> None:
    request = ExportLogsServiceRequest()
    request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=7)
    assert transport.send(request.SerializeToString()) == Delivered(0, "")
    assert server.log_requests() == [request]


def test_a_real_refusal_keeps_code_text_and_delay(server: RecordingBackend, transport: GrpcTransport) -> None:
    server.refuse(unavailable_with_retry_info)
    assert transport.send(b"") == Retry("UNAVAILABLE", "come back later", 0.2)
    server.refuse(exhausted_with_retry_info)
    assert transport.send(b"") == Retry("RESOURCE_EXHAUSTED", "come back later", 0.2)


def test_a_proxy_of_the_environment_never_sees_what_goes_to_loopback(
    server: RecordingBackend, transport: GrpcTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert transport.send(b"") == Delivered(0, "")


def test_a_server_that_went_away_is_tried_again_and_found_when_it_is_back(
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


def test_a_closed_transport_says_later_and_does_not_raise(transport: GrpcTransport) -> None:
    transport.send(b"")
    transport.close()
    assert transport.send(b"") == Retry("CANCELLED", "the channel is closed", None)

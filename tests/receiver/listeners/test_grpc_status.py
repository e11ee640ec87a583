"""Errors become gRPC statuses after which an OpenTelemetry Collector keeps its data."""

from __future__ import annotations

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from otel_modeldata_receiver import exceptions
from otel_modeldata_receiver.listeners.grpc_status import MAX_MESSAGE_CHARS, RETRY_SECONDS, Refusal, refusal_of


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (exceptions.StoreError("disk full"), grpc.StatusCode.UNAVAILABLE, "disk full"),
        (exceptions.StoreCheckError("no container"), grpc.StatusCode.UNAVAILABLE, "no container"),
        (exceptions.ShuttingDownError("bye"), grpc.StatusCode.UNAVAILABLE, "bye"),
        (exceptions.OverloadedError("full"), grpc.StatusCode.RESOURCE_EXHAUSTED, "full"),
        (exceptions.SlowSenderError("slow"), grpc.StatusCode.UNAVAILABLE, "slow"),
        (exceptions.NoRequestError("nothing"), grpc.StatusCode.UNAVAILABLE, "nothing"),
        (
            TimeoutError(),
            grpc.StatusCode.UNAVAILABLE,
            "the store did not confirm in time; what is stored will be recognized when it is sent again",
        ),
        (
            KeyError("S3CRET"),
            grpc.StatusCode.UNAVAILABLE,
            "unexpected KeyError in the receiver, see its log; send again",
        ),
    ],
)
def test_senders_are_asked_to_retry_in_both_forms(error: Exception, code: grpc.StatusCode, message: str) -> None:
    refusal = refusal_of(error)
    assert (refusal.code, refusal.message) == (code, message)
    trailers = dict(refusal.trailers)
    assert sorted(trailers) == ["google.rpc.retryinfo-bin", "grpc-status-details-bin"]
    retry = RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert retry.retry_delay.seconds == RETRY_SECONDS
    status = Status.FromString(trailers["grpc-status-details-bin"])
    assert (status.code, status.message) == (code.value[0], message)
    detail = RetryInfo()
    assert status.details[0].Unpack(detail)
    assert detail == retry


@pytest.mark.parametrize("kind", [exceptions.UndecodableError, exceptions.TooLargeError])
def test_a_request_that_can_never_be_accepted_is_refused_permanently(kind: type[Exception]) -> None:
    assert refusal_of(kind("noise")) == Refusal(code=grpc.StatusCode.INVALID_ARGUMENT, message="noise")


def test_a_request_that_the_certificate_does_not_cover_is_refused_permanently() -> None:
    refusal = refusal_of(exceptions.ForbiddenError("x" * 10_000))
    assert refusal == Refusal(code=grpc.StatusCode.PERMISSION_DENIED, message="x" * MAX_MESSAGE_CHARS)


def test_messages_leave_room_in_the_trailers() -> None:
    assert refusal_of(exceptions.StoreError("x" * 10_000)).message == "x" * MAX_MESSAGE_CHARS

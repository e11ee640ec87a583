"""HTTP clients that send malformed requests, stall or send bombs: the receiver's process is measured for its memory."""

from __future__ import annotations

import http.client
import socket
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import pytest
from gzip_bombs import BOMB_ROOM, MESSAGE_LIMIT, MIB, gzip_of_zeros
from live_receiver import INSTANCE
from otlp_requests import NOON, record, request
from receiver_process import lines_below, open_files, peak_rss
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from receiver_process import ReceiverProcess, StartReceiver

PROTOBUF = {"Content-Type": "application/x-protobuf"}
OLD_HEADERS = {"ce-type": "azureml.inference.model_inputs", "ce-time": str(NOON // 1_000_000_000)}
linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the memory of a process is read from /proc, as Linux has it"
)


@pytest.fixture
def receiver(tmp_path: Path, start_receiver: StartReceiver) -> ReceiverProcess:
    """A receiver with the settings users get, and both HTTP listeners."""
    listeners = ("--http-listen", "127.0.0.1:0", "--old-protocol-listen", "127.0.0.1:0")
    return start_receiver(str(tmp_path), "--instance-id", INSTANCE, *listeners)


def connected(receiver: ReceiverProcess, listener: str) -> socket.socket:
    host, _, port = receiver.startup[listener].rpartition(":")
    return socket.create_connection((host, int(port)), timeout=60)


def post(
    receiver: ReceiverProcess, path: str, body: bytes | Iterator[bytes], headers: dict[str, str]
) -> tuple[int, bytes]:
    """The status and the body of the answer."""
    address = receiver.startup["old_protocol_listen" if path == "/modeldata/log" else "http_listen"]
    connection = http.client.HTTPConnection(address, timeout=60)
    try:
        connection.request("POST", path, body, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def one(event_id: str) -> bytes:
    return request(record(event_id=event_id, time_ns=NOON))


@linux
@pytest.mark.parametrize("path", ["/v1/logs", "/modeldata/log", "/"])
def test_a_gzip_bomb_is_refused_permanently_within_bounded_memory(receiver: ReceiverProcess, path: str) -> None:
    assert post(receiver, "/v1/logs", one("before"), PROTOBUF)[0] == 200
    before = peak_rss(receiver)
    status, answer = post(receiver, path, gzip_of_zeros(512 * MIB), PROTOBUF | {"Content-Encoding": "gzip"})
    assert (status, b"compressed bytes that hold more; let the sender send smaller batches" in answer) == (413, True)
    assert peak_rss(receiver) - before < MESSAGE_LIMIT + BOMB_ROOM


@linux
def test_a_body_of_100_megabytes_is_refused_and_never_in_memory(receiver: ReceiverProcess) -> None:
    """With and without a Content-Length: at most one message of the limit is ever in memory."""
    assert post(receiver, "/v1/logs", one("before"), PROTOBUF)[0] == 200
    before = peak_rss(receiver)
    body = bytes(100 * MIB)
    status, answer = post(receiver, "/modeldata/log", body, OLD_HEADERS)
    assert (status, f"got one of {len(body)}; send less at a time".encode() in answer) == (413, True)
    assert peak_rss(receiver) - before < 16 * MIB
    chunks = (bytes(MIB) for _ in range(100))
    status, answer = post(receiver, "/modeldata/log", chunks, OLD_HEADERS)
    assert (status, b"got more; send less at a time" in answer) == (413, True)
    assert peak_rss(receiver) - before < MESSAGE_LIMIT + BOMB_ROOM


@contextmanager
def stalled(receiver: ReceiverProcess, count: int, content: bytes) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(connected(receiver, "old_protocol_listen")) for _ in range(count)]
        for one_socket in sockets:
            one_socket.sendall(content)
        yield sockets


def test_bodies_that_stop_in_the_middle_do_not_block_others_and_their_senders_are_asked_to_retry(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    """There are more such requests than read slots, over gRPC and HTTP together."""
    head = b"POST /modeldata/log HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n["
    with stalled(receiver, 40, head) as slow:
        for number in range(10):
            assert post(receiver, "/v1/logs", one(str(number)), PROTOBUF)[0] == 200
            assert post(receiver, "/modeldata/log", b'[{"a":1}]', OLD_HEADERS)[0] == 200
        answer = slow[-1].recv(65536)
    assert answer.startswith(b"HTTP/1.1 503 ")
    assert b"Retry-After: 1\r\n" in answer
    assert b"expected a whole request within 20.0 s, or sooner while others wait, got none in" in answer
    assert len(lines_below(tmp_path)) == 20
    assert receiver.logged_for_a_condition("requests are refused: SlowSenderError")


@linux
def test_closed_connections_leave_no_file_open(receiver: ReceiverProcess) -> None:
    before = open_files(receiver)
    head = b"POST /modeldata/log HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n"
    for content in (b"", head, head + b"\r\n["):
        with stalled(receiver, 100, content):
            wait_until(lambda: open_files(receiver) >= before + 100)
        wait_until(lambda: open_files(receiver) <= before + 10)
    assert "Traceback" not in receiver.log.read_text()

"""Clients that send malformed requests, stall, flood or send bombs: they are refused, and others are served meanwhile.

The receiver runs in a separate process, with its own event loop, so that its memory can be measured.
"""

from __future__ import annotations

import gzip
import select
import socket
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import grpc
import pytest
from gzip_bombs import BOMB_ROOM, MESSAGE_LIMIT, MIB, gzip_of_zeros
from history import check
from live_receiver import INSTANCE
from otlp_load import RETRY_INFO, Load
from otlp_requests import record, request, varint
from otlp_sender import LOGS, model_data, send_once
from receiver_process import lines_below, open_files, peak_rss
from waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver


@pytest.fixture
def receiver(tmp_path: Path, start_receiver: StartReceiver) -> ReceiverProcess:
    """A receiver with the settings users get."""
    return start_receiver(str(tmp_path), "--instance-id", INSTANCE)


def refusal(receiver: ReceiverProcess, message: bytes, **options: object) -> grpc.RpcError:
    """The receiver's answer to `message`, which it must refuse."""
    with grpc.insecure_channel(receiver.endpoint, options=[("grpc.max_send_message_length", -1)]) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(LOGS)(message, timeout=60, **options)
        return caught.value


# --- Bombs and malformed requests ---


linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the memory of a process is read from /proc, as Linux has it"
)


@linux
@pytest.mark.parametrize("size", [512 * MIB, 8192 * MIB], ids=["512 MiB", "8 GiB"])
def test_a_gzip_bomb_is_refused_permanently_within_bounded_memory(receiver: ReceiverProcess, size: int) -> None:
    bomb = gzip_of_zeros(size)
    send_once(receiver.endpoint, model_data("before"))
    before = peak_rss(receiver)
    error = refusal(receiver, bomb)
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert error.details() == (
        f"expected a request of at most {MESSAGE_LIMIT} bytes, got {len(bomb)} compressed bytes that hold more; "
        "let the sender send smaller batches"
    )
    assert peak_rss(receiver) - before < MESSAGE_LIMIT + BOMB_ROOM


def test_a_bomb_with_a_compression_header_is_refused_too(receiver: ReceiverProcess) -> None:
    """Compressed by gRPC itself, with its header."""
    error = refusal(receiver, bytes(80 * MIB), compression=grpc.Compression.Gzip)
    assert (error.code(), "compressed bytes that hold more" in error.details()) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        True,
    )


@linux
def test_while_bombs_arrive_other_tenants_are_answered_and_memory_stays_bounded(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    bomb = gzip_of_zeros(512 * MIB)
    with ThreadPoolExecutor(8) as attackers, Load(receiver.endpoint, threads=1, tenant="good/one") as load:
        load.wait_for_acks(50)
        before = peak_rss(receiver)
        bombs = [attackers.submit(refusal, receiver, bomb) for _ in range(24)]
        load.wait_for_acks(50)
        assert {bomb.result().code() for bomb in bombs} == {grpc.StatusCode.INVALID_ARGUMENT}
        grown = peak_rss(receiver) - before
    check(accepted=load.sent(), acked=load.acked, store=tmp_path)
    assert not load.refusals
    assert grown < MESSAGE_LIMIT + BOMB_ROOM
    assert receiver.logged_for_a_condition("requests are refused: TooLargeError")


MALFORMED = {
    "gzip that is cut off": gzip.compress(request(model_data("1")))[:-9],
    "gzip of noise": gzip.compress(b"\xff\xff\xff"),
    "a field longer than the message": varint(1 << 3 | 2) + varint(10_000) + b"short",
    "an endless field": b"\x0a" + b"\xff" * 100,
    "a group without end": b"\x0b",
}


@pytest.mark.parametrize("message", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_request_is_quarantined_and_refused_permanently(
    tmp_path: Path, receiver: ReceiverProcess, message: bytes
) -> None:
    assert refusal(receiver, message).code() is grpc.StatusCode.INVALID_ARGUMENT
    (kept,) = lines_below(tmp_path)
    assert kept["reason"].startswith(("undecodable request: expected ", "undecodable compression: expected "))
    send_once(receiver.endpoint, model_data("1"))


def test_a_message_above_the_limit_is_refused_by_grpc_and_logged_once(receiver: ReceiverProcess) -> None:
    """Permanently, with the text by which the SDK knows that it must send smaller requests."""
    for _ in range(2):
        error = refusal(receiver, bytes(MESSAGE_LIMIT + 1))
        assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "larger than max" in error.details()
    send_once(receiver.endpoint, model_data("1"))
    assert receiver.logged_for_a_condition("requests are refused: NoRequestError")


# --- Slow clients ---

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS = 0, 1, 3, 4
ACK = 1
END_HEADERS = 4


def frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    """RFC 9113 section 4.1."""
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def call_headers() -> bytes:
    """HPACK literals without indexing, RFC 7541 section 6.2.2, that begin an Export."""
    fields = {":method": "POST", ":scheme": "http", ":path": LOGS, ":authority": "x", "te": "trailers"}
    fields["content-type"] = "application/grpc"
    # Every text is shorter than 127 bytes, so its length is one byte.
    return b"".join(
        b"\x00" + bytes([len(name)]) + name.encode() + bytes([len(text)]) + text.encode()
        for name, text in fields.items()
    )


def begun_call(stream: int, announced: int, sent: bytes) -> bytes:
    """A call that announces a message of `announced` bytes and sends a few of them."""
    message = b"\x00" + announced.to_bytes(4) + sent
    return frame(HEADERS, END_HEADERS, stream, call_headers()) + frame(DATA, 0, stream, message)


def connected(receiver: ReceiverProcess, greeting: bytes = b"") -> socket.socket:
    host, _, port = receiver.endpoint.rpartition(":")
    connection = socket.create_connection((host, int(port)), timeout=60)
    connection.sendall(greeting)
    return connection


@contextmanager
def connections(receiver: ReceiverProcess, count: int, greeting: bytes = b"") -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(connected(receiver, greeting)) for _ in range(count)]


def wait_until_closed(sockets: list[socket.socket], seconds: float) -> None:
    """Read until every peer has closed its connection."""
    deadline = time.monotonic() + seconds
    waiting = set(sockets)
    poller = select.poll()
    by_number = {one.fileno(): one for one in sockets}
    for number in by_number:
        poller.register(number, select.POLLIN)
    while waiting:
        assert time.monotonic() < deadline, f"{len(waiting)} of {len(sockets)} are still open after {seconds} s"
        for number, _ in poller.poll(1000):
            try:
                content = by_number[number].recv(65536)
            except ConnectionResetError:
                content = b""
            if not content:
                poller.unregister(number)
                waiting.discard(by_number[number])


@pytest.mark.parametrize("count", [500, pytest.param(5000, marks=[pytest.mark.long, pytest.mark.alone])])
def test_connections_that_send_nothing_are_closed_and_others_are_served_meanwhile(
    tmp_path: Path, receiver: ReceiverProcess, count: int
) -> None:
    """Half of them send nothing, half send only HTTP/2's preface; gRPC's default would wait two minutes."""
    before = open_files(receiver)
    with connections(receiver, count // 2) as silent, connections(receiver, count // 2, PREFACE) as halting:
        with Load(receiver.endpoint, threads=2) as load:
            load.wait_for_acks(100)
        wait_until_closed([*silent, *halting], 60)
    check(accepted=load.sent(), acked=load.acked, store=tmp_path)
    assert not load.refusals
    wait_until(lambda: open_files(receiver) <= before + 10)


@pytest.mark.long
def test_peers_that_vanish_silently_are_disconnected_when_they_answer_no_ping(receiver: ReceiverProcess) -> None:
    """Half-open connections, idle or stopped in the middle of a frame, are closed: a ping after 60 s may take 20 s.

    A peer that sends headers endlessly keeps its connection for an hour (`max_connection_age`); nothing else ends it.
    """
    greeting = PREFACE + frame(SETTINGS, 0, 0, b"") + frame(SETTINGS, ACK, 0, b"")
    half_headers = frame(HEADERS, END_HEADERS, 1, call_headers())[:20]
    with connections(receiver, 20, greeting) as idle, connections(receiver, 20, greeting + half_headers) as halting:
        wait_until_closed([*idle, *halting], 110)
    wait_until(lambda: open_files(receiver) < 40)


def test_calls_that_stop_in_the_middle_do_not_block_others_and_are_asked_to_retry(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    """There are more such calls than read slots; half of them send a byte now and then."""
    settings = PREFACE + frame(SETTINGS, 0, 0, b"")
    greeting = settings + begun_call(1, 1 * MIB, b"x")
    with (
        connections(receiver, 40, greeting) as stalled,
        stalled_call(receiver) as newest,
        Load(receiver.endpoint, threads=1) as load,
    ):
        for _ in range(5):
            for slow in stalled[::2]:
                slow.sendall(frame(DATA, 0, 1, b"x"))
            load.wait_for_acks(100)
        error = newest.exception()
    check(accepted=load.sent(), acked=load.acked, store=tmp_path)
    assert not load.refusals
    assert error.code() is grpc.StatusCode.UNAVAILABLE
    assert error.details().startswith("expected a whole request within 20.0 s, or sooner while others wait, got none")
    assert {key for key, _ in error.trailing_metadata()} >= RETRY_INFO
    assert receiver.logged_for_a_condition("requests are refused: SlowSenderError")


@contextmanager
def stalled_call(receiver: ReceiverProcess) -> Iterator[grpc.Future]:
    """A call of gRPC's own client that the receiver reads, and that never sends its message."""
    leave = threading.Event()

    def nothing() -> Iterator[bytes]:
        leave.wait(60)
        yield from ()

    with grpc.insecure_channel(receiver.endpoint) as channel:
        call = channel.stream_unary(LOGS).future(nothing(), timeout=60)
        yield call
        leave.set()


def test_a_flood_of_cancelled_calls_does_not_block_others(tmp_path: Path, receiver: ReceiverProcess) -> None:
    settings = PREFACE + frame(SETTINGS, 0, 0, b"")
    cancelled = [
        begun_call(stream, 1 * MIB, b"x") + frame(RST_STREAM, 0, stream, (8).to_bytes(4))
        for stream in range(1, 20_001, 2)
    ]
    with connected(receiver, settings) as flood, Load(receiver.endpoint, threads=1) as load:
        try:
            for position in range(0, len(cancelled), 500):
                flood.sendall(b"".join(cancelled[position : position + 500]))
        except (ConnectionError, TimeoutError):
            pass  # the receiver may close the connection
        load.wait_for_acks(50)
    check(accepted=load.sent(), acked=load.acked, store=tmp_path)
    assert not load.refusals


# --- Too many requests ---


@linux
def test_a_noisy_tenant_is_asked_to_retry_and_a_quiet_one_is_not(
    azurite: Azurite, start_receiver: StartReceiver, tmp_path: Path
) -> None:
    """64 senders on a budget for a dozen of their requests, over a slow store."""
    config = tmp_path / "receiver.yaml"
    config.write_text(f"max_in_flight_bytes: {3 * MIB}\nmax_message_bytes: {MIB}\nlinger_ms: 100\n")
    container = azurite.new_container()
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    receiver = start_receiver(f"az://{container}/prod", "--instance-id", INSTANCE, "--config", str(config), **variables)
    body = f'[{{"x":"{"a" * 50_000}"}}]'
    noise = Load(receiver.endpoint, threads=64, records=4, tenant="noisy/blue", body=body)
    quiet = Load(receiver.endpoint, threads=1, records=4, tenant="quiet/blue", body=body)
    with noise, quiet:
        quiet.wait_for_acks(60)
        noise.wait_for_acks(60)
    stored = {name.removeprefix("prod/"): content for name, content in azurite.blobs(container, "prod/").items()}
    check(accepted=[*noise.sent(), *quiet.sent()], acked=noise.acked | quiet.acked, store=stored)
    assert (quiet.refusals, set(noise.refusals)) == ({}, {grpc.StatusCode.RESOURCE_EXHAUSTED})
    assert noise.without_retry_info == 0
    assert receiver.logged_for_a_condition("requests are refused: OverloadedError")
    assert peak_rss(receiver) < 400 * MIB


def test_a_refusal_for_overload_has_the_delay_of_a_retry_in_both_forms(
    start_receiver: StartReceiver, tmp_path: Path
) -> None:
    """A budget of one message, taken by a request that lingers."""
    config = tmp_path / "receiver.yaml"
    config.write_text("max_in_flight_bytes: 1000\nmax_message_bytes: 1000\nlinger_ms: 60000\n")
    receiver = start_receiver(str(tmp_path / "store"), "--config", str(config))
    ids = ["1", "2"]
    with grpc.insecure_channel(receiver.endpoint) as channel:
        export = channel.unary_unary(LOGS)
        calls = {one: export.future(request(record(" " * 500 + "[{}]", event_id=one)), timeout=60) for one in ids}
        wait_until(lambda: any(call.done() for call in calls.values()))
        (refused,) = (one for one, call in calls.items() if call.done())
        assert calls[refused].code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert {key for key, _ in calls[refused].trailing_metadata()} >= RETRY_INFO
        assert receiver.stop() == 0
        (stored,) = (one for one in ids if one != refused)
        assert calls[stored].result() == b""
    check(accepted=[stored], acked=[stored], store=tmp_path / "store")

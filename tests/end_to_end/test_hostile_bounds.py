"""Requests of kilobytes that would become gigabytes or minutes of work: others are served, memory is bounded.

The receiver runs in a separate process with the settings that users get, but for a test of its own limits.
"""

from __future__ import annotations

import gzip
import http.client
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import grpc
import pytest
from gzip_bombs import MESSAGE_LIMIT, MIB
from history import check
from live_receiver import EXPORT_SPANS, INSTANCE
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from otlp_load import Load
from otlp_requests import DEPLOYMENT, field, raw_request, record, request, resource, span
from otlp_sender import LOGS
from receiver_process import lines_below, peak_rss

from otel_modeldata import semconv

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import ReceiverProcess, StartReceiver

pytestmark = [pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc, as Linux has it")]
EVIL = resource({**DEPLOYMENT, semconv.AZUREML_ENDPOINT_NAME: "evil"}).SerializeToString()
LONG = resource({**DEPLOYMENT, semconv.AZUREML_ENDPOINT_NAME: "evil", semconv.CLOUD_RESOURCE_ID: "é" * 2000})
EVENT = record("[{}]", time_ns=1).SerializeToString()


def of_evil(scope: bytes) -> bytes:
    """A request of one scope."""
    return field(1, field(1, EVIL) + field(2, scope))


LOG_BOMBS = {
    "fields with the number 0": bytes(70 * MIB),
    "unknown fields": b"\x78\x00" * (35 * MIB),
    "unknown fields of a resource": field(1, field(1, EVIL) + b"\x78\x00" * 30_000_000),
    "zeros that are escaped": of_evil(field(2, record(bytes(40 * MIB), collection="request").SerializeToString())),
    "empty records": of_evil(b"\x12\x00" * 1_450_000),
    "empty scopes": field(1, field(1, EVIL) + b"\x12\x00" * 1_000_000),
    "scopes of an empty record": field(1, field(1, EVIL) + field(2, field(2, b"")) * 1_000_000),
    "empty resources": b"\x0a\x00" * 1_000_000,
    "resources of an empty record": field(1, field(2, field(2, b""))) * 1_000_000,
    "a long resource id": raw_request([EVENT] * 100_000, LONG.SerializeToString()),
    "attributes": of_evil(field(2, EVENT + b"\x32\x00" * 1_000_000)),
    "attributes of a resource": raw_request([EVENT], EVIL + b"\x0a\x00" * 1_000_000),
    "values of a map": of_evil(field(2, EVENT + field(5, field(6, b"\x0a\x00" * 20_000_000)))),
    "rows": of_evil(field(2, record("[" + "{}," * (16 << 20) + "{}]").SerializeToString())),
    "digits": of_evil(field(2, record('[{"a":' + "1" * 60_000_000 + "}]").SerializeToString())),
}
SPAN_BOMBS = {
    "empty spans": of_evil(b"\x12\x00" * 1_000_000),
    "links": of_evil(field(2, span().SerializeToString() + field(13, b"") * 1_000_000)),
    "events": of_evil(field(2, span().SerializeToString() + field(11, field(2, b"e")) * 1_000_000)),
}
JSON_BOMBS = {
    "records": b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[' + b"{}," * 1_000_000 + b"{}]}]}]}",
    "depth": b'{"resourceLogs":' + b"[" * 5_000_000,
    "keys": b"{" + b",".join(b'"k%d":1' % n for n in range(700_000)) + b"}",
}


def answer(endpoint: str, method: str, bomb: bytes) -> str:
    """The status of the answer to a bomb."""
    options = [("grpc.max_send_message_length", -1)]
    with grpc.insecure_channel(endpoint, options=options) as channel:
        try:
            channel.unary_unary(method)(bomb, timeout=90)
        except grpc.RpcError as error:
            return str(error.code().name)
    return "OK"


def served_while(receiver: ReceiverProcess, store: Path, method: str, bomb: bytes) -> set[str]:
    """The answers to two bombs, in the middle of which another deployment is served within bounded memory."""
    bomb = gzip.compress(bomb, 1)
    with ThreadPoolExecutor(2) as attackers, Load(receiver.endpoint, threads=1, tenant="good/one") as load:
        load.wait_for_acks(20)
        bombs = [attackers.submit(answer, receiver.endpoint, method, bomb) for _ in range(2)]
        load.wait_for_acks(20)
        answers = {one.result() for one in bombs}
        load.wait_for_acks(20)
    good = {str(blob.relative_to(store)): blob.read_bytes() for blob in (store / "good").rglob("*.jsonl")}
    check(accepted=load.sent(), acked=load.acked, store=good)
    assert not load.refusals
    assert peak_rss(receiver) < 20 * MESSAGE_LIMIT
    return answers


@pytest.mark.slow
@pytest.mark.parametrize("bomb", LOG_BOMBS.values(), ids=LOG_BOMBS)
def test_a_bomb_of_log_records_is_answered_and_others_are_served_meanwhile(
    tmp_path: Path, start_receiver: StartReceiver, bomb: bytes
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    assert served_while(receiver, tmp_path, LOGS, bomb) <= {"OK", "INVALID_ARGUMENT", "RESOURCE_EXHAUSTED"}


@pytest.mark.slow
@pytest.mark.parametrize("bomb", SPAN_BOMBS.values(), ids=SPAN_BOMBS)
def test_a_bomb_of_spans_is_answered_and_others_are_served_meanwhile(
    tmp_path: Path, start_receiver: StartReceiver, bomb: bytes
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    assert served_while(receiver, tmp_path, EXPORT_SPANS, bomb) == {"OK"}


@pytest.mark.parametrize("bomb", JSON_BOMBS.values(), ids=JSON_BOMBS)
def test_a_bomb_in_json_is_undecodable(tmp_path: Path, start_receiver: StartReceiver, bomb: bytes) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE, "--http-listen", "127.0.0.1:0")
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    with closing(http.client.HTTPConnection(receiver.startup["http_listen"], timeout=60)) as connection:
        connection.request("POST", "/v1/logs", gzip.compress(bomb, 1), headers)
        assert connection.getresponse().status == 400
    assert [line["reason"].partition(":")[0] for line in lines_below(tmp_path)] == ["undecodable request"]


def test_the_lines_of_one_request_are_bounded_and_nothing_of_it_is_lost(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    """A deployment whose lines grow beyond the bound does not cost the others in its request."""
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    events = [record("[{}]", event_id=str(n)).SerializeToString() for n in range(10_000)]
    mixed = raw_request(events, LONG.SerializeToString()) + request(record(event_id="good"))
    with grpc.insecure_channel(receiver.endpoint) as channel:
        partial = ExportLogsServiceResponse.FromString(channel.unary_unary(LOGS)(mixed, timeout=60)).partial_success
    assert partial.error_message.startswith("too many bytes of lines: expected at most 32 times the ")
    (kept,) = lines_below(tmp_path / "_quarantine")
    assert kept["records"] == partial.rejected_log_records
    assert len(lines_below(tmp_path / "evil")) == 10_000 - kept["records"]
    assert [line["id"] for line in lines_below(tmp_path / "credit")] == ["good"]
    assert sum(blob.stat().st_size for blob in tmp_path.rglob("*") if blob.is_file()) < 40 * len(mixed)


def test_events_of_1970_and_2100_go_to_quarantine_unless_old_data_is_loaded(
    tmp_path: Path, start_receiver: StartReceiver
) -> None:
    times = {"1970": 1, "2100": 4_102_444_800_000_000_000}
    raw = request(*(record(event_id=one, time_ns=time_ns) for one, time_ns in times.items()), record(event_id="now"))
    for flags, stored in (((), ["now"]), (("--backfill", "credit/*"), ["1970", "2100", "now"])):
        store = tmp_path / str(len(flags))
        receiver = start_receiver(str(store), "--instance-id", INSTANCE, *flags, is_backfilled=False)
        with grpc.insecure_channel(receiver.endpoint) as channel:
            channel.unary_unary(LOGS)(raw, timeout=60)
        assert sorted(line["id"] for line in lines_below(store / "credit")) == sorted(stored)
        reasons = [line["reason"].partition(":")[0] for line in lines_below(store / "_quarantine")]
        assert reasons == ["event time"] * (3 - len(stored))


def test_rates_of_a_deployment_are_refused_with_the_setting(tmp_path: Path, start_receiver: StartReceiver) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("limits:\n  records_per_second: 1\n  quarantine_bytes_per_hour: 300\n")
    receiver = start_receiver(str(tmp_path / "store"), "--config", str(config))
    noisy = raw_request([record(event_id=str(n)).SerializeToString() for n in range(100)], EVIL)
    bad = request(*(record("no json", event_id=str(n)) for n in range(9)))
    with grpc.insecure_channel(receiver.endpoint) as channel:
        export = channel.unary_unary(LOGS)
        assert export(noisy, timeout=60) == b""
        with pytest.raises(grpc.RpcError) as caught:
            export(noisy, timeout=60)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "limits.records_per_second" in caught.value.details()
        partial = ExportLogsServiceResponse.FromString(export(bad, timeout=60)).partial_success
    assert partial.rejected_log_records == 9
    assert "limits.quarantine_bytes_per_hour" in partial.error_message
    quarantined = lines_below(tmp_path / "store" / "_quarantine")
    assert 1 < len(quarantined) < 9

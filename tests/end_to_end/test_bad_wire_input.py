"""Bad records on the wire: each is kept with its reason and reported to the sender; all others are stored."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
import pytest
from live_receiver import live_receiver
from otlp_requests import (
    BAD_NAMES,
    NOON,
    invalid_utf8,
    nested_record,
    raw_request,
    record,
    request,
    resource,
)

from otel_modeldata import semconv

if TYPE_CHECKING:
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

pytestmark = pytest.mark.anyio

MIB = 1024 * 1024
GOOD = [record(event_id=one, time_ns=NOON).SerializeToString() for one in ("good-1", "good-2")]
WIRE_NAMES = [*BAD_NAMES, "nul\x00", "cr\r\nlf"]

BAD_RECORDS = {
    **{f"collection {name[:20]!r}": (record(collection=name), ("name", "attribute text")) for name in WIRE_NAMES},
    "an ordinary log line": (record("user logged in", collection=None), ("not model data",)),
    "no body": (record(None), ("body not rows",)),
    "a body that is not JSON": (record("age=42"), ("body not JSON",)),
    "an empty body": (record(""), ("body not JSON",)),
    "rows that are scalars": (record("[1,2]"), ("body not rows",)),
    "a scalar": (record("1"), ("body not rows",)),
    "a truncated body": (record('[{"a":1'), ("body not JSON",)),
    "NaN, which is no JSON": (record('[{"a":NaN}]'), ("body not JSON",)),
    "an escaped lone surrogate": (record('[{"a":"\\ud800"}]'), ("body not JSON",)),
    "binary": (record(b"\x89PNG\xff"), ("binary body",)),
    "an empty id": (record(event_id=""), ("event id",)),
    "a long id": (record(event_id="x" * 1100), ("event id",)),
    "an id with CR LF": (record(event_id="a\r\nb"), ("attribute text",)),
    "a list as correlation id": (record(attributes={semconv.AZUREML_CORRELATION_ID: ["x"]}), ("attribute type",)),
    "a correlation id with CR LF": (record(attributes={semconv.AZUREML_CORRELATION_ID: "a\r\n"}), ("attribute text",)),
    "a large bad body": (record("x" * 5 * MIB), ("body not JSON",)),
}


@pytest.mark.parametrize(("bad", "kinds"), BAD_RECORDS.values(), ids=BAD_RECORDS)
async def test_a_bad_record_is_kept_with_its_reason_and_the_records_beside_it_are_stored(
    tmp_path: Path, bad: LogRecord, kinds: tuple[str, ...]
) -> None:
    await check_isolated(tmp_path, bad.SerializeToString(), kinds)


DAMAGED = {
    "invalid UTF-8 in the body": invalid_utf8(record('[{"a":"BADTEXT"}]'), "BADTEXT"),
    "invalid UTF-8 in an attribute's key": invalid_utf8(record(attributes={"BADTEXT": "x"}), "BADTEXT"),
    "invalid UTF-8 in an attribute's value": invalid_utf8(record(attributes={"x": "BADTEXT"}), "BADTEXT"),
    "invalid UTF-8 in the collection's name": invalid_utf8(record(collection="BADTEXT"), "BADTEXT"),
    "a body nested 60 deep": nested_record(60, "deep"),
    "a body nested 5000 deep": nested_record(5000, "abyss"),
}


@pytest.mark.parametrize("damaged", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_record_is_kept_with_its_reason_and_the_records_beside_it_are_stored(
    tmp_path: Path, damaged: bytes
) -> None:
    await check_isolated(tmp_path, damaged, ("undecodable LogRecord",))


def bytes_at(path: str) -> bytes:
    return Path(path).read_bytes()


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def check_isolated(folder: Path, bad: bytes, kinds: tuple[str, ...]) -> None:
    """Send `bad` between two good records."""
    async with live_receiver(folder) as receiver:
        answer = await receiver.export(raw_request([GOOD[0], bad, GOOD[1]]))
        assert answer.partial_success.rejected_log_records == 1
        assert answer.partial_success.error_message.startswith(tuple(f"{kind}: expected " for kind in kinds))
        assert [line["id"] for line in receiver.lines("credit/blue/model_inputs/**/*.jsonl")] == ["good-1", "good-2"]
        (kept,) = receiver.quarantine()
        assert kept["reason"] == answer.partial_success.error_message
        if "recordref" in kept:
            assert bytes_at(kept["recordref"]) == bad
        else:
            assert base64.b64decode(kept["record"]) == bad
        assert base64.b64decode(kept["resource"]) == resource().SerializeToString()
        for blob in receiver.blobs():
            assert blob.startswith(("credit/blue/model_inputs/2026/11/22/12/", "_quarantine/"))
    assert names_in(folder.parent) == [folder.name]


@pytest.fixture
def tmp_path(tmp_path: Path) -> Path:
    """A folder inside another one, so that files outside it are noticed."""
    inner = tmp_path / "store"
    inner.mkdir()
    return inner


@pytest.mark.parametrize("key", [semconv.AZUREML_ENDPOINT_NAME, semconv.AZUREML_DEPLOYMENT_NAME])
@pytest.mark.parametrize("name", WIRE_NAMES)
async def test_a_bad_name_in_a_resource_affects_only_its_own_records(tmp_path: Path, key: str, name: str) -> None:
    bad = resource({key: name}).SerializeToString()
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(raw_request([GOOD[0]], bad) + raw_request([GOOD[1]]))
        assert answer.partial_success.rejected_log_records == 1
        assert [line["id"] for line in receiver.lines()] == ["good-2"]
        assert [base64.b64decode(line["resource"]) for line in receiver.quarantine()] == [bad]
        assert all(blob.startswith(("credit/blue/", "_quarantine/")) for blob in receiver.blobs())


async def test_invalid_utf8_in_a_resource_affects_only_its_own_records(tmp_path: Path) -> None:
    bad = resource({semconv.AZUREML_ENDPOINT_NAME: "BADTEXT"}).SerializeToString().replace(b"BADTEXT", b"\xff" * 7)
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(raw_request([GOOD[0]], bad) + raw_request([GOOD[1]]))
        assert answer.partial_success.error_message.startswith("undecodable Resource: ")
        assert [line["id"] for line in receiver.lines()] == ["good-2"]
        assert [base64.b64decode(line["record"]) for line in receiver.quarantine()] == [GOOD[0]]


async def test_the_deepest_body_that_a_record_can_carry_is_stored(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        await receiver.export(raw_request([nested_record(49, "deep")]))
        (line,) = receiver.raw_lines()
    assert b'"data":' + b"[" * 49 + b'"x"' + b"]" * 49 + b"," in line


@pytest.mark.parametrize("size", [int(3.9 * MIB), int(4.1 * MIB), 16 * MIB])
async def test_a_large_record_is_stored_whole_and_so_are_the_records_beside_it(tmp_path: Path, size: int) -> None:
    rows = json.dumps([{"x": "a" * (size - len('[{"x": ""}]'))}])
    async with live_receiver(tmp_path) as receiver:
        large = record(rows, event_id="large", time_ns=NOON).SerializeToString()
        answer = await receiver.export(raw_request([GOOD[0], large, GOOD[1]]))
        assert not answer.HasField("partial_success")
        await receiver.delivered()
        lines = {line["id"]: line for line in receiver.lines()}
        assert set(lines) == {"good-1", "large", "good-2"}
        assert lines["large"]["contentrange"] == f"bytes 0-{size - 1}/{size}"
        if "data" in lines["large"]:
            assert lines["large"]["data"] == json.loads(rows)
        else:
            assert bytes_at(lines["large"]["dataref"]) == rows.encode()
        assert ("dataref" in lines["large"]) is (size > 4 * MIB)


async def test_many_bad_records_do_not_affect_a_good_one(tmp_path: Path) -> None:
    bad = [record(f"no json {number}", time_ns=NOON).SerializeToString() for number in range(100)]
    good = [record(event_id=str(number), time_ns=NOON).SerializeToString() for number in range(100)]
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(raw_request([one for pair in zip(bad, good, strict=True) for one in pair]))
        assert answer.partial_success.rejected_log_records == 100
        assert len(answer.partial_success.error_message) <= 1000
        assert [line["id"] for line in receiver.lines()] == [str(number) for number in range(100)]
        assert len(receiver.quarantine()) == 100


async def test_each_arrival_of_a_record_without_id_is_a_line_even_in_quarantine(tmp_path: Path) -> None:
    raw = request(*[record(time_ns=NOON)] * 2, *[record("no json", time_ns=NOON)] * 2)
    async with live_receiver(tmp_path) as receiver:
        for _ in range(2):
            await receiver.export(raw)
        for lines in (receiver.lines(), receiver.quarantine()):
            assert len({line["id"] for line in lines}) == len(lines) == 4


async def test_a_bad_record_with_an_id_is_kept_once(tmp_path: Path) -> None:
    raw = request(record("no json", event_id="x", time_ns=NOON), record("no json", event_id="y", time_ns=NOON))
    async with live_receiver(tmp_path) as receiver:
        for _ in range(2):
            await receiver.export(raw)
        assert len(receiver.quarantine()) == 2


async def test_an_id_that_occurs_twice_in_a_request_is_stored_once_and_acknowledged(tmp_path: Path) -> None:
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(raw_request([GOOD[0], GOOD[0], GOOD[1]]))
        assert not answer.HasField("partial_success")
        assert [line["id"] for line in receiver.lines()] == ["good-1", "good-2"]


async def test_bad_records_of_a_compressed_request_are_isolated_too(tmp_path: Path) -> None:
    raw = raw_request([GOOD[0], DAMAGED["invalid UTF-8 in the body"]])
    async with live_receiver(tmp_path) as receiver:
        answer = await receiver.export(raw, compression=grpc.Compression.Gzip)
        assert answer.partial_success.rejected_log_records == 1
        assert [line["id"] for line in receiver.lines()] == ["good-1"]

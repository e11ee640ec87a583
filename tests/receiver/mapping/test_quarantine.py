"""Quarantine lines: the bytes, the reason, and an id that is the same for a retry."""

from __future__ import annotations

import json
from base64 import b64decode

from otlp_requests import NOON

from otel_modeldata_receiver.mapping import quarantine
from otel_modeldata_receiver.mapping.quarantine import MAX_INLINE_BYTES, MAX_INLINE_RESOURCE_BYTES, Rejected

RECORD = Rejected(
    reason="body not JSON: expected valid JSON, got an error",
    record=b"\x00\xffrecord",
    resource=b"resource",
    endpoint="credit",
    collection="model_inputs",
)


def test_a_whole_record_is_kept_with_the_reason() -> None:
    line = quarantine.encode(RECORD, arrival_ns=NOON, urls={})
    assert line.endswith(b"}\n")
    assert json.loads(line) == {
        "reason": "body not JSON: expected valid JSON, got an error",
        "time": "2026-11-22T12:00:00Z",
        "endpoint": "credit",
        "collection": "model_inputs",
        "id": RECORD.id,
        "size": 8,
        "record": "AP9yZWNvcmQ=",
        "resource": "cmVzb3VyY2U=",
    }


def test_a_whole_request_that_cannot_be_read_is_kept() -> None:
    rejected = Rejected(reason="undecodable request: got noise", request=b"\xff")
    assert json.loads(quarantine.encode(rejected, arrival_ns=NOON, urls={})) == {
        "reason": "undecodable request: got noise",
        "time": "2026-11-22T12:00:00Z",
        "id": rejected.id,
        "size": 1,
        "request": "/w==",
    }


def test_large_parts_have_urls() -> None:
    large = Rejected(reason="r", record=b"x" * (MAX_INLINE_BYTES + 1), resource=b"small")
    assert large.large_parts == {"record": large.record}
    line = json.loads(quarantine.encode(large, arrival_ns=NOON, urls={"record": "file.bin"}))
    assert (line["recordref"], "record" in line, b64decode(line["resource"])) == ("file.bin", False, b"small")
    assert line["size"] == MAX_INLINE_BYTES + 1


def test_a_resource_has_a_lower_limit_because_every_record_under_it_repeats_it() -> None:
    rejected = Rejected(reason="r", record=b"x", resource=b"y" * (MAX_INLINE_RESOURCE_BYTES + 1))
    assert rejected.large_parts == {"resource": rejected.resource}
    line = json.loads(quarantine.encode(rejected, arrival_ns=NOON, urls={"resource": "file.bin"}))
    assert (line["resourceref"], "resource" in line, line["record"]) == ("file.bin", False, "eA==")


def test_the_id_is_the_same_for_the_same_bytes_with_any_reason() -> None:
    assert RECORD.id == Rejected(reason="other", record=RECORD.record, resource=RECORD.resource).id
    assert len(RECORD.id) == 64


def test_the_id_depends_on_which_part_has_the_bytes() -> None:
    kept = [
        Rejected(reason="r", record=b"ab"),
        Rejected(reason="r", record=b"a", resource=b"b"),
        Rejected(reason="r", resource=b"ab"),
        Rejected(reason="r", request=b"ab"),
    ]
    assert len({one.id for one in kept}) == 4


def test_the_kind_is_the_common_part_of_reasons() -> None:
    assert RECORD.kind == "body not JSON"

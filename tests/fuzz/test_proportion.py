"""Work and memory grow in proportion to the input, whatever is repeated in it.

Work is counted in calls, and memory is what Python allocates: both are the same on a busy machine. A time is not
asserted; the runs with coverage refuse inputs that take many seconds.
"""

from __future__ import annotations

import gc
import json
import logging
import sys
import tracemalloc
from typing import TYPE_CHECKING

import pytest
from otlp_requests import NOON, field, raw_request, record, request, resource, span, span_request
from targets import target

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FEW = 100
WIDE = 1600
"""In a part of a request that takes long in other ways than a short one."""
TIMES = 4
MOST_GROWTH = 1.5 * TIMES
"""A square would be 16 times."""
pytestmark = pytest.mark.slow


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


def _records(count: int) -> bytes:
    return request(*[record(event_id=str(number), time_ns=NOON) for number in range(count)])


def _records_without_id(count: int) -> bytes:
    return request(*[record(time_ns=NOON)] * count)


def _hours(count: int) -> bytes:
    return request(*[record(event_id=str(n), time_ns=NOON + n * 3_600_000_000_000) for n in range(count)])


def _bad_records(count: int) -> bytes:
    return raw_request([b"\xff"] * count)


def _attributes(count: int) -> bytes:
    return request(*[record("[{}]", {f"key.{n}": "x" for n in range(count)}, event_id="1", time_ns=NOON)] * 3)


def _same_attribute(count: int) -> bytes:
    one = record("[{}]", {}, event_id="1", time_ns=NOON)
    one.attributes.extend([*one.attributes] * count)
    return request(one)


def _extensions(count: int) -> bytes:
    keys = {f"cloudevents.extension.k{n}": "x" for n in range(count)}
    return request(record("[{}]", keys, event_id="1", time_ns=NOON))


def _rows(count: int) -> bytes:
    return request(record(json.dumps([{"a": 1}] * count), event_id="1", time_ns=NOON))


def _structured_rows(count: int) -> bytes:
    return request(record([{"a": 1}] * count, event_id="1", time_ns=NOON))


def _scopes(count: int) -> bytes:
    return field(1, field(1, resource().SerializeToString()) + field(2, b"") * count)


def _resources(count: int) -> bytes:
    return field(1, field(1, resource().SerializeToString()) + field(2, field(2, b""))) * count


def _parts_of_a_resource(count: int) -> bytes:
    return field(1, field(1, resource().SerializeToString()) * count + field(2, field(2, b"")))


def _shapes(count: int) -> bytes:
    return request(
        *[
            record("[{}]", {"x" * (n % 97 + 1): "x"}, event_id=str(n), time_ns=NOON)
            for n in range(count // 4)
            for _ in "ab"
        ]
    )


def _spans(count: int) -> bytes:
    return span_request(*[span(f"s{n}") for n in range(count)])


def _messages(count: int) -> bytes:
    text = json.dumps([{"role": "user", "parts": [{"type": "text", "content": "x"}]}] * count)
    return span_request(span("chat", {"gen_ai.operation.name": "chat", "gen_ai.input.messages": text}))


def _json_records(count: int) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}] * count}]}]}).encode()


def _json_of_wrong_types(count: int) -> bytes:
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [{"traceId": 5}] * count}]}]}).encode()


def _stored_lines(count: int) -> bytes:
    return b"tail=9999 read=512\n" + b"".join(b'{"id":"%04d"}\n' % number for number in range(count))


def _stored_line_of_reads(count: int) -> bytes:
    return b'tail=9999 read=16\n{"id":"a","x":"' + b"y" * (8 * count) + b'"}\n'


def _keys(count: int) -> bytes:
    return b"".join(b"key%d: x\n" % number for number in range(count // 4))


def _collections(count: int) -> bytes:
    names = b"".join(b"    c%d: {enabled: true}\n" % number for number in range(count // 4))
    return b"data_collector:\n  collections:\n" + names


@pytest.mark.parametrize(
    ("name", "make", "few"),
    [
        *(("otlp_mapper", make, FEW) for make in (_records, _records_without_id, _hours, _rows)),
        *(("otlp_mapper", make, 4 * FEW) for make in (_bad_records, _scopes, _structured_rows)),
        *(
            pytest.param("otlp_mapper", make, count, marks=pytest.mark.long)
            for make, count in (
                *((make, WIDE) for make in (_attributes, _same_attribute, _extensions, _parts_of_a_resource)),
                *((make, 4 * FEW) for make in (_resources, _shapes)),
            )
        ),
        *(("otlp_spans", make, FEW) for make in (_spans, _messages, _scopes)),
        *(("otlp_json", make, FEW) for make in (_json_records, _json_of_wrong_types)),
        *(("tail_reader", make, FEW) for make in (_stored_lines, _stored_line_of_reads)),
        *(("configuration", make, FEW) for make in (_keys, _collections)),
    ],
    ids=lambda value: str(value) if isinstance(value, (str, int)) else value.__name__.strip("_"),
)
def test_work_and_memory_grow_as_the_input_does(name: str, make: Callable[[int], bytes], few: int) -> None:
    check = target(name).check
    small, large = make(few), make(TIMES * few)
    check(small)  # imports and caches
    assert _calls(check, large) <= MOST_GROWTH * _calls(check, small)
    assert _peak(check, large) <= MOST_GROWTH * _peak(check, small) + 3_000_000


def _calls(check: Callable[[bytes], None], given: bytes) -> int:
    """How many functions are called, those in C too."""
    calls = 0

    def count(_: object, event: str, __: object) -> None:
        nonlocal calls
        calls += event in {"call", "c_call"}

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        check(given)
    finally:
        sys.setprofile(before)
    return calls


def _peak(check: Callable[[bytes], None], given: bytes) -> int:
    """Most bytes that Python holds at one time."""
    gc.collect()
    tracemalloc.start()
    try:
        check(given)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

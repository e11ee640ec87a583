"""Which events are requests, and what is sent of them."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.replaying import RecordedRequest, Recording, ReplayPreview

if TYPE_CHECKING:
    from pathlib import Path

REQUEST = "shop/blue/request"


def preview(store: Path, **options: Any) -> ReplayPreview:
    with reader.open(store) as opened:
        return opened.replay(Recording(deployment="shop/blue", **options)).preview()


def body(data: Any = ..., *, size: int | None = None, total: int | str | None = None, **keys: Any) -> bytes:
    """The line of a request with this body; `size` and `total` are those of its content range."""
    size = len(json.dumps(data)) if size is None else size
    given = {
        "contentrange": f"bytes 0-{size - 1}/{size if total is None else total}",
        "method": "POST",
        "path": "/score",
    }
    return line(data, type="azureml.inference.request", **given | keys)


def payload(store: Path, collection: str, name: str, content: bytes) -> None:
    path = store / collection / HOUR / "files" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def first(store: Path, **options: Any) -> RecordedRequest:
    found = preview(store, **options).first
    assert found is not None
    return found


def test_a_request_has_the_rows_of_one_event_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, [line(raw='[{"a":1.50,"b":"x"},{"a":12345678901234567890,"b":null}]', traceparent="00-1-2-01")])
    assert first(tmp_path, form="rows", by="b") == RecordedRequest(
        key="event-0",
        correlation_id="request-0",
        traceparent="00-1-2-01",
        time=1795341600000000000,
        rows=2,
        slices=("x", "null"),
        body=b'[{"a":1.50,"b":"x"},{"a":12345678901234567890,"b":null}]',
    )


def test_an_event_without_an_id_has_the_one_of_its_place(tmp_path: Path) -> None:
    path = write(tmp_path, [line(id=None, correlationid=None, timens=None, time=None)])
    found = first(tmp_path)
    assert (found.key, found.correlation_id, found.time) == (f"{path.relative_to(tmp_path)}:1", None, None)
    write(tmp_path, [line(id="e" * 2000)])
    assert first(tmp_path).key == f"{path.relative_to(tmp_path)}:1"


def test_the_window_and_repeated_ids_are_those_of_a_reading(tmp_path: Path) -> None:
    write(tmp_path, [line(number=number) for number in (0, 1, 2, 1)])
    assert preview(tmp_path).requests == 3
    assert (
        preview(tmp_path, since="2026-11-22T10:00:00.000000001Z", until="2026-11-22T10:00:00.000000002Z").requests == 1
    )
    assert preview(tmp_path, since="2026-11-23").requests == 0


def test_columns_are_chosen_in_their_order(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": 1, "b": 2, "c": 3}]), line([{"c": 4}], number=1)])
    with reader.open(tmp_path) as store:
        found = store.replay(Recording(deployment="shop/blue", columns=("c", "a"), form="rows")).preview()
    assert found.first is not None
    assert (found.first.body, found.requests) == (b'[{"c":3,"a":1}]', 2)


def test_a_slice_is_a_short_text(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": "é" * 300}, {"a": 1.5}, {"a": [1]}, {"b": 1}, {"a": True}])])
    assert first(tmp_path, by="a").slices == ("é" * 200, "1.5", "[1]", "null", "true")


def test_texts_like_null_are_slices_of_their_own(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": one} for one in (None, "null", "true", True, "nulls")])])
    assert first(tmp_path, by="a").slices == ("null", '"null"', '"true"', "true", "nulls")


@pytest.mark.parametrize(
    ("broken", "reason"),
    [
        (line(raw='"text"'), "it has no rows"),
        (line(raw="[1, 2]"), "it has no rows"),
        (line(raw="[]"), "it has no rows"),
        (line(data=None, dataref="gone.json"), "its payload is missing or too large"),
        (line(raw='"b.bin"', datainblob="true"), "its payload is missing or too large"),
    ],
)
def test_what_has_no_rows_is_counted(tmp_path: Path, broken: bytes, reason: str) -> None:
    write(tmp_path, [broken, line(number=1)])
    found = preview(tmp_path)
    assert (found.requests, found.skipped) == (1, {reason: 1})


def test_what_has_no_form_in_a_format_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [line([{"a": 1}, {"a": 2}]), line([{"a": 1}], number=1), line([{"a": [1]}], number=2)])
    assert preview(tmp_path, form="row").skipped == {"the format has no form for it: expected one row": 1}
    reason = "the format has no form for it: expected no lists and objects in a cell"
    assert preview(tmp_path, form="kserve-v2").skipped == {reason: 1}


def test_rows_that_are_an_object_of_their_own_are_sent(tmp_path: Path) -> None:
    write(tmp_path, [line(data=None, dataref="files/rows.json", contentrange="bytes 0-8/9")])
    payload(tmp_path, COLLECTION, "rows.json", b'[{"a":7}]')
    assert first(tmp_path, form="rows").body == b'[{"a":7}]'
    payload(tmp_path, COLLECTION, "rows.json", b'[{"\xff":7}]')
    assert preview(tmp_path, form="rows").skipped == {"it has no rows": 1}


@pytest.mark.parametrize(
    ("recorded", "sent"),
    [
        (body({"data": [[1, 2]]}), b'{"data": [[1, 2]]}'),
        (body("a,b\n1,2\n", size=8, datacontenttype="text/csv"), b"a,b\n1,2\n"),
        (body("é", size=2, datacontenttype="text/plain"), "é".encode()),
        (body("abc"), b'"abc"'),
        (body("abc", size=3), b"abc"),
        (body(7), b"7"),
    ],
)
def test_a_recorded_body_is_sent_as_it_was(tmp_path: Path, recorded: bytes, sent: bytes) -> None:
    write(tmp_path, [recorded], collection=REQUEST)
    found = first(tmp_path, from_requests=True)
    assert (found.body, found.rows, found.path) == (sent, None, "/score")
    assert found.content_type == json.loads(recorded)["datacontenttype"]


def test_a_compressed_body_is_sent_with_its_encoding(tmp_path: Path) -> None:
    content = gzip.compress(b"[1]")
    keys = {"datainblob": "true", "contentencoding": "gzip", "datacontenttype": "application/json"}
    write(tmp_path, [body("files/body.bin", size=len(content), **keys)], collection=REQUEST)
    payload(tmp_path, REQUEST, "body.bin", content)
    found = first(tmp_path, from_requests=True)
    assert (found.body, found.content_type, found.content_encoding) == (content, "application/json", "gzip")


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (body([1], method="GET"), "its method is not POST"),
        (body([1], method=None), "its method is not POST"),
        (body([1], total=70), "its body was not recorded to its end"),
        (body([1], total="*"), "its body was not recorded to its end"),
        (body([1], contentrange=None), "its body was not recorded to its end"),
        (body([1], datacontenttype="text/x\r\nx-evil: 1"), "its content type is none"),
        (body([1], contentencoding="gzip\n"), "its content type is none"),
    ],
)
def test_a_body_that_cannot_be_sent_as_it_was_is_counted(tmp_path: Path, recorded: bytes, reason: str) -> None:
    write(tmp_path, [recorded], collection=REQUEST)
    found = preview(tmp_path, from_requests=True)
    assert (found.requests, Counter(found.skipped)) == (0, Counter({reason: 1}))

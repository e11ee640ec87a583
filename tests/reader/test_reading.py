"""A reading returns every event once, and reports what it skipped."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pytest
from read_lines import COLLECTION, HOUR, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import DamagedLineError, Place, ReaderError, ReadReport, UnknownNameError
from otel_modeldata_reader.rows import row_tables
from otel_modeldata_reader.rows.envelope_columns import ENVELOPE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BLOB = f"{COLLECTION}/{HOUR}/{0:032x}000000.jsonl"


def ages(store: Path, **arguments: Any) -> list[Any]:
    return reader.open(store).read(COLLECTION, **arguments).to_arrow().column("age").to_pylist()


def report(store: Path, **arguments: Any) -> dict[str, Any]:
    """The counts of a reading that are not zero, without those of what is read."""
    found = reader.open(store).read(COLLECTION, **arguments).report
    fields = {name: getattr(found, name) for name in ReadReport.__dataclass_fields__}
    return {name: value for name, value in fields.items() if value and name not in {"blobs", "size", "lines", "rows"}}


def test_every_row_has_the_columns_of_the_envelope_before_its_own(tmp_path: Path) -> None:
    traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    write(tmp_path, [line([{"age": 1}, {"age": 2}], traceparent=traceparent), line(number=3)])
    table = reader.open(tmp_path).read(COLLECTION).to_arrow()
    assert table.schema == pa.schema([*ENVELOPE, ("age", pa.int64())])
    first = {
        "row_id": "request-0_0",
        "correlationid": "request-0",
        "time": pd.Timestamp("2026-11-22T10:00:00Z"),
        "endpoint": "shop",
        "deployment": "blue",
        "collection": "model_inputs",
        "traceparent": traceparent,
        "modelversion": "default",
        "event_id": "event-0",
        "age": 1,
    }
    time = pd.Timestamp("2026-11-22T10:00:00.000000003Z")
    third = {"row_id": "request-3_0", "correlationid": "request-3", "time": time, "traceparent": None}
    assert table.to_pylist() == [
        first,
        first | {"row_id": "request-0_1", "age": 2},
        first | third | {"event_id": "event-3", "age": 3},
    ]


def test_without_the_envelope_rows_have_their_own_columns_only(tmp_path: Path) -> None:
    write(tmp_path, [line([{"time": "noon", "age": 1}])])
    table = reader.open(tmp_path).read(COLLECTION, envelope=False).to_arrow()
    assert table.to_pylist() == [{"time": "noon", "age": 1}]


def test_a_column_with_a_name_of_the_envelope_is_renamed_and_reported(tmp_path: Path) -> None:
    write(tmp_path, [line([{"time": "noon", "data.time": "x", "age": 1}])])
    reading = reader.open(tmp_path).read(COLLECTION)
    assert reading.to_arrow().select(["data.data.time", "data.time", "age"]).to_pylist() == [
        {"data.data.time": "noon", "data.time": "x", "age": 1}
    ]
    assert reading.report.renamed == (("time", "data.data.time"),)


def test_the_row_id_equals_that_of_azures_reader_for_unusual_correlation_ids(tmp_path: Path) -> None:
    lines = [line(correlationid=123), line(number=1, correlationid=None), line(number=2, correlationid="")]
    write(tmp_path, lines)
    table = reader.open(tmp_path).read(COLLECTION).to_arrow()
    assert table.column("row_id").to_pylist() == ["123_0", "0", "_0"]
    assert table.column("correlationid").to_pylist() == ["123", None, ""]


def test_an_id_is_read_once_also_in_another_blob(tmp_path: Path) -> None:
    write(tmp_path, [line(), line(number=1), line()])
    write(tmp_path, [line(number=1), line(number=2)], replica=1)
    assert ages(tmp_path) == [0, 1, 2]
    assert report(tmp_path)["duplicates"] == 2


def test_lines_without_an_id_are_all_read(tmp_path: Path) -> None:
    write(tmp_path, [line(id=None), line(id=None, number=1)])
    assert ages(tmp_path) == [0, 1]


def test_a_torn_last_line_is_counted_and_a_whole_one_without_a_line_feed_is_read(tmp_path: Path) -> None:
    write(tmp_path, [line(), line(number=1)[:-20]])
    write(tmp_path, [line(number=2), line(number=3).rstrip(b"\n")], replica=1)
    assert ages(tmp_path) == [0, 2, 3]
    assert report(tmp_path) == {
        "kept": 3,
        "torn": 1,
        "first": ((Place(blob=BLOB, line=2), "expected a whole last line, got a torn one"),),
    }


FOREIGN = {
    "text": b"not JSON\n",
    "array": b"[1]\n",
    "no rows": b'{"hello": 1}\n',
    "null": line(number=9, raw="null"),
    "bad UTF-8": b'{"data":[{"a":"\xff"}]}\n',
    "half an object": line(number=9)[:40] + b"\n",
    "row that is a number": line(number=9, raw='[{"age":1},2]'),
    "half a surrogate": line(number=9, raw='[{"age":"\\ud800"}]'),
    "too deep": b'{"data":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_foreign_line_is_counted_and_the_others_are_read(tmp_path: Path, name: str) -> None:
    write(tmp_path, [line(), FOREIGN[name], line(number=1)])
    assert ages(tmp_path) == [0, 1]
    found = report(tmp_path)
    assert (found["foreign"], found["first"][0][0]) == (1, Place(blob=BLOB, line=2))
    with pytest.raises(DamagedLineError, match=f"in {BLOB}, line 2"):
        ages(tmp_path, strict=True)


def test_byte_order_marks_blank_lines_and_carriage_returns_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, [b"\xef\xbb\xbf", line(), b"\n", b"  \r\n", line(number=1).replace(b"\n", b"\r\n")])
    assert ages(tmp_path) == [0, 1]
    assert report(tmp_path) == {"kept": 2}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [0, 1, 2]),
        ({"since": "2026-11-22T11:00:00Z"}, [1, 2]),
        ({"until": "2026-11-22T11:00:00Z"}, [0]),
        ({"since": "2026-11-22T10:00:00Z", "until": "2026-11-22T11:00:00.000000001Z"}, [0, 1]),
        ({"since": "2026-11-23"}, []),
    ],
)
def test_a_window_is_half_open(tmp_path: Path, arguments: dict[str, Any], expected: list[int]) -> None:
    hours = [NOON_NS - 7_200 * 10**9, NOON_NS - 3_600 * 10**9, NOON_NS]
    for number, time in enumerate(hours):
        write(tmp_path, [line(number=number, timens=str(time))], hour=f"2026/11/22/{10 + number}")
    table = reader.open(tmp_path).read(COLLECTION, columns=["age"], **arguments).to_arrow()
    assert table.column("age").to_pylist() == expected


def test_folders_outside_of_a_window_are_not_opened(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [line(number=1)], hour="2026/11/22/11").chmod(0)
    write(tmp_path, [b"not a line\n"], hour="2026/11/21/09")
    reading = reader.open(tmp_path).read(COLLECTION, since="2026-11-22T10:00:00Z", until="2026-11-22T11:00:00Z")
    assert reading.to_arrow().num_rows == 1
    assert (reading.report.blobs, reading.report.foreign) == (1, 0)


@pytest.mark.parametrize(("hour", "since"), [("2026", "2026-11-22"), ("2026/11", "-2000w"), ("2026/11/22/10/00", None)])
def test_every_rolling_rate_is_read(tmp_path: Path, hour: str, since: str | None) -> None:
    write(tmp_path, [line()], hour=hour)
    assert ages(tmp_path, since=since) == [0]


def test_a_line_in_the_folder_of_another_hour_is_read_and_counted(tmp_path: Path) -> None:
    write(tmp_path, [line(), line(number=1, timens=str(NOON_NS))])
    assert ages(tmp_path) == [0, 1]
    assert report(tmp_path) == {"kept": 2, "misplaced": 1}


def test_a_line_without_a_time_belongs_to_its_folder(tmp_path: Path) -> None:
    write(tmp_path, [line(time=None, timens=None), line(number=1, timens=None, time="2026-11-22T10:59:59.5Z")])
    table = reader.open(tmp_path).read(COLLECTION, since="2026-11-22T10", until="2026-11-22T11").to_arrow()
    assert table.column("time").to_pylist() == [None, pd.Timestamp("2026-11-22T10:59:59.5Z")]


def test_what_a_receiver_has_set_aside_is_counted(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    write(tmp_path, [b"{}\n", b"{}\n"], collection="_quarantine")
    write(tmp_path, [b"{}\n"], collection="_quarantine", hour="2026/11/22/11")
    parked = write(tmp_path, [line(number=1)], collection=f"_parked/{COLLECTION}")
    write(tmp_path, [line(number=2)], collection="_parked/shop/blue/model_outputs")
    window = {"since": "2026-11-22T10", "until": "2026-11-22T11"}
    assert ages(tmp_path, **window) == [0]
    assert report(tmp_path, **window) == {"kept": 1, "quarantined": 2, "parked": parked.stat().st_size}
    assert [one.name for one in reader.open(tmp_path).collections()] == [COLLECTION]


def test_columns_and_a_condition_choose(tmp_path: Path) -> None:
    rows = [{"age": age, "country": "ES" if age % 2 else "FR"} for age in range(10)]
    write(tmp_path, [line(rows)])
    reading = reader.open(tmp_path).read(COLLECTION, columns=["country", "row_id"], where="age > 6 AND country = 'ES'")
    expected = [{"country": "ES", "row_id": "request-0_7"}, {"country": "ES", "row_id": "request-0_9"}]
    assert reading.to_arrow().to_pylist() == expected
    assert [row for batch in reading.batches() for row in batch.to_pylist()] == expected
    assert (reading.report.rows, reading.report.kept) == (10, 2)


def _open(store: Path) -> reader.Store:
    return reader.open(store)


@pytest.mark.parametrize(
    ("read", "error", "reason"),
    [
        (
            lambda store: _open(store).read("shop/blue/model_input"),
            UnknownNameError,
            "got 'shop/blue/model_input': did you mean 'shop/blue/model_inputs'",
        ),
        (lambda store: _open(store).read("../shop"), UnknownNameError, "got '../shop'"),
        (
            lambda store: _open(store).read(COLLECTION, columns=["agee"]).to_arrow(),
            UnknownNameError,
            "expected a column of the rows, got 'agee': did you mean 'age'",
        ),
        (
            lambda store: _open(store).read(COLLECTION, columns=["b"]).to_arrow(),
            UnknownNameError,
            r"expected a column of the rows, got 'b': there are 'age', .*'row_id', 'correlationid'",
        ),
        (
            lambda store: _open(store).read(COLLECTION, where="agee > 1").to_arrow(),
            ReaderError,
            "expected a condition in SQL, got 'agee > 1': there is no column 'agee'; did you mean 'age'?",
        ),
        (lambda store: _open(store).read(COLLECTION, where="age >").to_arrow(), ReaderError, "syntax error"),
        (lambda store: _open(store).read(COLLECTION, where="*").to_arrow(), ReaderError, "which has not one value"),
        (lambda store: _open(store / "missing").collections(), reader.StoreUnavailableError, "got none at"),
        (lambda _: reader.open("s3://bucket"), reader.StoreUnavailableError, "got scheme 's3'"),
        (lambda _: reader.open("az://c?sig=SECRET").collections(), reader.StoreUnavailableError, "^(?!.*SECRET)"),
    ],
)
def test_a_mistake_is_one_sentence(
    tmp_path: Path, read: Callable[[Path], object], error: type[Exception], reason: str
) -> None:
    write(tmp_path, [line()])
    with pytest.raises(error, match=reason) as raised:
        read(tmp_path)
    assert "\n" not in str(raised.value)


def test_an_empty_window_has_the_columns_that_were_asked_for(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    reading = reader.open(tmp_path).read(COLLECTION, since="2030-01-01", columns=["row_id", "age"])
    assert reading.to_pandas().to_dict("list") == {"row_id": [], "age": []}
    assert list(reading.batches()) == []


def test_payloads_of_requests_are_rows_with_their_json(tmp_path: Path) -> None:
    collection = "shop/blue/request"
    keys = {"type": "azureml.inference.request", "path": "/score", "method": "POST"}
    bodies = ['{"data":[[1,2]]}', "[1.50,2]", '"text"', '[{"a":1}]']
    lines = [line(number=number, raw=body, **keys) for number, body in enumerate(bodies)]
    write(tmp_path, lines, collection=collection)
    table = reader.open(tmp_path).read(collection, envelope=False).to_arrow()
    assert table.to_pylist() == [{"data": body, "path": "/score", "method": "POST"} for body in bodies]


@pytest.mark.parametrize("place", ["/gone/elsewhere", "https://account.blob.core.windows.net/modeldata"])
def test_large_rows_and_binary_payloads_are_followed_in_a_moved_store(tmp_path: Path, place: str) -> None:
    folder = tmp_path / "moved é" / COLLECTION / HOUR / "files"
    folder.mkdir(parents=True)
    (folder / "rows.json").write_text(json.dumps([{"age": 7}, {"age": 8}]))
    (folder / "image").write_bytes(b"\x89PNG\xff")
    keys = {"data": None, "dataref": f"{place}/{COLLECTION}/{HOUR}/files/rows.json"}
    binary = line(f"{place}/{COLLECTION}/{HOUR}/files/image", number=1, datainblob="true")
    (folder / "latin.json").write_bytes(b'[{"age":"\xe9"}]')
    latin = line(number=4, data=None, dataref=f"{place}/{COLLECTION}/{HOUR}/files/latin.json")
    missing = line(number=2, data=None, dataref=f"{place}/{COLLECTION}/{HOUR}/files/other.json")
    write(tmp_path / "moved é", [line(**keys), binary, missing, latin, line(number=3, datainblob="false")])
    reading = reader.open(tmp_path / "moved é").read(COLLECTION, columns=["row_id", "age", "payload"])
    assert reading.to_arrow().to_pylist() == [
        {"row_id": "request-0_0", "age": 7, "payload": None},
        {"row_id": "request-0_1", "age": 8, "payload": None},
        {"row_id": "request-1_0", "age": None, "payload": b"\x89PNG\xff"},
        {"row_id": "request-3_0", "age": 3, "payload": None},
    ]
    assert (reading.report.lines, reading.report.missing_payloads) == (3, 2)


def test_payloads_are_read_in_parts_of_bounded_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_tables, "_MOST_BYTES", 1)
    folder = tmp_path / COLLECTION / HOUR / "files"
    folder.mkdir(parents=True)
    for number in range(3):
        (folder / f"{number}.json").write_text(json.dumps([{"age": number}] * 2))
    references = [f"/old/{COLLECTION}/{HOUR}/files/{number}.json" for number in range(3)]
    write(tmp_path, [line(number=number, data=None, dataref=one) for number, one in enumerate(references)])
    assert ages(tmp_path) == [0, 0, 1, 1, 2, 2]


def test_nothing_outside_of_the_store_is_opened(tmp_path: Path) -> None:
    secret = tmp_path / "secret.json"
    secret.write_text('[{"age":1}]')
    write(tmp_path / "store", [line(data=None, dataref=str(secret)), line(number=1)])
    assert ages(tmp_path / "store") == [1]


def test_a_reading_can_be_made_in_another_process_and_is_closed(tmp_path: Path) -> None:
    import pickle

    write(tmp_path, [line()])
    with reader.open(tmp_path) as store:
        assert store.read(COLLECTION).to_arrow().num_rows == 1
        copy = pickle.loads(pickle.dumps(store))
    assert copy.read(COLLECTION).to_arrow().num_rows == 1
    assert store.read(COLLECTION).to_arrow().num_rows == 1


def test_a_frame_without_rows_has_the_types_of_its_line(tmp_path: Path) -> None:
    lines = [line([], datatypes="i1,s"), line([{"age": 1, "country": "ES"}], number=1, datatypes="i1,s")]
    write(tmp_path, lines)
    rows = reader.open(tmp_path).read(COLLECTION, strict=True, envelope=False)
    assert rows.to_arrow().to_pylist() == [{"age": 1, "country": "ES"}]
    assert rows.report.is_clean
    write(tmp_path, lines[:1])
    assert reader.open(tmp_path).read(COLLECTION, strict=True).to_arrow().num_rows == 0


@pytest.mark.parametrize("missing", ["pyarrow", "msgspec"])
def test_without_the_extra_one_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    write(tmp_path, [line()])
    with reader.open(tmp_path) as store:
        store.read(COLLECTION)
        monkeypatch.setitem(sys.modules, missing, None)
        for read in (lambda: store.read(COLLECTION), lambda: store.join("shop/blue")):
            with pytest.raises(ReaderError) as raised:
                read()
            assert str(raised.value) == (
                f"expected the dependencies of read, got no {missing}: pip install 'otel-modeldata[read]'"
            )

"""The types that Spark and Daft have hold the values of those that they do not have."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any

import pytest

pa = pytest.importorskip("pyarrow")

from otel_modeldata_reader.engines.plain_types import as_schema, daft_schema, spark_schema  # noqa: E402

NOON = dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC)
UNCHANGED = [pa.bool_(), pa.int8(), pa.int64(), pa.float32(), pa.float64(), pa.string(), pa.binary(), pa.date32()]
CASES: dict[str, tuple[Any, Any, Any, Any]] = {
    "uint8": (pa.uint8(), 255, pa.int16(), 255),
    "uint32": (pa.uint32(), 2**32 - 1, pa.int64(), 2**32 - 1),
    "uint64": (pa.uint64(), 2**64 - 1, pa.decimal128(20, 0), Decimal(2**64 - 1)),
    "half": (pa.float16(), 0.5, pa.float32(), 0.5),
    "zoned": (pa.timestamp("ns", "Europe/Madrid"), NOON, pa.timestamp("us", "UTC"), NOON),
    "naive": (pa.timestamp("s"), NOON.replace(tzinfo=None), pa.timestamp("us"), NOON.replace(tzinfo=None)),
    "duration": (pa.duration("ms"), dt.timedelta(seconds=1), pa.duration("us"), dt.timedelta(seconds=1)),
    "time": (pa.time64("us"), dt.time(1, 2, 3), pa.string(), "01:02:03.000000"),
    "category": (pa.dictionary(pa.int32(), pa.string()), "x", pa.string(), "x"),
    "nothing": (pa.null(), None, pa.string(), None),
    "list": (pa.list_(pa.uint64()), [1, None], pa.list_(pa.decimal128(20, 0)), [Decimal(1), None]),
    "struct": (
        pa.struct([("a", pa.timestamp("ns", "UTC")), ("b", pa.uint8())]),
        {"a": NOON, "b": 1},
        pa.struct([("a", pa.timestamp("us", "UTC")), ("b", pa.int16())]),
        {"a": NOON, "b": 1},
    ),
    "large": (pa.large_string(), "x", pa.string(), "x"),
    "fixed": (pa.binary(2), b"ab", pa.binary(), b"ab"),
    "hundreds": (pa.decimal128(5, -2), Decimal(12300), pa.decimal128(7, 0), Decimal(12300)),
    "interval": (pa.month_day_nano_interval(), (1, 2, 500_000_000), pa.string(), "P1M2DT0.5S"),
    "view": (pa.list_view(pa.uint8()), [1], pa.list_(pa.int16()), [1]),
    "wide decimal": (pa.decimal256(50, 1), Decimal("12345.5"), pa.string(), "12345.5"),
}


@pytest.mark.parametrize("name", CASES)
def test_a_type_that_spark_does_not_have_becomes_one_with_the_same_values(name: str) -> None:
    kind, value, expected, result = CASES[name]
    table = pa.table({"c": pa.array([value, None], kind)})
    schema = spark_schema(table.schema)
    assert schema.field("c").type == expected
    assert as_schema(table, schema).column("c").to_pylist() == [result, None]


def test_other_types_stay() -> None:
    schema = pa.schema([(str(number), kind) for number, kind in enumerate(UNCHANGED)])
    assert spark_schema(schema) == daft_schema(schema) == schema


def test_daft_has_no_dictionaries_and_no_halves() -> None:
    schema = pa.schema(
        [("c", pa.dictionary(pa.int32(), pa.string())), ("h", pa.list_(pa.float16())), ("u", pa.uint64())]
    )
    assert daft_schema(schema) == pa.schema([("c", pa.string()), ("h", pa.list_(pa.float32())), ("u", pa.uint64())])


def test_times_lose_what_is_below_a_microsecond() -> None:
    table = pa.table({"c": pa.array([1_001], pa.timestamp("ns", "UTC"))})
    found = as_schema(table, spark_schema(table.schema))
    assert found.column("c").cast(pa.int64()).to_pylist() == [1]

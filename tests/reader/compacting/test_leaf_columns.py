"""Columns of lists are compressed in Parquet files as others are."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.compacting.leaf_columns import leaf_columns

if TYPE_CHECKING:
    from pathlib import Path


def test_each_stored_column_has_its_values() -> None:
    table = pa.table(
        {
            "a.b": [1.5, None],
            "lists": [[1.0, 2.0], None],
            "fixed": pa.array([[1.0, 2.0], [3.0, 4.0]], pa.list_(pa.float32(), 2)),
            "deep": [[["x"], []], [["y", "z"]]],
            "structs": [{"x": [{"y": "q"}], "z": 1}, None],
            "maps": pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
            "category": pa.array(["u", "v"]).dictionary_encode(),
        }
    )
    found = {path: values.to_pylist() for path, values in leaf_columns(table).items()}
    assert found == {
        "a.b": [1.5, None],
        "lists.list.element": [1.0, 2.0],
        "fixed.list.element": [1.0, 2.0, 3.0, 4.0],
        "deep.list.element.list.element": ["x", "y", "z"],
        "structs.x.list.element.y": ["q"],
        "structs.z": [1, None],
        "maps.key_value.key": ["k"],
        "maps.key_value.value": [1],
        "category": ["u", "v"],
    }
    sink = io.BytesIO()
    pq.write_table(table, sink, compression=dict.fromkeys(found, "zstd"))
    group = pq.ParquetFile(sink).metadata.row_group(0)
    assert {group.column(number).compression for number in range(group.num_columns)} == {"ZSTD"}


def test_a_table_without_rows_has_its_stored_columns() -> None:
    schema = pa.schema([("a", pa.list_(pa.string())), ("b", pa.map_(pa.string(), pa.float64())), ("c", pa.int8())])
    found = {path: values.to_pylist() for path, values in leaf_columns(schema.empty_table()).items()}
    assert found == {"a.list.element": [], "b.key_value.key": [], "b.key_value.value": [], "c": []}


def test_lists_in_a_compacted_hour_are_compressed(tmp_path: Path) -> None:
    rows = [{"texts": ["red", "green"] * 8, "values": [0.25, 0.5] * 8, "n": number} for number in range(400)]
    write(tmp_path, [line(rows, datatypes="O[list[s]],O[list[f8]],i8")])
    assert [one.problem for one in reader.open(tmp_path).compact(older=3600)] == [""]
    (file,) = tmp_path.glob("_parquet/**/part-*.parquet")
    group = pq.ParquetFile(file).metadata.row_group(0)
    columns = {column.path_in_schema: column for column in map(group.column, range(group.num_columns))}
    lists = {path: column.compression for path, column in columns.items() if path.startswith(("texts", "values"))}
    assert lists == {"texts.list.element": "ZSTD", "values.list.element": "ZSTD"}
    assert "RLE_DICTIONARY" in columns["texts.list.element"].encodings

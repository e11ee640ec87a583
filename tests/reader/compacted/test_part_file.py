"""What the statistics of a Parquet file say of its columns."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq

from otel_modeldata_reader.compacted.manifest import Part, RowGroup
from otel_modeldata_reader.compacted.part_file import BLOB, PartFile


def part_file(table: pa.Table) -> PartFile:
    content = io.BytesIO()
    pq.write_table(table, content)
    rows = table.num_rows
    group = RowGroup(order=0, rows=rows, events=rows, first=0, last=0, misplaced=0, digest="")
    part = Part(name="part.parquet", size=content.tell(), sha256="", kind="rows", groups=(group,))
    return PartFile(content.getvalue(), "part.parquet", part)


def test_a_nested_field_is_not_the_column_with_its_path_for_a_name() -> None:
    nested = pa.array([{"b": None}, {"b": None}], pa.struct([("b", pa.string())]))
    numbered = pa.array([{"d": 1}, {"d": 2}], pa.struct([("d", pa.int64())]))
    for nested_first in (False, True):
        columns = {
            BLOB: pa.array(["blob", "blob"]),
            "a.b": pa.array(["1.5", "2.5"]),
            "c.d": pa.array([7, 9]),
            "empty.one": pa.nulls(2, pa.string()),
            "empty": pa.nulls(2, pa.string()),
        }
        others = {"a": nested, "c": numbered}
        file = part_file(pa.table({**others, **columns} if nested_first else {**columns, **others}))

        assert file.has_only_nulls(["a.b", "a", "empty.one", "empty", "none"]) == {"empty.one", "empty"}
        assert [file.may_have(0, {"c.d": value}) for value in (6, 7, 9, 10)] == [False, True, True, False]
        assert file.may_have(0, {"c.d": None, "none": 1, "c": 1})

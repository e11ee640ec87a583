"""`join` equals Azure's joiner on folders that Azure ML's collector wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
from slow_join import Row, azure_pairs, azure_row_ids

from otel_modeldata_reader.joining import join

FOLDERS = Path(__file__).parents[2] / "data" / "azure-iris"
LLM = next((FOLDERS.parent / "azure-recorded").rglob("*.jsonl"))


def lines_of(*blobs: Path) -> list[Row]:
    return [json.loads(line) for blob in blobs for line in blob.read_text("utf-8").splitlines()]


def table_of(lines: list[Row]) -> pa.Table:
    """The envelope and the columns, as the reader makes them."""
    ids = [row_id for row_id, _ in azure_row_ids(lines)]
    of_rows = [line for line in lines for _ in line["data"]]
    envelope = {
        "row_id": ids,
        "correlationid": [line["correlationid"] for line in of_rows],
        "time": pa.array([line["time"] for line in of_rows]).cast(pa.timestamp("ns", "UTC")),
    }
    rows = pa.Table.from_pylist([row for _, row in azure_row_ids(lines)])
    return pa.table(envelope | dict(zip(rows.column_names, rows.columns, strict=True)))


def blobs(folder: str) -> list[Path]:
    return sorted((FOLDERS / folder).glob("*.jsonl"))


def test_inputs_and_outputs_of_recorded_folders_join_as_in_azure() -> None:
    inputs = lines_of(*blobs("inputs_no_drift"), *blobs("inputs_with_drift"), LLM)
    outputs = lines_of(*blobs("outputs_no_drift"))
    mine, theirs = list(azure_row_ids(inputs)), list(azure_row_ids(outputs))
    pairs = sorted(azure_pairs([row_id for row_id, _ in mine], [row_id for row_id, _ in theirs]))
    joined = join(table_of(inputs), table_of(outputs))
    names = joined.table.column_names[3:]
    expected = [{"row_id": mine[i][0]} | dict.fromkeys(names) | mine[i][1] | theirs[o][1] for i, o in pairs]
    assert len(expected) == 75
    assert joined.table.select(["row_id", *names]).to_pylist() == expected
    assert (joined.report.inputs, joined.report.outputs, joined.report.joined) == (len(mine), 75, 75)
    assert joined.report.repeated_ids == 0


def test_a_line_that_is_there_twice_multiplies_no_rows() -> None:
    inputs = table_of(lines_of(*blobs("inputs_no_drift"), *blobs("inputs_no_drift")))
    joined = join(inputs, table_of(lines_of(*blobs("outputs_no_drift"))))
    assert len(joined.table) == 0
    assert (joined.report.repeated_ids, joined.report.uncertain_inputs, joined.report.uncertain_outputs) == (1, 150, 75)

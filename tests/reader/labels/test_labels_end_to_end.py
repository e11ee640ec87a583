"""Labels from collect to join: of a service, of a notebook, late, repeated and changed."""

from __future__ import annotations

import datetime as dt
import json
import os
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import otel_modeldata
import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader.exceptions import LabelError
from otel_modeldata_reader.joining import LabelCounts, join
from otel_modeldata_reader.labels import LabelWriter, frames_of_csv, label_frames

if TYPE_CHECKING:
    from pathlib import Path

    import pyarrow as pa

UTC = dt.UTC


@pytest.fixture
def scored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store with the inputs and outputs of three requests, of which this process is the service."""
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    monkeypatch.setenv("OTEL_MODELDATA_BATCH_MS", "0")
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
    for request in range(3):
        context = BasicCorrelationContext(id=f"order-{request}")
        inputs.collect(pd.DataFrame({"x": [request, request + 10]}), context)
        outputs.collect(pd.DataFrame({"score": [request / 2, 0.25]}), context)
    assert otel_modeldata.flush(30).pending == 0
    return tmp_path / "store"


def table(store: Path, collection: str) -> pa.Table:
    return reader.open(store).read(f"shop/blue/{collection}").to_arrow()


def joined(store: Path, **options: Any) -> Any:
    tables = [table(store, name) for name in ("model_inputs", "model_outputs", "ground_truth")]
    return join(*tables, **options)


def data_of(store: Path) -> list[list[dict[str, Any]]]:
    blobs = sorted(store.glob("shop/blue/ground_truth/*/*/*/*/*.jsonl"), key=lambda blob: blob.stat().st_mtime_ns)
    return [json.loads(line)["data"] for blob in blobs for line in blob.read_text("utf-8").splitlines()]


# S23, S81
@pytest.mark.slow
def test_labels_of_a_collector_and_of_a_writer_are_equal_lines_and_join(scored: Path) -> None:
    labels = {"order-0_0": 1, "order-0_1": 0, "order-2_1": 1}
    late = dt.datetime(2027, 3, 1, tzinfo=UTC)
    frames = label_frames(labels, at=late)
    ground_truth = Collector(name="ground_truth")
    for frame in frames:
        ground_truth.collect(frame)
    assert otel_modeldata.flush(30).pending == 0
    of_collector = joined(scored)
    with LabelWriter(str(scored), "shop/blue") as writer:
        for frame in frames:
            assert writer.write(frame) == 3
    first, second = data_of(scored)
    assert first == second
    again = joined(scored)
    assert again.table.equals(of_collector.table)
    assert again.table.select(["row_id", "x", "score", "label"]).to_pydict() == {
        "row_id": ["order-0_0", "order-0_1", "order-1_0", "order-1_1", "order-2_0", "order-2_1"],
        "x": [0, 10, 1, 11, 2, 12],
        "score": [0.0, 0.25, 0.5, 0.25, 1.0, 0.25],
        "label": [1, 0, None, None, None, 1],
    }
    assert again.table["label_time"].to_pylist() == [
        pd.Timestamp(late) if label is not None else None for label in again.table["label"].to_pylist()
    ]
    assert again.report.labels == LabelCounts(read=6, rows=3, superseded=3)
    assert [day.labeled for day in again.report.coverage] == [3]


@pytest.mark.slow
def test_a_changed_label_wins_and_the_history_is_kept(scored: Path, tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("id,label,kind,since\norder-1_0,3,late,2026-12-01\norder-9_9,4,,\n", "utf-8")
    with LabelWriter(str(scored), "shop/blue") as writer:
        for frame in frames_of_csv(tmp_path / "labels.csv", "id", "since"):
            writer.write(frame)
        for at, label in ((1, 1), (20, 20), (5, 5)):
            for frame in label_frames({"order-1_0": label}, at=dt.datetime(2027, 1, at, tzinfo=UTC)):
                writer.write(frame)
    found = joined(scored, history=True)
    (row,) = found.table.slice(2, 1).to_pylist()
    assert (row["label"], row["kind"], row["label_time"]) == (20, "late", pd.Timestamp("2027-01-20", tz="UTC"))
    assert [(one["label_time"].strftime("%m-%d"), one["label"]) for one in row["label_history"]] == [
        ("12-01", 3),
        ("01-01", 1),
        ("01-05", 5),
        ("01-20", 20),
    ]
    assert found.report.labels == LabelCounts(read=5, rows=2, superseded=3, unknown=1)


def test_a_frame_that_is_collected_again_with_its_context_labels_its_rows(scored: Path) -> None:
    Collector(name="ground_truth").collect(pd.DataFrame({"label": [7, 8]}), BasicCorrelationContext(id="order-1"))
    assert otel_modeldata.flush(30).pending == 0
    assert joined(scored).table["label"].to_pylist() == [None, None, 7, 8, None, None]


@pytest.mark.slow
def test_a_writer_collects_in_parts_and_leaves_the_environment_of_the_service_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "deployment.yaml"
    lines = ["endpoint_name: shop", "name: blue", "data_collector:", "  collections:", "    model_inputs: {}"]
    config.write_text("\n".join(lines), "utf-8")
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(config))
    monkeypatch.setenv("OTEL_MODELDATA_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("AZUREML_MDC_SAMPLE_RATE", "1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "notebook")
    before = dict(os.environ)
    (frame,) = label_frames({f"a_{number}": number for number in range(12_000)})
    with LabelWriter(str(tmp_path / "store"), "shop/green") as writer:
        assert writer.write(frame) == 12_000
        with pytest.raises(LabelError, match=r"^column 'label', row 0: expected a value that JSON can carry"):
            writer.write(pd.DataFrame({"row_id": ["a_0"], "label": [object()]}))
    assert dict(os.environ) == before
    assert not (tmp_path / "spool").exists()
    labels = reader.open(tmp_path / "store").read("shop/green/ground_truth").to_arrow()
    assert labels["label"].to_pylist() == list(range(12_000))
    assert len(set(labels["correlationid"].to_pylist())) == 3


def test_a_writer_says_why_labels_are_not_in_the_store(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (frame,) = label_frames({"a_0": 1})
    with LabelWriter(str(tmp_path / "file" / "store"), "shop/blue") as writer:
        with pytest.raises(LabelError, match=r"^OTEL_MODELDATA_STORE"):
            writer.write(frame)
        with pytest.raises(LabelError, match=r"^expected values that can be collected, got one that "):
            writer.write(pd.DataFrame({"row_id": ["a_0"], "label": [lambda: 0]}))


@pytest.mark.parametrize("deployment", ["shop", "shop/blue/ground_truth", "shop/../x", "/blue"])
def test_a_writer_needs_an_endpoint_and_a_deployment(deployment: str) -> None:
    with pytest.raises(LabelError) as refused:
        LabelWriter("./store", deployment)
    assert str(refused.value) == (f"expected endpoint/deployment, got {deployment!r}: the labels are stored below it")

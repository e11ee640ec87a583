"""Inputs of a report that are easily mistaken: files that are no baseline, texts that look like missing values."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import pytest

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    from deployment_requests import Deployment

NOON = dt.datetime(2026, 11, 16, 12, tzinfo=dt.UTC)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("twice.csv", b"amount,amount\n1,2\n", "expected each column of the baseline once, got several 'amount'"),
        ("broken.parquet", b"no Parquet", "write the file again, as Parquet or as CSV with a line of names"),
    ],
)
def test_a_file_that_is_no_baseline_is_refused_with_what_to_do(
    deployment: Deployment, tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    deployment.request(NOON, model_inputs=[{"amount": 1.5}])
    (tmp_path / name).write_bytes(content)
    with pytest.raises(reader.ReaderError, match=message):
        deployment.open().report("shop/blue", baseline=tmp_path / name)


def test_a_text_that_is_the_name_of_missing_values_is_a_slice_of_its_own(deployment: Deployment) -> None:
    for value in (None, "no value", "no value", "x"):
        data = {"model_outputs": [{"y": 1.0}], "ground_truth": [{"label": 1.5}]}
        deployment.request(NOON, model_inputs=[{"by": value}], **data)
    found = deployment.open().report("shop/blue", by="by").figures.performance
    assert found is not None
    assert sorted((one.name, one.labeled) for one in found.slices) == [("'no value'", 2), ("no value", 1), ("x", 1)]

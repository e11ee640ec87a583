"""Labels that arrive later are joined with stored rows as in Azure's monitor: by `{correlationid}_{index}`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
from receiver_process import lines_below

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata._delivery.process import replace_process

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from receiver_process import StartReceiver


def _rows_of(lines: list[dict[str, object]], collection: str) -> pd.DataFrame:
    """One row per element of `data`, with its row id: as the consumer's `posexplode` makes them."""
    of_collection = [line for line in lines if line["type"] == f"azureml.inference.{collection}"]
    exploded = pd.DataFrame(of_collection)[["correlationid", "data"]].explode("data", ignore_index=True)
    index = exploded.groupby("correlationid").cumcount().astype(str)
    return pd.DataFrame(exploded["data"].tolist(), index=exploded["correlationid"] + "_" + index)


# S23, S81
def test_ground_truth_joins_features_and_predictions_by_the_row_ids_that_collect_offered(
    start_receiver: StartReceiver, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver = start_receiver(str(tmp_path / "store"))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{receiver.endpoint}")
    replace_process(None)
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
    labels: dict[str, int] = {}
    for request in range(20):
        frame = pd.DataFrame({"x": range(request, request + 1 + request % 3)})
        context = inputs.collect(frame)
        outputs.collect(pd.DataFrame({"score": frame["x"] * 2}), context)
        labels |= zip(context.row_ids, (frame["x"] * 3).tolist(), strict=True)  # type: ignore[attr-defined]
    assert otel_modeldata.shutdown(30).lost == {}
    replace_process(None)
    lines = lines_below(tmp_path / "store")
    joined = (
        _rows_of(lines, "model_inputs").join(_rows_of(lines, "model_outputs")).join(pd.Series(labels, name="truth"))
    )
    assert len(joined) == len(labels) == 39
    assert joined["score"].tolist() == (joined["x"] * 2).tolist()
    assert joined["truth"].tolist() == (joined["x"] * 3).tolist()

"""What a report leaves out is said: labels of no row, rows without a prediction, a baseline without rows."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from deployment_requests import FIRST, Deployment

from otel_modeldata_reader.reporting.figures.findings import label_notes
from otel_modeldata_reader.reporting.html.page import page

if TYPE_CHECKING:
    from pathlib import Path


def requests(deployment: Deployment, *scored: tuple[Any, Any]) -> None:
    for number, (prediction, label) in enumerate(scored):
        moment = FIRST + dt.timedelta(minutes=number)
        rows = {"model_inputs": [{"age": number}], "model_outputs": [{"prediction": prediction}]}
        deployment.request(moment, **rows, **({} if label is None else {"ground_truth": [{"label": label}]}))


@pytest.mark.parametrize("scale", [1, 1.5])
def test_labeled_rows_without_a_prediction_are_counted(deployment: Deployment, scale: float) -> None:
    requests(deployment, (scale, 1), (None, 0), (0 * scale, 0), (None, 1), (scale, None))
    report = deployment.open().report("shop/blue")
    found = report.figures.performance
    assert found is not None
    assert (report.figures.labels, found.compared, found.without_prediction) == ((4, 5), 2, 2)
    assert "2 labeled rows have no prediction and are left out." in page(report.figures)


def test_predictions_of_other_classes_than_the_labels_are_named(deployment: Deployment) -> None:
    requests(deployment, ("yes", True), ("no", False))
    found = deployment.open().report("shop/blue").figures.performance
    assert found is not None
    assert found.note == "no prediction is one of the classes of the labels: do both write classes the same way?"
    assert found.every.measures["accuracy"].value == 0.0


def test_labels_of_no_scored_row_are_counted(deployment: Deployment) -> None:
    requests(deployment, (1, 1), (0, 0))
    for number in range(3):
        deployment.request(FIRST + dt.timedelta(hours=1, minutes=number), ground_truth=[{"label": 1}])
    figures = deployment.open().report("shop/blue").figures
    assert (figures.labels, figures.other_labels, figures.ambiguous_labels) == ((2, 2), 3, 0)
    said = "3 other labels are of rows outside the window, or of rows that are not stored"
    assert label_notes(figures) == (said,)
    assert f"{said}." in page(figures)
    one = msgspec.structs.replace(figures, other_labels=1)
    assert label_notes(one) == ("1 other label is of a row outside the window, or of one that is not stored",)


def test_a_baseline_without_rows_is_a_finding(deployment: Deployment, tmp_path: Path) -> None:
    requests(deployment, (1, 1), (0, 0))
    store = deployment.open()
    header = tmp_path / "header.csv"
    header.write_text("age,prediction\n")
    (found,) = store.report("shop/blue", baseline=header).findings
    assert (found.measure, found.collection) == ("baseline", None)
    assert found.text == "no row and column of the baseline header.csv to compare with: nothing is compared"
    others = tmp_path / "others.csv"
    others.write_text("height\n1\n")
    assert "baseline" in [one.measure for one in store.report("shop/blue", baseline=others).findings]
    of_window = store.report("shop/blue", baseline="2020-01-01..2020-01-08").findings
    assert [(one.measure, one.collection) for one in of_window] == [
        ("baseline", "shop/blue/model_inputs"),
        ("baseline", "shop/blue/model_outputs"),
    ]
    one_side = tmp_path / "inputs.csv"
    one_side.write_text("age\n0\n1\n")
    assert [one.measure for one in store.report("shop/blue", baseline=one_side).findings] == []


def test_responses_that_are_compacted_and_dropped_are_measured(deployment: Deployment) -> None:
    for number in range(30):
        moment = FIRST + dt.timedelta(minutes=7 * number)
        status = "500" if number % 10 == 0 else "200"
        deployment.request(moment, 0.01, model_inputs=[{"age": number}], response=[{"score": 1}], status=status)
    store = deployment.open()
    before = store.report("shop/blue").figures
    store.compact(older=0.0, drop_lines=True)
    assert not list((deployment.root / "shop").rglob("*.jsonl"))
    after = store.report("shop/blue").figures
    assert before.errors is not None
    assert (before.errors.requests, before.errors.failed) == (30, 3)
    assert (after.errors, after.latency, after.traffic) == (before.errors, before.latency, before.traffic)


def test_test_events_of_doctor_are_in_the_report_of_their_own_collection_only(deployment: Deployment) -> None:
    requests(deployment, (1, 1))
    deployment.request(FIRST, doctor=[{"category": "canary"}])
    store = deployment.open()
    names = [one.name for one in store.report("shop/blue").figures.collections]
    assert names == ["shop/blue/model_inputs", "shop/blue/model_outputs"]
    assert [one.rows for one in store.report("shop/blue/doctor").figures.collections] == [1]

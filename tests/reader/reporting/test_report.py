"""`Store.report`: what it says of a store that is known."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from collected_store import collecting
from deployment_requests import BASELINE, FIRST, WINDOW, Deployment
from scipy import stats
from sklearn import metrics
from stored_spans import child, write_spans

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader.exporting import to_csv, to_parquet
from otel_modeldata_reader.reporting import Figures, Thresholds
from otel_modeldata_reader.reporting.profiles import intervals

if TYPE_CHECKING:
    from pathlib import Path

    from azurite import Azurite

    from otel_modeldata_reader.reporting import Report
    from otel_modeldata_reader.reporting.figures.column import ColumnFigures

NOON = dt.datetime(2026, 11, 16, 12, 0, 0, 5, tzinfo=dt.UTC)


def columns(report: Report) -> dict[str, ColumnFigures]:
    return {one.name: one for collection in report.figures.collections for one in collection.columns}


def sentences(report: Report) -> list[tuple[str | None, str]]:
    return [(one.column, one.text) for one in report.findings]


def test_a_window_is_compared_with_another_one(shop: Deployment) -> None:
    store = shop.open()
    report = store.report("shop/blue", *WINDOW, baseline=BASELINE)
    figures = report.figures
    assert (figures.name, figures.since, figures.until) == (
        "shop/blue",
        "2026-11-16T00:00:00.000000000Z",
        "2026-11-23T00:00:00.000000000Z",
    )
    counted = [(one.name, one.rows, one.baseline_rows) for one in figures.collections]
    assert counted == [("shop/blue/model_inputs", 200, 200), ("shop/blue/model_outputs", 200, 200)]
    window, before = (
        store.read("shop/blue/model_inputs", *ends).to_pandas() for ends in (WINDOW, BASELINE.split(".."))
    )
    age = columns(report)["age"].drift
    assert age is not None
    test = stats.ks_2samp(before["age"].dropna(), window["age"].dropna())
    assert (age.ks_statistic, age.ks_p_value) == pytest.approx((test.statistic, test.pvalue), abs=1e-12)
    country = columns(report)["country"]
    assert (country.new_categories, country.new_examples) == (1, ("PT",))
    assert country.new_category_rows == (window["country"] == "PT").sum()
    note = columns(report)["note"]
    assert (note.kind, note.drift, note.window and note.window.nulls) == ("other", None, 200)
    drifted = {one.column for one in report.findings if one.measure == "psi"}
    assert drifted == {"age", "country", "score"}


def test_a_file_of_the_same_rows_is_the_same_baseline(shop: Deployment, tmp_path: Path) -> None:
    store = shop.open()
    before = store.query('SELECT age, country, note, score FROM "shop/blue/joined"', *BASELINE.split(".."))
    to_parquet(before, tmp_path / "train.parquet")
    to_csv(before, tmp_path / "train.csv")
    expected = columns(store.report("shop/blue", *WINDOW, baseline=BASELINE))
    for name in ("train.parquet", "train.csv"):
        report = store.report("shop/blue", *WINDOW, baseline=tmp_path / name)
        found = columns(report)
        for column in ("age", "country", "score"):
            assert found[column].drift == expected[column].drift, (name, column)
            assert found[column].categories == expected[column].categories
        assert report.figures.baseline is not None
        assert (report.figures.baseline.kind, report.figures.baseline.name) == ("file", name)


def test_columns_that_one_side_lacks_are_named(deployment: Deployment, tmp_path: Path) -> None:
    deployment.request(NOON, model_inputs=[{"age": 1, "fresh": 2}], model_outputs=[{"y": 1.5}])
    pd.DataFrame({"age": [1], "y": [1.5], "gone": [3]}).to_csv(tmp_path / "x.csv", index=False)
    report = deployment.open().report("shop/blue", baseline=tmp_path / "x.csv")
    inputs = report.figures.collections[0]
    assert (inputs.missing_columns, inputs.new_columns) == (("gone",), ("fresh",))
    assert sentences(report) == [
        ("gone", "is in the baseline, but in no row of the window"),
        (None, "the baseline lacks fresh: not compared"),
    ]


def test_a_column_of_texts_is_read_as_texts_from_a_csv_file(deployment: Deployment, tmp_path: Path) -> None:
    deployment.request(NOON, model_inputs=[{"zip": "01067"}, {"zip": "01069"}])
    (tmp_path / "x.csv").write_text("zip\n01067\n01069\n")
    column = columns(deployment.open().report("shop/blue", baseline=tmp_path / "x.csv"))["zip"]
    assert (column.type_change, column.new_categories, column.drift and column.drift.psi) == (None, 0, 0.0)


def test_requests_are_counted_by_hour_and_rows_by_request(deployment: Deployment) -> None:
    for hours, rows in ((0, 1), (0, 3), (2, 2)):
        deployment.request(NOON + dt.timedelta(hours=hours), model_inputs=[{"a": at} for at in range(rows)])
    traffic = deployment.open().report("shop/blue").figures.traffic
    assert traffic is not None
    assert (traffic.requests, traffic.rows, traffic.unit) == (3, 6, "hour")
    assert [(one.time, one.requests, one.rows) for one in traffic.volumes] == [
        ("2026-11-16T12:00:00Z", 2, 4),
        ("2026-11-16T13:00:00Z", 0, 0),
        ("2026-11-16T14:00:00Z", 1, 2),
    ]


def test_a_long_window_is_counted_by_day(deployment: Deployment) -> None:
    for days in (0, 0, 40):
        deployment.request(NOON + dt.timedelta(days=days), model_inputs=[{"a": 1}])
    traffic = deployment.open().report("shop/blue").figures.traffic
    assert traffic is not None
    assert (traffic.unit, len(traffic.volumes)) == ("day", 41)
    assert [traffic.volumes[at].requests for at in (0, 1, 40)] == [2, 0, 1]


def test_latency_and_errors_are_those_of_payload_logging_where_there_is_one(shop: Deployment) -> None:
    figures = shop.open().report("shop/blue", *WINDOW).figures
    assert figures.latency is not None
    assert figures.errors is not None
    assert (figures.latency.source, figures.latency.requests) == ("latency in the collection response", 200)
    assert figures.latency.p50 == pytest.approx(5.0)
    assert (figures.errors.requests, figures.errors.failed, figures.errors.kinds) == (200, 8, (("500", 8),))


def test_else_they_are_those_of_spans(deployment: Deployment) -> None:
    deployment.name = "credit/blue"
    deployment.request(dt.datetime(2026, 11, 22, 12, tzinfo=dt.UTC), model_inputs=[{"a": 1}])
    deployment.open()
    spans = (child("a", 1, end=20), child("b", 2, parent=1, end=10, failed=True), child("c", 3, end=40, failed=True))
    write_spans(deployment.root, *spans)
    figures = reader.open(deployment.root).report("credit/blue").figures
    assert figures.latency is not None
    assert figures.errors is not None
    assert (figures.latency.source, figures.latency.p50) == ("duration of the spans without a parent", 30.0)
    assert (figures.errors.requests, figures.errors.failed) == (2, 1)


def test_else_latency_is_from_inputs_to_outputs_and_errors_are_not_known(deployment: Deployment) -> None:
    for milliseconds in (4, 6, 20):
        deployment.request(
            NOON, milliseconds / 1000, model_inputs=[{"a": 1}, {"a": 2}], model_outputs=[{"b": 1}, {"b": 2}]
        )
    figures = deployment.open().report("shop/blue").figures
    assert figures.latency is not None
    assert (figures.latency.requests, figures.latency.p50, figures.latency.largest) == (3, 6.0, 20.0)
    assert figures.latency.source == "from the event of the inputs to that of the outputs"
    assert figures.errors is None
    assert (figures.errors_note or "")[:9] == "not known"


def test_latency_is_not_made_of_times_with_whole_seconds(deployment: Deployment) -> None:
    deployment.request(NOON, 0.0, model_inputs=[{"a": 1}], model_outputs=[{"b": 1}])
    figures = deployment.open().report("shop/blue").figures
    assert (figures.latency, (figures.latency_note or "")[:9]) == (None, "not known")


def test_what_needs_eyes_is_a_sentence_each(deployment: Deployment) -> None:
    for at in range(20):
        deployment.request(FIRST, model_inputs=[{"age": at, "city": "a"}])
        age = None if at < 5 else f"n{at}" if at == 19 else at
        deployment.request(NOON, model_inputs=[{"age": age, "city": "b" if at < 3 else "a"}])
    deployment.broken("model_inputs", NOON)
    report = deployment.open().report(
        "shop/blue/model_inputs", *WINDOW, baseline=BASELINE, thresholds=Thresholds(psi=None)
    )
    inputs = report.figures.collections[0]
    assert inputs.skipped == {"foreign": 1}
    assert sentences(report) == [
        (None, "1 line left out: no event with rows"),
        *((None, change) for change in inputs.type_changes),
        ("age", "has texts (string), but numbers (int64) in the baseline"),
        ("age", "is null in 25.0% of the rows, 0.0% in the baseline"),
        ("city", "has 1 new category in 3 rows: 'b'"),
    ]
    assert len(inputs.type_changes) == 1
    assert inputs.type_changes[0].startswith("column 'age' changed from integer to text in ")


def test_a_threshold_decides_what_is_a_finding(shop: Deployment) -> None:
    store = shop.open()
    none = Thresholds(psi=None, nulls=None, new_categories=None, errors=None)
    assert store.report("shop/blue", *WINDOW, baseline=BASELINE, thresholds=none).findings == ()
    all_of_it = Thresholds(psi=0, ks_statistic=0.0, jensen_shannon=0.0, normalized_wasserstein=0.0, errors=0.01)
    found = store.report("shop/blue", *WINDOW, baseline=BASELINE, thresholds=all_of_it).findings
    assert {one.measure for one in found} >= {
        "psi",
        "ks_statistic",
        "jensen_shannon",
        "normalized_wasserstein",
        "errors",
    }


def test_what_samples_of_this_size_have_by_chance_is_no_finding(deployment: Deployment) -> None:
    random = np.random.default_rng(3)
    for at in range(80):
        row = {"x": float(random.normal()), "kind": str(random.choice(list("abcdefgh")))}
        deployment.request(FIRST if at % 2 else NOON, model_inputs=[row])
    report = deployment.open().report("shop/blue", *WINDOW, baseline=BASELINE, thresholds=Thresholds(psi=0.1))
    drift = columns(report)["x"].drift
    assert drift is not None
    assert drift.psi is not None
    assert drift.psi > 0.1
    assert sentences(report) == []


def test_a_window_without_rows_is_a_finding(shop: Deployment) -> None:
    report = shop.open().report("shop/blue", "2027-01-01", baseline=BASELINE)
    assert sentences(report) == [(None, "no row in the window")] * 2
    assert (report.figures.performance, report.figures.labels) == (None, None)
    assert "no row in the window" in report.to_html()


def scored(store: reader.Store) -> pd.DataFrame:
    return store.join("shop/blue", *WINDOW, labels=True).to_pandas()


def test_performance_of_scores_is_that_of_scikit_learn_by_slice(shop: Deployment) -> None:
    store = shop.open()
    figures = store.report("shop/blue", *WINDOW, by="country").figures
    found, rows = figures.performance, scored(store)
    known = rows.dropna(subset=["label"])
    assert figures.labels == (len(known), len(rows))
    assert found is not None
    facts = (found.kind, found.label, found.prediction, found.score, found.positive, found.by)
    assert facts == ("classes", "label", "score", "score", "1", "country")
    for slice_, part in ((found.every, rows), *((one, rows[rows["country"] == one.name]) for one in found.slices)):
        labeled = part.dropna(subset=["label"])
        assert (slice_.rows, slice_.labeled) == (len(part), len(labeled))
        predicted = labeled["score"] >= 0.5
        expected = {
            "accuracy": metrics.accuracy_score(labeled["label"], predicted),
            "precision": metrics.precision_score(labeled["label"], predicted),
            "recall": metrics.recall_score(labeled["label"], predicted),
            "f1": metrics.f1_score(labeled["label"], predicted),
            "auc": metrics.roc_auc_score(labeled["label"], labeled["score"]),
        }
        assert {name: one.value for name, one in slice_.measures.items()} == pytest.approx(expected, rel=1e-12)
    assert {one.name for one in found.slices} == {"ES", "FR", "PT"}


def test_parts_of_a_window_are_together_the_whole(shop: Deployment, monkeypatch: pytest.MonkeyPatch) -> None:
    store = shop.open()
    whole = store.report("shop/blue", *WINDOW, by="country").figures
    monkeypatch.setattr(intervals.intervals_of, "__defaults__", (17,))
    parts = store.report("shop/blue", *WINDOW, by="country").figures
    assert len(intervals.intervals_of([(at, 10) for at in range(20)], reader.window.window_of(*WINDOW))) == 20
    assert parts.labels == whole.labels
    assert parts.performance is not None
    assert whole.performance is not None
    for first, second in zip(
        (parts.performance.every, *parts.performance.slices),
        (whole.performance.every, *whole.performance.slices),
        strict=True,
    ):
        assert (first.rows, first.labeled) == (second.rows, second.labeled)
        assert {name: one.value for name, one in first.measures.items()} == pytest.approx(
            {name: one.value for name, one in second.measures.items()}
        )


@pytest.mark.parametrize(
    ("pairs", "kind", "positive", "names"),
    [
        ([("cat", "cat"), ("dog", "cat"), ("owl", "owl")], "classes", None, ["accuracy", "precision", "recall", "f1"]),
        ([("no", "no"), ("yes", "no")], "classes", "yes", ["accuracy", "precision", "recall", "f1"]),
        ([(True, True), (False, True)], "classes", "true", ["accuracy", "precision", "recall", "f1"]),
        ([(1, 1.0), (0, 1.0)], "classes", "1", ["accuracy", "precision", "recall", "f1"]),
        ([(1.5, 1.0), (2.5, 3.0)], "numbers", None, ["mae", "rmse", "bias", "r2"]),
        ([(3, 2.5), (4, 4.5)], "numbers", None, ["mae", "rmse", "bias", "r2"]),
        ([(at, at) for at in range(25)], "numbers", None, ["mae", "rmse", "bias", "r2"]),
        ([(f"n{at}", f"n{at}") for at in range(60)], "classes", None, ["accuracy"]),
    ],
)
def test_the_measures_are_those_of_the_kind_of_label(
    deployment: Deployment, pairs: list[tuple[Any, Any]], kind: str, positive: str | None, names: list[str]
) -> None:
    for label, prediction in pairs:
        data = {"model_outputs": [{"prediction": prediction, "other": 1}], "ground_truth": [{"label": label}]}
        deployment.request(NOON, model_inputs=[{"a": 1}], **data)
    figures = deployment.open().report("shop/blue").figures
    found = figures.performance
    assert found is not None
    assert (found.kind, found.positive, list(found.every.measures)) == (kind, positive, names)
    labels, predictions = zip(*pairs, strict=True)
    if kind == "numbers":
        assert found.every.measures["mae"].value == pytest.approx(metrics.mean_absolute_error(labels, predictions))
    else:
        assert found.every.measures["accuracy"].value == np.mean([one == other for one, other in pairs])


def test_numbers_are_sliced_at_their_quarters(deployment: Deployment) -> None:
    for at in range(100):
        data = {"model_outputs": [{"y": float(at)}], "ground_truth": [{"label": at + 0.5}]}
        deployment.request(NOON, model_inputs=[{"age": None if at == 99 else at}], **data)
    found = deployment.open().report("shop/blue", by="age").figures.performance
    assert found is not None
    shown = [(one.name, one.labeled) for one in found.slices]
    assert shown == [
        ("below 24.5", 25),
        ("24.5 to 49", 24),
        ("49 to 73.5", 25),
        ("73.5 and above", 25),
        ("no value", 1),
    ]


def test_why_there_is_no_performance_is_said(deployment: Deployment) -> None:
    deployment.request(NOON, model_inputs=[{"a": 1}], model_outputs=[{"p": 1, "q": 2}])
    assert (
        deployment.open().report("shop/blue").figures.performance_note
        == "not known: there are no labels for these rows"
    )
    deployment.request(NOON, model_inputs=[{"a": 1}], model_outputs=[{"p": 1, "q": 2}], ground_truth=[{"label": 1}])
    store = deployment.open()
    note = "not known: the outputs have the columns p, q: name that of the prediction"
    assert store.report("shop/blue").figures.performance_note == note
    found = store.report("shop/blue", prediction="p").figures.performance
    assert found is not None
    assert found.every.measures["accuracy"].value == 1.0
    assert (
        store.report("shop/blue/model_inputs").figures.performance_note == "not known: a report of a deployment has it"
    )


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (
            "shop/blu",
            {},
            "expected a deployment or a collection of {store}, got 'shop/blu': did you mean 'shop/blue'?",
        ),
        ("shop", {}, "expected a deployment or a collection of {store}, got 'shop': "),
        ("shop/blue", {"by": "contry"}, "expected a column of inputs or outputs for the slices, got 'contry': "),
        ("shop/blue", {"prediction": "x"}, "expected a column of the outputs, got 'x': "),
        ("shop/blue", {"label": "x"}, "expected a column of the labels, got 'x': they have label"),
        ("shop/blue", {"baseline": "x.xlsx"}, "expected a baseline like FILE.parquet, FILE.csv, or a window such as "),
        ("shop/blue", {"baseline": "none.csv"}, "expected the file of the baseline, got none at none.csv: "),
        ("shop/blue", {"baseline": "soon..later"}, "expected a time like "),
    ],
)
def test_mistakes_are_named(shop: Deployment, name: str, options: dict[str, Any], message: str) -> None:
    with pytest.raises(reader.ReaderError) as caught:
        shop.open().report(name, **options)
    assert str(caught.value).startswith(message.format(store=shop.root))


@pytest.mark.parametrize("name", ["x.parquet", "x.csv"])
@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a,b\n1\n2,3,4\n"])
def test_a_baseline_that_is_no_such_file_is_one_sentence(
    shop: Deployment, tmp_path: Path, name: str, content: bytes
) -> None:
    (tmp_path / name).write_bytes(content)
    if name == "x.csv" and b"\xff" in content:
        content = b""
    with pytest.raises(reader.ReaderError, match="expected a baseline that can be read") as caught:
        shop.open().report("shop/blue", baseline=tmp_path / name)
    assert "\n" not in str(caught.value)


def test_the_json_is_the_figures(shop: Deployment) -> None:
    report = shop.open().report("shop/blue", *WINDOW, baseline=BASELINE, by="country")
    assert msgspec.json.decode(report.to_json(), type=Figures) == report.figures
    assert msgspec.json.decode(report.to_json()) == report.to_dict()


def test_gauges_have_the_figures_by_endpoint_deployment_collection_column_and_measure(shop: Deployment) -> None:
    report = shop.open().report("shop/blue", *WINDOW, baseline=BASELINE)
    found = {(one.name, tuple(sorted(one.attributes.items()))): one.value for one in report.gauges()}
    psi = columns(report)["age"].drift
    assert psi is not None
    names = {"endpoint": "shop", "deployment": "blue", "collection": "model_inputs", "column": "age", "measure": "psi"}
    assert found["otel_modeldata.report.drift", tuple(sorted(names.items()))] == psi.psi
    whole = tuple(sorted({"endpoint": "shop", "deployment": "blue"}.items()))
    assert found["otel_modeldata.report.findings", whole] == len(report.findings)
    assert found["otel_modeldata.report.errors", whole] == 0.04
    assert len(found) == len(list(report.gauges()))  # no series twice


def test_a_report_of_frames_that_the_sdk_collected(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    with collecting(tmp_path) as flush:
        inputs, outputs, labels = (Collector(name=one) for one in ("model_inputs", "model_outputs", "ground_truth"))
        for at in range(30):
            context = BasicCorrelationContext(id=f"r{at}")
            frame = pd.DataFrame(
                {
                    "age": pd.array([at, None], dtype="Int64"),
                    "kind": pd.Categorical(["a", "b"], categories=["a", "b", "c"]),
                    "since": pd.to_datetime(["2026-01-01", "2026-02-01"], utc=True) + pd.Timedelta(days=at),
                    "is_new": [True, at % 2 == 0],
                }
            )
            inputs.collect(frame, context)
            outputs.collect(pd.DataFrame({"class": ["x", "y"]}), context)
            labels.collect(pd.DataFrame({"label": ["x", "x" if at % 3 else "y"]}), context)
        flush()
    report = reader.open(tmp_path).report("shop/blue", by="kind")
    kinds = {
        name: (one.kind, one.window and (one.window.rows, one.window.nulls)) for name, one in columns(report).items()
    }
    assert kinds == {
        "age": ("number", (60, 30)),
        "kind": ("category", (60, 0)),
        "since": ("time", (60, 0)),
        "is_new": ("category", (60, 0)),
        "class": ("category", (60, 0)),
    }
    figures = report.figures
    assert figures.traffic is not None
    assert (figures.traffic.requests, figures.traffic.rows, figures.labels) == (30, 60, (60, 60))
    assert figures.latency is not None
    assert figures.latency.requests == 30
    assert figures.performance is not None
    shown = {one.name: one.measures["accuracy"].value for one in figures.performance.slices}
    assert shown == {"a": 1.0, "b": pytest.approx(1 / 3)}


def test_a_report_of_a_container_is_that_of_the_folder(
    deployment: Deployment, azurite: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    for at in range(4):
        rows = {"model_outputs": [{"y": at % 2}], "ground_truth": [{"label": 1}], "response": [{}]}
        deployment.request(NOON, model_inputs=[{"age": at, "country": "ES"}], **rows, status="200")
    expected = deployment.open().report("shop/blue", *WINDOW, by="country").figures
    container = azurite.new_container()
    with azurite.open(container) as client:
        for path in deployment.root.rglob("*.jsonl"):
            client.upload_blob(path.relative_to(deployment.root).as_posix(), path.read_bytes())
    with reader.open(f"az://{container}") as store:
        found = store.report("shop/blue", *WINDOW, by="country").figures
    assert msgspec.structs.replace(found, store="", made="") == msgspec.structs.replace(expected, store="", made="")

"""What the screen request says of one request."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from collected_store import collecting
from opened_studio import whole
from shop_store import served_as

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_studio.screens.request import Body, RequestAnswer, RequestRow, request
from otel_modeldata_studio.studio import Studio

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from nasty_store import Nasty
    from shop_store import Shop

    from otel_modeldata_studio.screens.request_values import Place


@pytest.fixture(scope="module")
def studio(shop_store: Shop) -> Iterator[Studio]:
    with reader.open(shop_store.root) as store:
        opened = Studio(store, baseline=shop_store.baseline, trace_url="https://traces/{trace_id}?x=1")
        whole(lambda: request(opened, id=shop_store.traced))  # the baseline is read
        yield opened
        opened.close()


def lines(shop: Shop, collection: str) -> list[dict[str, Any]]:
    """All lines of a collection in the order of their times."""
    found = [
        json.loads(text)
        for blob in sorted((shop.root / collection).rglob("*.jsonl"))
        for text in blob.read_text().splitlines()
    ]
    return sorted(found, key=lambda one: int(one["timens"]))


def baseline_of(shop: Shop, collection: str, column: str) -> list[Any]:
    """The values of a column in the first day."""
    day = int(shop.since.timestamp()) * 10**9, int(shop.since.timestamp() + 86_400) * 10**9
    return [one["data"][0][column] for one in lines(shop, collection) if day[0] <= int(one["timens"]) < day[1]]


def values(found: RequestAnswer) -> dict[str, Any]:
    return {one.column: one.value for one in (*found.values, *found.outputs, *found.labels)}


def place(found: RequestAnswer, column: str) -> Place | None:
    return next(one.place for one in (*found.values, *found.outputs) if one.column == column)


def test_a_request_has_its_values_labels_bodies_spans_and_lines(studio: Studio, shop_store: Shop) -> None:
    found = request(studio, id=shop_store.traced)
    stored = next(
        one for one in lines(shop_store, "shop/blue/model_inputs") if one["correlationid"] == shop_store.traced
    )
    answered = next(
        one for one in lines(shop_store, "shop/blue/model_outputs") if one["correlationid"] == shop_store.traced
    )
    row_id = f"{shop_store.traced}_0"
    assert (found.id, found.deployment, found.labels) == (row_id, "shop/blue", ())
    assert found.rows == (RequestRow(row_id=row_id, time=stored["time"]),)
    assert values(found) == {
        **{f"inputs.{name}": value for name, value in stored["data"][0].items()},
        **{f"outputs.{name}": value for name, value in answered["data"][0].items()},
    }
    assert {one.column: one.kind for one in found.values} == {
        "inputs.age": "number",
        "inputs.income": "number",
        "inputs.country": "text",
        "inputs.plan": "text",
        "inputs.member": "boolean",
        "inputs.opened": "time",
        "inputs.visits": "integer",
    }
    body = json.dumps(answered["data"][0]["score"])
    assert found.bodies[1] == Body(
        collection="response",
        status="200",
        content_type="application/json",
        text=f'{{"score": [{body}]}}',
        size=len(f'{{"score": [{body}]}}'),
    )
    assert [(one.name, one.depth, one.service) for one in found.spans] == [
        ("POST /score", 0, "scoring"),
        ("features", 1, "scoring"),
        ("SELECT customer", 2, "scoring"),
        ("predict", 1, "scoring"),
    ]
    assert found.spans[0].start_ms == 0.0
    assert found.spans[2].attributes["db.system"] == "postgresql"
    trace_id = stored["traceparent"].split("-")[1]
    assert (found.trace_id, found.trace_url) == (trace_id, f"https://traces/{trace_id}?x=1")
    for one in found.lines:
        blob = (shop_store.root / one.blob).read_text().splitlines()
        assert one.text == blob[one.line - 1]
    assert {one.collection.rpartition("/")[2] for one in found.lines} == {
        "model_inputs",
        "model_outputs",
        "request",
        "response",
        "app_spans",
    }


def test_a_value_has_its_place_in_the_baseline(studio: Studio, shop_store: Shop) -> None:
    found = request(studio, id=shop_store.traced)
    known = np.array([one for one in baseline_of(shop_store, "shop/blue/model_inputs", "age") if one is not None])
    age = values(found)["inputs.age"]
    expected = place(found, "inputs.age")
    assert expected is not None
    assert expected.percentile == pytest.approx(100 * ((known < age).sum() + (known == age).sum() / 2) / len(known))
    assert (expected.low, expected.high) == tuple(np.quantile(known, [0.05, 0.95]))
    plans = baseline_of(shop_store, "shop/blue/model_inputs", "plan")
    plan = place(found, "inputs.plan")
    assert plan is not None
    assert (plan.share, plan.is_new) == (plans.count(values(found)["inputs.plan"]) / len(plans), False)
    members = baseline_of(shop_store, "shop/blue/model_inputs", "member")
    member = place(found, "inputs.member")
    assert member is not None
    assert member.share == members.count(values(found)["inputs.member"]) / len(members)


def test_a_new_category_and_a_null_are_said(studio: Studio, shop_store: Shop) -> None:
    new = place(request(studio, id=shop_store.new_category), "inputs.country")
    assert new is not None
    assert (new.is_new, new.share) == (True, 0.0)
    null = place(request(studio, id=shop_store.without_age), "inputs.age")
    ages = baseline_of(shop_store, "shop/blue/model_inputs", "age")
    assert null is not None
    assert (null.is_null, null.percentile) == (True, None)
    assert null.share == pytest.approx(ages.count(None) / len(ages))


def test_every_kind_of_id_leads_to_the_request(studio: Studio, shop_store: Shop) -> None:
    first = request(studio, id=shop_store.traced)
    event = json.loads(first.lines[0].text)
    for wanted in (f"{shop_store.traced}_0", event["id"], first.trace_id):
        assert request(studio, id=wanted) == first
    assert request(studio, id=shop_store.traced, deployment="shop/blue", at=event["time"]) == first


def test_the_rows_before_and_after_are_those_in_time(studio: Studio, shop_store: Shop) -> None:
    ids = [f"{one['correlationid']}_0" for one in lines(shop_store, "shop/blue/model_inputs")]
    for at in (0, 100, len(ids) - 1):
        found = request(studio, id=ids[at], deployment="shop/blue")
        assert found.previous == (ids[at - 1] if at else None)
        assert found.next == (ids[at + 1] if at + 1 < len(ids) else None)


def test_a_label_is_that_of_the_row(studio: Studio, shop_store: Shop) -> None:
    one = lines(shop_store, "shop/green/ground_truth")[10]
    found = request(studio, id=one["correlationid"])
    assert [(label.column, label.value) for label in found.labels] == [("labels.label", one["data"][0]["label"])]
    assert found.deployment == "shop/green"


def test_labels_that_came_later_are_those_of_a_compacted_row_too(
    studio: Studio, shop_store: Shop, tmp_path: Path
) -> None:
    one = lines(shop_store, "shop/blue/ground_truth")[20]
    root = tmp_path / "store"
    shutil.copytree(shop_store.root / "shop/blue", root / "shop/blue")
    with reader.open(root) as store:
        store.compact("shop/blue/model_inputs", until=shop_store.since + timedelta(hours=3))
        opened = Studio(store)
        found = request(opened, id=one["correlationid"])
        opened.close()
        store.compact("shop/blue/ground_truth", drop_lines=True)
        opened = Studio(store)
        of_files = request(opened, id=one["correlationid"])
        opened.close()
    expected = [("labels.label", one["data"][0]["label"])]
    assert [(label.column, label.value) for label in found.labels] == expected
    assert [(label.column, label.value) for label in of_files.labels] == expected
    assert request(studio, id=one["correlationid"]).labels == found.labels


def test_without_a_baseline_values_are_compared_with_the_day_before(shop_store: Shop) -> None:
    with reader.open(shop_store.root) as store:
        studio = Studio(store)
        found = request(studio, id=shop_store.traced)
        studio.close()
    assert found.baseline is not None
    since, _, until = found.baseline.partition("..")
    assert until[11:13] == (found.rows[0].time or "")[11:13]
    assert (since[11:], until[14:]) == (until[11:], "00:00Z")
    assert place(found, "inputs.age") is not None


def test_an_id_that_there_is_not_is_an_error(studio: Studio) -> None:
    with pytest.raises(UnknownNameError) as caught:
        request(studio, id="nothing")
    assert str(caught.value) == (
        f"expected a correlation id, row id, event id, trace id or x-request-id of {studio.store.objects.shown}, "
        "got 'nothing': no stored event has it; correct the id, or look again in a moment if it is new"
    )
    with pytest.raises(UnknownNameError, match="expected a deployment of"):
        request(studio, id="nothing", deployment="shop/red")
    with pytest.raises(ReaderError, match="expected a time like"):
        request(studio, id="nothing", at="yesterday")


def test_nothing_is_written_into_the_store(studio: Studio, shop_store: Shop) -> None:
    request(studio, id=shop_store.traced)
    assert not (shop_store.root / "_index").exists()


def test_a_hostile_request_is_cut_and_whole(nasty_store: Nasty) -> None:
    with reader.open(nasty_store.root) as store:
        studio = Studio(store)
        found = request(studio, id=nasty_store.id)
        long = request(studio, id="wide-0")
        studio.close()
    assert found.id == f"{nasty_store.id}_0"
    assert len(long.values) == 1000
    assert all(len(line.text) <= 64 << 10 for line in found.lines)
    assert len(found.bodies[0].text) == 64 << 10
    assert found.bodies[0].size > 1 << 19
    nested = next(one for one in found.values if one.column == "inputs.nested")
    assert isinstance(nested.value, str)
    assert json.loads(nested.value)["__proto__"] == {"planted": 1}


def test_a_long_cell_is_cut(nasty_store: Nasty) -> None:
    with reader.open(nasty_store.root) as store:
        studio = Studio(store)
        rows = store.read("nasty/blue/model_inputs", columns=["row_id", "long"]).to_arrow().to_pylist()
        row = next(one for one in rows if len(one["long"]) > 100)
        found = request(studio, id=row["row_id"])
        studio.close()
    cell = next(one for one in found.values if one.column == "inputs.long").value
    assert cell["cut"] == row["long"].replace('"', '\\"')[:4096]
    assert cell["length"] >= len(row["long"])


def test_a_compacted_request_is_the_same(studio: Studio, shop_store: Shop, tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(shop_store.root, root)
    with reader.open(root) as store:
        store.compact(since=shop_store.until - timedelta(hours=2), older=0, drop_lines=True)
        assert not (root / f"shop/blue/model_inputs/{shop_store.until - timedelta(hours=1):%Y/%m/%d/%H}").exists()
        opened = Studio(store, baseline=shop_store.baseline)
        found = whole(lambda: request(opened, id=shop_store.traced))
        event = json.loads(found.lines[0].text)["id"]
        for wanted in (f"{shop_store.traced}_0", event, found.trace_id):
            assert request(opened, id=wanted).values == found.values
        with pytest.raises(UnknownNameError, match=r"no row in Parquet files and no .* show nothing"):
            request(opened, id="nothing")
        opened.close()
    first = request(studio, id=shop_store.traced)
    opened_at = "inputs.opened"  # of a dropped line a time is written as Arrow has it
    assert values(found) == values(first) | {opened_at: f"{values(first)[opened_at]}.000000"}
    assert [(one.name, one.duration_ms) for one in found.spans] == [(one.name, one.duration_ms) for one in first.spans]
    assert (found.previous, found.next) == (first.previous, first.next)


def test_the_first_question_finds_a_row_of_any_hour_whose_lines_are_dropped(shop_store: Shop, tmp_path: Path) -> None:
    root = tmp_path / "store"
    shutil.copytree(shop_store.root / "shop/blue/model_inputs", root / "shop/blue/model_inputs")
    with reader.open(root) as store:
        store.compact(older=0, drop_lines=True)
        for hours in (47, 20, 1):
            window = (shop_store.until - timedelta(hours=hours), shop_store.until - timedelta(hours=hours - 1))
            row_id = store.read("shop/blue/model_inputs", *window, columns=["row_id"]).to_arrow()["row_id"][0].as_py()
            opened = Studio(store)
            assert request(opened, id=row_id).id == row_id
            opened.close()


def test_what_was_not_searched_yet_is_no_answer(
    shop_store: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_studio.screens.found_request._OPENING_SECONDS", 0.0)
    root = tmp_path / "store"
    shutil.copytree(shop_store.root / "shop/blue/model_inputs", root / "shop/blue/model_inputs")
    with reader.open(root) as store:
        store.compact(older=0, drop_lines=True)
        opened = Studio(store)
        with pytest.raises(UnknownNameError, match=r"bytes are not searched yet: ask again in a moment"):
            request(opened, id="blue-00001")
        opened.close()


@pytest.mark.parametrize("is_compact", [False, True])
def test_an_output_that_came_an_hour_later_is_there(tmp_path: Path, *, is_compact: bool) -> None:
    with served_as("shop/batch"), collecting(tmp_path) as flush:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for number, late in enumerate((5, 3_000, 3_590)):
            at = int(datetime(2026, 11, 22, 8, 50, tzinfo=UTC).timestamp()) + 4_000 * number
            inputs.collect(pd.DataFrame({"x": [1.5]}), BasicCorrelationContext(id=f"batch-{number}", timestamp=at))
            later = BasicCorrelationContext(id=f"batch-{number}", timestamp=at + late)
            outputs.collect(pd.DataFrame({"y": [0.25 * number]}), later)
        flush()
    with reader.open(tmp_path) as store:
        if is_compact:
            store.compact(older=0)
        studio = Studio(store)
        for number in range(3):
            found = request(studio, id=f"batch-{number}")
            assert values(found) == {"inputs.x": 1.5, "outputs.y": 0.25 * number}
        studio.close()

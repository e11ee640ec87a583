"""Replays between services that collect: recorded bodies, and ids that do not mix."""

from __future__ import annotations

import json
import urllib.request
from typing import TYPE_CHECKING, Any

import pandas as pd
from collected_store import collecting
from fastapi import Response
from model_server import Received, serving
from opentelemetry import context, propagate

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.payload import ASGIMiddleware
from otel_modeldata_reader.replaying import Recording, RowCounts, Tolerance, target_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pytest

BODIES = [
    ("application/json", b'{"rows": [[1], [2]],\n "note": "\xc3\xa9"}'),
    ("application/json", b'{"rows": [[3]]}'),
    ("text/plain", b"4"),
]
SENT = [(media_type, body.replace(b"\n", b" ")) for media_type, body in BODIES]
"""A line has a space for each line feed between the values of JSON."""
RESOURCE = "azureml.endpoint.name=shop,azureml.deployment.name={}"


def answer(one: Received) -> Response:
    values = [4] if one.headers["content-type"] == "text/plain" else [row[0] for row in one.json()["rows"]]
    return Response(json.dumps({"predictions": [value / 2 for value in values]}), media_type="application/json")


def sends(url: str) -> None:
    for media_type, body in BODIES:
        request = urllib.request.Request(url, data=body, headers={"content-type": media_type})
        with urllib.request.urlopen(request, timeout=60) as response:
            assert response.status == 200


def collecting_model() -> Callable[[Received], Any]:
    """A model that collects inputs and outputs, in the trace and with the baggage of its caller."""
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")

    def score(one: Received) -> Any:
        token = context.attach(propagate.extract(one.headers))
        try:
            frame = pd.DataFrame(one.json()["data"])
            correlation = inputs.collect(frame)
            scores = pd.DataFrame({"score": frame["age"] / 2})
            outputs.collect(scores, correlation)
        finally:
            context.detach(token)
        return scores.to_dict("records")

    return score


def test_recorded_bodies_are_sent_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", RESOURCE.format("blue"))
    with collecting(tmp_path / "s") as flush, serving(answer, ASGIMiddleware) as blue:
        sends(f"{blue.url}?version=7")
        flush()
    with serving(answer) as green, reader.open(tmp_path / "s") as store:
        replay = store.replay(Recording(deployment="shop/blue", from_requests=True))
        origin = green.url.removesuffix("/score")
        found = replay.send(target_of(origin), tmp_path / "out", tolerance=Tolerance())
    assert sorted((one.headers["content-type"], one.body) for one in green.received) == sorted(SENT)
    assert {one.path for one in green.received} == {"/score?version=7"}
    assert found.comparison is not None
    assert found.comparison.outputs == "shop/blue/response"
    assert (found.answered, found.comparison.rows) == (3, RowCounts(equal=4))


def test_what_the_target_collects_has_ids_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", RESOURCE.format("blue"))
    with collecting(tmp_path / "s") as flush:
        model = collecting_model()
        for age in range(5):
            model(Received(path="/", headers={}, body=json.dumps({"data": [{"age": age}]}).encode(), number=age))
        flush()
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", RESOURCE.format("green"))
    with (
        collecting(tmp_path / "s") as flush,
        serving(collecting_model()) as green,
        reader.open(tmp_path / "s") as store,
    ):
        before = store.read("shop/blue/model_inputs").to_pandas()
        recording = Recording(deployment="shop/blue", form="data")
        found = store.replay(recording).send(target_of(green.url), tmp_path / "out", tolerance=Tolerance())
        flush()
        after = store.read("shop/blue/model_inputs").to_pandas()
        joined = store.join("shop/green").to_pandas()
    assert found.comparison is not None
    assert found.comparison.rows == RowCounts(equal=5)
    pd.testing.assert_frame_equal(before, after)
    answers = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    assert sorted(joined["correlationid"]) == sorted(answers["sent_correlationid"])
    assert all(one.startswith(f"replay-{found.run}-") for one in joined["correlationid"])
    assert joined["traceparent"].nunique() in {0, 5}
    both = joined.merge(answers, left_on="correlationid", right_on="sent_correlationid", suffixes=("", "_recorded"))
    ages = dict(zip(before["correlationid"], before["age"], strict=True))
    assert [ages[one] for one in both["correlationid_recorded"]] == both["age"].tolist()

"""Replays of what the SDK collected, to models behind FastAPI and uvicorn."""

from __future__ import annotations

import asyncio
import json
import resource
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from fastapi import Response
from model_server import Received, frame_rows, serving

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader.exceptions import ReplayError, TargetUnavailableError, UnknownNameError
from otel_modeldata_reader.replaying import (
    ColumnResult,
    Pace,
    Quantiles,
    Recording,
    Replayed,
    RowCounts,
    Tolerance,
    target_of,
)
from otel_modeldata_reader.replaying.journal import Journal

if TYPE_CHECKING:
    from pathlib import Path

BLUE = Recording(deployment="shop/blue")
REQUESTS = 40


def blue(age: float) -> dict[str, Any]:
    return {"score": age / 7, "label": "old" if age > 60 else "young"}


def green(age: float) -> dict[str, Any]:
    """As blue, but for the old, and with another column."""
    return blue(age) | {"version": "green"} | ({"score": age / 7 + 0.5, "label": "young"} if age > 80 else {})


def frame(number: int) -> pd.DataFrame:
    ages = [float(number), 100.0 - number][: 1 + number % 2]
    return pd.DataFrame({"age": ages, "country": ["ES", "FR"][: len(ages)]})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs and outputs of a blue model, collected by the SDK and stored by the receiver."""
    folder = tmp_path_factory.mktemp("store")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
        _collect(folder)
    return folder


def _collect(folder: Path) -> None:
    with collecting(folder) as flush:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        for number in range(REQUESTS):
            context = inputs.collect(frame(number), BasicCorrelationContext(id=f"r{number}"))
            outputs.collect(pd.DataFrame([blue(age) for age in frame(number)["age"]]), context)
        flush()


def replayed(store: Path, url: str, out: Path, recording: Recording = BLUE, **options: Any) -> Replayed:
    with reader.open(store) as opened:
        return opened.replay(recording).send(target_of(url), out, **options)


def model(function: Any) -> Any:
    return lambda request: [function(row["age"]) for row in frame_rows(request)]


def test_the_same_model_answers_equally(store: Path, tmp_path: Path) -> None:
    with serving(model(blue)) as server:
        found = replayed(store, server.url, tmp_path / "out", tolerance=Tolerance())
    assert (found.requests, found.answered, found.failed, found.rows) == (REQUESTS, REQUESTS, 0, 60)
    assert (found.by_status, found.skipped) == ({"200": REQUESTS}, {})
    assert found.comparison is not None
    assert found.comparison.rows == RowCounts(equal=60)
    assert found.comparison.slices == ()
    assert [(one.name, one.compared, one.different) for one in found.comparison.columns] == [
        ("score", 60, 0),
        ("label", 60, 0),
    ]
    assert found.latency_p50_ms is not None
    assert found.latency_p99_ms is not None
    assert 0 < found.latency_p50_ms <= found.latency_p99_ms
    assert pd.read_parquet(tmp_path / "out" / "differences.parquet").empty


def test_each_request_has_the_rows_that_were_collected_and_no_label(store: Path, tmp_path: Path) -> None:
    with serving(model(blue)) as server:
        replayed(store, server.url, tmp_path / "out")
    sent = sorted(json.dumps(frame_rows(one)) for one in server.received)
    assert sent == sorted(json.dumps(frame(number).to_dict("records")) for number in range(REQUESTS))


def test_another_model_differs_by_row_column_and_slice(store: Path, tmp_path: Path) -> None:
    recording = Recording(deployment="shop/blue", by="country")
    with serving(model(green)) as server:
        found = replayed(store, server.url, tmp_path / "out", recording, tolerance=Tolerance())
    comparison = found.comparison
    assert comparison is not None
    # Of the second rows of requests 1, 3, ... 19 the age is above 80.
    assert comparison.rows == RowCounts(equal=50, different=10)
    half = Quantiles(mean=0.083333, p50=0.0, p90=0.5, p99=0.5, maximum=0.5)
    score, label = comparison.columns
    assert score == ColumnResult(
        name="score", compared=60, different=10, difference=_near(half, score.difference), confusion=()
    )
    # The second rows of 1, 3, ... 39 have ages of 99, 97, ... 61.
    assert label == ColumnResult(
        name="label",
        compared=60,
        different=10,
        difference=None,
        confusion=(("young", "young", 40), ("old", "old", 10), ("old", "young", 10)),
    )
    assert [(one.value, one.rows) for one in comparison.slices] == [
        ("ES", RowCounts(equal=40)),
        ("FR", RowCounts(equal=10, different=10)),
    ]
    assert (comparison.only_recorded, comparison.only_answered) == ((), ("version",))
    differences = pd.read_parquet(tmp_path / "out" / "differences.parquet")
    assert list(differences.columns) == ["row_id", "event_id", "slice", "column", "recorded", "answered", "difference"]
    assert set(differences["row_id"]) == {f"r{number}_1" for number in range(1, 20, 2)}
    assert set(differences["slice"]) == {"FR"}
    labels = differences[differences["column"] == "label"]
    assert set(labels["recorded"]) == {"old"}
    assert set(labels["answered"]) == {"young"}
    scores = differences[differences["column"] == "score"]
    assert scores["difference"].tolist() == pytest.approx([0.5] * 10)


def _near(expected: Quantiles, found: Quantiles | None) -> Quantiles | None:
    """What was found, if it is within 1 % of what is expected."""
    assert found is not None
    for name in ("mean", "p50", "p90", "p99", "maximum"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=0.01, abs=1e-9)
    return found


def test_the_answers_are_a_table(store: Path, tmp_path: Path) -> None:
    with serving(model(blue)) as server:
        found = replayed(store, server.url, tmp_path / "out")
    answers = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    assert sorted(answers["correlationid"]) == sorted(f"r{number}" for number in range(REQUESTS))
    assert answers["error"].isna().all()
    by_id = answers.set_index("correlationid")
    for number in range(REQUESTS):
        one = by_id.loc[f"r{number}"]
        assert json.loads(one["answer"]) == [blue(age) for age in frame(number)["age"]]
        assert (one["rows"], one["status"], one["attempts"]) == (len(frame(number)), 200, 1)
        assert one["sent_correlationid"].startswith(f"replay-{found.run}-")


def test_failed_requests_and_short_answers_are_missing_rows(store: Path, tmp_path: Path) -> None:
    def broken(request: Received) -> Any:
        rows = frame_rows(request)
        if rows[0]["age"] == 7:
            return Response("no", status_code=500)
        if rows[0]["age"] == 9:
            return [blue(9)]
        if rows[0]["age"] == 11:
            return {"detail": "none", "code": 1}
        if rows[0]["age"] == 12:
            return [blue(12), blue(12)]
        return [blue(row["age"]) for row in rows]

    with serving(broken) as server:
        found = replayed(store, server.url, tmp_path / "out", tolerance=Tolerance())
        assert (found.answered, found.failed, found.by_status) == (39, 1, {"200": 39, "500": 1})
        assert found.comparison is not None
        assert found.comparison.rows == RowCounts(equal=55, missing=3, incomparable=2)
        assert found.comparison.surplus == 1
        reasons = (found.comparison.not_json, found.comparison.without_rows, found.comparison.without_columns)
        assert reasons == (0, 1, 0)
        again = replayed(store, server.url, tmp_path / "out", resume=True)
    assert (again.progress.earlier, again.progress.failed, len(server.received)) == (39, 1, REQUESTS + 1)


def test_why_answers_cannot_be_compared_is_counted(store: Path, tmp_path: Path) -> None:
    def other(request: Received) -> Any:
        kinds = [Response("<html>"), Response(b""), Response(status_code=204), [{"a": 1, "b": 2, "c": 3, "d": 4}], {}]
        return kinds[request.number % 5]

    with serving(other) as server:
        found = replayed(store, server.url, tmp_path / "out", tolerance=Tolerance()).comparison
    assert found is not None
    assert found.rows.equal == 0
    assert found.not_json == 3 * REQUESTS / 5
    assert found.without_rows + found.without_columns == 2 * REQUESTS / 5
    assert found.without_columns > 0


def test_a_limit_sends_the_first_requests_and_a_resumed_replay_the_rest(store: Path, tmp_path: Path) -> None:
    with serving(model(blue)) as server:
        found = replayed(store, server.url, tmp_path / "out", pace=Pace(limit=15), tolerance=Tolerance())
        assert (found.requests, len(server.received)) == (15, 15)
        assert found.comparison is not None
        assert found.comparison.rows.rows == found.rows
        run = found.run
        found = replayed(store, server.url, tmp_path / "out", resume=True)
    assert (found.requests, found.answered, len(server.received), found.run) == (REQUESTS, REQUESTS, REQUESTS, run)
    assert found.progress.earlier == 15
    ids = [one.headers["x-request-id"] for one in server.received]
    assert len(set(ids)) == REQUESTS


def test_no_more_requests_than_the_concurrency_are_sent_at_the_same_time(store: Path, tmp_path: Path) -> None:
    running = most = 0

    async def slow(request: Received) -> Any:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return model(blue)(request)

    with serving(slow) as server:
        replayed(store, server.url, tmp_path / "out", pace=Pace(concurrency=3))
    assert most == 3


def test_a_target_that_does_not_answer_ends_the_replay(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_reader.replaying.sender._FIRST_PAUSE_SECONDS", 0.001)
    with serving(model(blue)) as server:
        replayed(store, server.url, tmp_path / "out", pace=Pace(limit=5))
    with pytest.raises(TargetUnavailableError) as error:
        replayed(store, server.url, tmp_path / "out", resume=True)
    message = f"expected answers of {server.url}, got no connection: start it, or correct the URL"
    assert str(error.value) == message


def test_a_folder_takes_one_replay(store: Path, tmp_path: Path) -> None:
    with serving(model(blue)) as server:
        replayed(store, server.url, tmp_path)
        for recording, resume, message in [
            (BLUE, False, "expected a new folder, got one with a replay"),
            (
                Recording(deployment="shop/blue", form="data"),
                True,
                'expected the format of the replay in .*, "input_data"',
            ),
            (
                Recording(deployment="shop/blue", since="-1d"),
                True,
                'expected the since of the replay in .*, null, got "-1d"',
            ),
            (Recording(deployment="shop/blue", by="age"), True, "expected the by of the replay"),
        ]:
            with pytest.raises(ReplayError, match=message):
                replayed(store, server.url, tmp_path, recording, resume=resume)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "journal.sqlite").write_bytes(b"no journal" * 1000)
    with pytest.raises(ReplayError, match="expected the journal of a replay, got file is not a database"):
        replayed(store, server.url, tmp_path / "other", resume=True)


def test_only_one_process_writes_a_journal(store: Path, tmp_path: Path) -> None:
    errors: list[str] = []

    def second(request: Received) -> Any:
        if request.number == 0:
            with pytest.raises(ReplayError) as error:
                replayed(store, server.url, tmp_path, resume=True)
            errors.append(str(error.value))
        return model(blue)(request)

    with serving(second) as server:
        found = replayed(store, server.url, tmp_path)
    assert found.answered == REQUESTS
    assert len(errors) == 1
    assert errors[0].startswith("expected a journal that only this process writes, got database is locked")


def test_a_full_disk_is_no_other_replay(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
    try:
        with pytest.raises(ReplayError, match=r"^expected a folder that can be written, got .+: .*/replay$"):
            Journal(tmp_path / "replay", {}, resume=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(
    ("recording", "error", "message"),
    [
        (Recording(deployment="shop/bleu"), UnknownNameError, "did you mean 'shop/blue/model_inputs'"),
        (Recording(deployment="shop/blue", by="agee"), UnknownNameError, "a column of the inputs, got 'agee': did you"),
        (Recording(deployment="shop/blue", columns=("x",)), UnknownNameError, "a column of the inputs, got 'x'"),
        (Recording(deployment="shop/blue", outputs="labels"), UnknownNameError, "got 'shop/blue/labels'"),
        (Recording(deployment="shop/blue", form="xml"), ReplayError, "expected a format"),
        (Recording(deployment="shop/blue", from_requests=True, by="age"), ReplayError, "expected no columns"),
    ],
)
def test_a_mistake_is_an_error_before_anything_is_sent(
    store: Path, tmp_path: Path, recording: Recording, error: type[Exception], message: str
) -> None:
    with serving(model(blue)) as server:
        with pytest.raises(error, match=message):
            replayed(store, server.url, tmp_path / "out", recording, tolerance=Tolerance())
        assert server.received == []


@pytest.mark.parametrize("pace", [{"concurrency": 0}, {"rate": 0.0}, {"timeout": 0.0}, {"limit": 0}])
def test_a_pace_that_is_none_is_refused(pace: dict[str, Any]) -> None:
    with pytest.raises(ReplayError, match="expected a"):
        Pace(**pace)


def test_a_preview_sends_nothing_and_writes_nothing(store: Path) -> None:
    with reader.open(store) as opened:
        found = opened.replay(Recording(deployment="shop/blue", columns=("age",), form="rows")).preview()
        limited = opened.replay(BLUE).preview(3)
    assert (found.requests, found.rows, found.skipped) == (REQUESTS, 60, {})
    assert found.first is not None
    assert found.first.body == b'[{"age":0.0}]'
    assert found.size == sum(len(frame(n)[["age"]].to_json(orient="records")) for n in range(REQUESTS))
    assert limited.requests == 3


def test_a_replay_runs_inside_of_an_event_loop(store: Path, tmp_path: Path) -> None:
    async def notebook() -> Replayed:
        await asyncio.sleep(0)
        return replayed(store, server.url, tmp_path / "out")

    with serving(model(blue)) as server:
        assert asyncio.run(notebook()).answered == REQUESTS
    with pytest.raises(UnknownNameError):
        asyncio.run(_unknown(store, server.url, tmp_path / "other"))


async def _unknown(store: Path, url: str, out: Path) -> Replayed:
    await asyncio.sleep(0)
    return replayed(store, url, out, Recording(deployment="shop/blue", by="x"))

"""Replays of stores whose lines were compacted and dropped, or of which rows were erased."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from collected_store import collecting
from model_server import frame_rows, serving
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata_reader.exceptions import ReplayError
from otel_modeldata_reader.replaying import Recording, Replayed, RowCounts, Tolerance, target_of

if TYPE_CHECKING:
    from pathlib import Path

    from model_server import Received

MODEL = "shop/blue/model_outputs"
BY_COUNTRY = Recording(deployment="shop/blue", by="country")


def model(request: Received) -> Any:
    return [{"score": row["age"] / 2} for row in frame_rows(request)]


def replayed(store: Path, out: Path, answer: Any = model) -> tuple[Replayed, list[str]]:
    """The result, and the rows of each request."""
    with serving(answer) as server, reader.open(store) as opened:
        found = opened.replay(BY_COUNTRY).send(target_of(server.url), out, tolerance=Tolerance())
    return found, sorted(json.dumps(frame_rows(one)) for one in server.received)


def collect(store: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
        with collecting(store) as flush:
            inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
            for number in range(20):
                frame = pd.DataFrame({"age": [number / 7, 1e300], "country": ["ES", None], "id": [2**53 + number, -1]})
                context = inputs.collect(frame, BasicCorrelationContext(id=f"r{number}"))
                outputs.collect(pd.DataFrame({"score": frame["age"] / 2}), context)
            flush()


def test_lines_that_are_compacted_and_dropped_are_replayed_from_parquet(tmp_path: Path) -> None:
    collect(tmp_path / "s")
    before = replayed(tmp_path / "s", tmp_path / "before")
    with reader.open(tmp_path / "s") as store:
        store.compact(older=-7200.0, drop_lines=True)
    assert not list((tmp_path / "s" / "shop").rglob("*.jsonl"))
    after = replayed(tmp_path / "s", tmp_path / "after")
    assert after[1] == before[1]
    assert before[0].comparison is not None
    assert after[0].comparison == before[0].comparison
    assert before[0].comparison.rows == RowCounts(equal=40)
    ids = [set(pd.read_parquet(tmp_path / name / "answers.parquet")["event_id"]) for name in ("before", "after")]
    assert ids[0] == ids[1]


def test_lines_beside_compacted_ones_are_replayed_once(tmp_path: Path) -> None:
    for number, hour in enumerate(("2026/11/22/10", "2026/11/22/11")):
        write(tmp_path / "s", [line([{"age": number, "country": "ES"}], number=number)], hour=hour)
    with reader.open(tmp_path / "s") as store:
        store.compact(until="2026-11-22T11", drop_lines=True)
        store.compact()  # its lines stay
        found = store.replay(BY_COUNTRY).preview()
    assert (found.requests, found.rows, found.skipped) == (2, 2, {})


def test_a_damaged_file_of_dropped_lines_ends_the_replay(tmp_path: Path) -> None:
    write(tmp_path / "s", [line([{"age": 1}], datatypes="i8")])
    with reader.open(tmp_path / "s") as store:
        store.compact(drop_lines=True)
        (part,) = (tmp_path / "s" / "_parquet").rglob("part-*.parquet")
        part.write_bytes(part.read_bytes()[:-9])
        with pytest.raises(ReplayError, match="expected lines of shop/blue/model_inputs that a compaction has dropped"):
            store.replay(Recording(deployment="shop/blue")).preview()


def test_erased_rows_are_not_sent_and_the_others_keep_their_ids(tmp_path: Path) -> None:
    rows = [{"age": 1, "country": "ES"}, {}, {"age": 3, "country": "FR"}, {"age": 4, "country": "FR"}]
    write(tmp_path / "s", [line(rows, erasedrows="1"), line([{}], number=1, erasedrows="0")])
    scores = [{}, {"score": 7.0}, {"score": 1.5}, {"score": 9.0}]
    write(tmp_path / "s", [line(scores, id="out", erasedrows="0")], collection=MODEL)
    found, sent = replayed(tmp_path / "s", tmp_path / "out")
    assert sent == [json.dumps([rows[0], rows[2], rows[3]])]
    assert found.skipped == {"it has no rows": 1}
    assert found.comparison is not None
    # Row 0 has no output any more, and row 1 no input.
    assert found.comparison.rows == RowCounts(equal=1, different=1)
    assert [(one.value, one.rows) for one in found.comparison.slices] == [("FR", RowCounts(equal=1, different=1))]
    assert list(pd.read_parquet(tmp_path / "out" / "differences.parquet")["row_id"]) == ["request-0_3"]

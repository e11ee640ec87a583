"""Which recorded outputs belong to which request, and what is compared where that is not certain."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from model_server import frame_rows, serving
from read_lines import NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.replaying import Comparison, Pace, Recording, RowCounts, Tolerance, matching, target_of

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MODEL = "shop/blue/model_outputs"
TRACES = [f"00-{number:032x}-{number:016x}-01" for number in (1, 2)]


def compare(store: Path, out: Path, pace: Pace | None = None, answer: Any = None, **options: Any) -> Comparison:
    """Replay to a model that doubles `age`, as the recorded one does."""
    doubles = answer or (lambda one: [{"score": 2 * row["age"]} for row in frame_rows(one)])
    with serving(doubles) as server, reader.open(store) as opened:
        replay = opened.replay(Recording(deployment="shop/blue", **options))
        found = replay.send(target_of(server.url), out, pace=pace, tolerance=Tolerance()).comparison
    assert found is not None
    return found


def inputs(*events: dict[str, Any]) -> list[bytes]:
    return [line([{"age": number}], number=number, **keys) for number, keys in enumerate(events)]


def outputs(*events: dict[str, Any]) -> list[bytes]:
    return [
        line([{"score": 2 * number}], number=number, **{"id": f"out-{number}"} | keys)
        for number, keys in enumerate(events)
    ]


def at(seconds: int) -> dict[str, str]:
    return {"timens": str(NOON_NS - 7_200_000_000_000 + seconds * 10**9), "correlationid": "same"}


def test_requests_of_one_id_are_matched_by_trace(tmp_path: Path) -> None:
    traced = [{"correlationid": "same", "traceparent": trace} for trace in TRACES]
    write(tmp_path / "s", inputs(*traced))
    write(tmp_path / "s", list(reversed(outputs(*traced))), collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out")
    assert (found.rows, found.uncertain, found.without_output) == (RowCounts(equal=2), 0, 0)


def test_requests_of_one_id_are_matched_by_time_and_order(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs(at(0), at(10)))
    write(tmp_path / "s", outputs(at(1), at(11)), collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out")
    assert (found.rows, found.uncertain) == (RowCounts(equal=2), 0)


def test_requests_of_one_id_at_the_same_time_are_uncertain(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs(at(0), at(0), {}))
    write(tmp_path / "s", outputs(at(1), at(1), {}), collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out")
    assert (found.rows, found.uncertain, found.without_output) == (RowCounts(equal=1), 2, 0)


def test_an_id_of_very_many_requests_is_uncertain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_OF_ID", 10)
    write(tmp_path / "s", inputs(*map(at, range(0, 60, 10)), {}))
    write(tmp_path / "s", outputs(*map(at, range(1, 61, 10)), {}), collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out")
    assert (found.rows, found.uncertain) == (RowCounts(equal=1), 6)


def test_repeated_ids_are_matched_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "_MOST_OF_ID", 4)
    ids = [{"correlationid": f"same-{number // 2}"} for number in range(8)]
    write(tmp_path / "s", inputs(*(at(10 * number) | one for number, one in enumerate(ids))))
    write(tmp_path / "s", outputs(*(at(10 * number + 1) | one for number, one in enumerate(ids))), collection=MODEL)
    assert compare(tmp_path / "s", tmp_path / "out").rows == RowCounts(equal=8)


def test_requests_without_an_output_or_an_id_are_not_compared(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs({}, {"correlationid": None}, {}))
    other = line([{"score": 1}], id="x", correlationid="other")
    torn = line(raw='[{"score": "\\ud800"}]', id="y", correlationid="request-2")
    write(tmp_path / "s", [*outputs({}), other, torn], collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out")
    assert found.rows.equal == 1
    assert found.without_output + found.rows.different == 2


def test_outputs_after_the_window_belong_to_requests_inside(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs({}))
    write(tmp_path / "s", outputs({"timens": str(NOON_NS - 1)}), collection=MODEL, hour="2026/11/22/11")
    found = compare(tmp_path / "s", tmp_path / "out", since="2026-11-22T10", until="2026-11-22T11")
    assert found.rows == RowCounts(equal=1)


def test_answers_that_nest_or_have_half_characters_are_differences(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs({}, {}))
    write(tmp_path / "s", outputs({}, {}), collection=MODEL)
    answers = ['[{"score": "\\ud800"}]', '[{"score": ' + "[" * 300 + "]" * 300 + "}]"]
    found = compare(tmp_path / "s", tmp_path / "out", answer=lambda one: json.loads(answers[one.number]))
    assert found.rows == RowCounts(different=2)
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "answers.parquet",
        "differences.parquet",
        "journal.sqlite",
    ]


def test_slices_beyond_two_hundred_are_together(tmp_path: Path) -> None:
    write(tmp_path / "s", inputs(*({} for _ in range(203))))
    write(tmp_path / "s", outputs(*({} for _ in range(203))), collection=MODEL)
    found = compare(tmp_path / "s", tmp_path / "out", by="age")
    assert (found.rows, len(found.slices)) == (RowCounts(equal=203), 201)
    assert (found.slices[0].value, found.slices[0].rows) == ("(other)", RowCounts(equal=3))

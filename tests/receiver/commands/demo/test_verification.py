"""The verification of the demo must fail when one thing is missing, is there twice, or is not what was sent."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
import pytest

from otel_modeldata.report import DeliveryReport
from otel_modeldata_receiver.commands.demo.flights import Flight
from otel_modeldata_receiver.commands.demo.stored_lines import Blob, LineKeys
from otel_modeldata_receiver.commands.demo.traffic import Request
from otel_modeldata_receiver.commands.demo.verification import Verification

if TYPE_CHECKING:
    from collections.abc import Callable

DEPARTED = datetime(2026, 11, 29, 11, 3, tzinfo=UTC)
ROW = {"flight": "B6839", "departed": "2026-11-29T11:03:00+00:00", "seats": 200}
FRAME_ROW = ROW | {"departed": "2026-11-29T11:03:00.000Z"}
ANSWER = {"late": True, "probability": 0.75}


def request(number: int) -> Request:
    flight = Flight(row=ROW, departed=DEPARTED, drifts=False, landed=None, late=None)
    return Request(id=f"id-{number}", trace_id=f"{number + 1:032x}", flight=flight, answer=ANSWER)


def line(number: int, collection: str, data: object) -> LineKeys:
    traceparent = f"00-{number + 1:032x}-{number + 1:016x}-01"
    return LineKeys(id=f"{collection}-{number}", correlationid=f"id-{number}", data=data, traceparent=traceparent)


def blob(collection: str, *lines: LineKeys) -> Blob:
    return Blob(collection=collection, path=collection, size=1, lines=lines)


def complete_run() -> Verification:
    """Two flights and a landing, whose events are all stored."""
    contents = {"request": ROW, "model_inputs": [FRAME_ROW], "model_outputs": [ANSWER], "response": ANSWER}
    of_flights = [
        blob(collection, *(line(number, collection, data) for number in range(2)))
        for collection, data in contents.items()
    ]
    landing = [{"row_id": "id-0_0", "label": True}]
    of_landing = [
        blob("request", line(7, "landed", landing)),
        blob("ground_truth", line(8, "labels", landing)),
        blob("response", line(9, "answer", None)),
    ]
    return Verification(
        requests=[request(0), request(1)],
        landings=1,
        labels=1,
        killed_after=1,
        delivery=DeliveryReport(accepted=11, delivered=11),
        blobs=[*of_flights, *of_landing],
        seconds=1.0,
    )


def with_outputs(change: Callable[[tuple[LineKeys, ...]], tuple[LineKeys, ...]]) -> Verification:
    result = complete_run()
    blobs = [
        msgspec.structs.replace(one, lines=change(one.lines)) if one.collection == "model_outputs" else one
        for one in result.blobs
    ]
    return replace(result, blobs=blobs)


def test_a_complete_run_has_no_problems() -> None:
    result = complete_run()
    assert (result.joined, result.stored, result.problems) == (2, 11, [])


@pytest.mark.parametrize(
    ("change", "joined"),
    [
        (lambda lines: lines[:1], 1),
        (lambda _: (), 0),
        (lambda lines: (*lines, lines[1]), 1),
        (lambda lines: (lines[0], lines[0]), 0),
        (lambda lines: (msgspec.structs.replace(lines[0], correlationid="other"), lines[1]), 1),
        (lambda lines: (msgspec.structs.replace(lines[0], traceparent=lines[1].traceparent), lines[1]), 1),
        (lambda lines: (msgspec.structs.replace(lines[0], traceparent=""), lines[1]), 1),
        (lambda lines: (msgspec.structs.replace(lines[0], data=[ANSWER | {"late": False}]), lines[1]), 1),
        (lambda lines: (msgspec.structs.replace(lines[0], data=[ANSWER, ANSWER]), lines[1]), 1),
        (lambda lines: (lines[0], msgspec.structs.replace(lines[1], id=lines[0].id)), 2),
    ],
    ids=["one", "all", "twice", "swapped", "id", "trace", "no-trace", "value", "rows", "event"],
)
def test_the_verification_fails_when_one_thing_is_wrong(
    change: Callable[[tuple[LineKeys, ...]], tuple[LineKeys, ...]], joined: int
) -> None:
    result = with_outputs(change)
    assert result.joined == joined
    assert result.problems


def test_a_time_that_is_written_in_another_way_is_the_same_value() -> None:
    other = FRAME_ROW | {"departed": "2026-11-29T11:04:00.000Z"}
    result = complete_run()
    blobs = [
        blob("model_inputs", *(msgspec.structs.replace(one, data=[other]) for one in found.lines))
        if found.collection == "model_inputs"
        else found
        for found in result.blobs
    ]
    assert replace(result, blobs=blobs).joined == 0


@pytest.mark.parametrize(
    "delivery",
    [
        DeliveryReport(accepted=11, delivered=10, lost={"refused": 1}),
        DeliveryReport(accepted=11, delivered=10, pending=1),
    ],
)
def test_the_verification_fails_when_the_sdk_reports_less_than_was_accepted(delivery: DeliveryReport) -> None:
    (problem,) = replace(complete_run(), delivery=delivery).problems
    assert problem.startswith("expected 11 events accepted and delivered, got 11 and 10, ")


def test_the_verification_fails_when_the_sdk_accepted_more_than_is_stored() -> None:
    problems = replace(complete_run(), delivery=DeliveryReport(accepted=12, delivered=12)).problems
    assert problems == [
        "expected 11 events accepted and delivered, got 12 and 12, lost {}, pending 0",
        "expected 12 lines in the store, as many as were accepted, got 11",
    ]


def test_the_verification_fails_when_a_label_is_missing() -> None:
    assert replace(complete_run(), labels=2).problems == ["expected 2 labels in the store, got 1"]

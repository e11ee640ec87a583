"""What receivers have set aside: quarantine, parked lines, notes about vanished ones, and gaps in the numbers."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import TYPE_CHECKING, Any

from audited_lines import RESOURCE, numbered
from audited_store import write_event
from missing_data import causes, folder, sentence, written
from otlp_requests import raw_request
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.diagnosis import set_aside

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAME = "credit/blue/model_inputs"


def quarantine(store: Path, *lines: dict[str, Any], ago: float = 0) -> Path:
    raw = [json.dumps({"id": f"{number}", **one}).encode() + b"\n" for number, one in enumerate(lines)]
    return write(store, raw, collection="_quarantine", hour=folder(ago))


def base64(content: bytes) -> str:
    return b64encode(content).decode()


def record(number: int = 1, collection: str = "model_inputs", **keys: Any) -> dict[str, Any]:
    """A line of quarantine as the receiver writes it, for a record of `credit/blue`."""
    raw = numbered(number, collection=collection)
    return {"reason": "body: expected rows, got text", "record": base64(raw), "resource": base64(RESOURCE)} | keys


def test_records_in_quarantine_are_counted_by_reason(tmp_path: Path) -> None:
    other = record(4, reason="event time: expected a time until 10 minutes from now, got 2031")
    quarantine(tmp_path, record(1), record(2), other, record(3, collection="model_outputs"))
    found = reader.why(tmp_path, NAME)
    assert causes(found) == [("quarantined", "stopped"), ("empty_store", "missing")]
    assert sentence(found, "quarantined") == (
        f"3 record(s) of {NAME} could not become lines and are in _quarantine/: 2 x body: expected rows, got text; 1 x "
        "event time: expected a time until 10 minutes from now, got 2031"
    )
    assert sentence(found, "empty_store").startswith(
        f"expected lines in {tmp_path}, got only what receivers have set aside (_quarantine)"
    )
    names = "--endpoint credit --deployment blue --collection model_inputs"
    assert found.findings[0].run == (f"otel-modeldata audit --running {names} --store {tmp_path}",)
    assert causes(reader.why(tmp_path, "other/blue/model_inputs")) == [("empty_store", "missing")]
    assert sentence(reader.why(tmp_path), "quarantined").startswith("4 record(s) of any collection ")


def test_an_endpoint_and_a_folder_of_the_operator_are_asked_for(tmp_path: Path) -> None:
    """Which collection is in a folder that the operator chose is not known, so the record may be of it."""
    quarantine(tmp_path, record(1))
    found = reader.why(tmp_path, "credit")
    assert sentence(found, "quarantined").startswith("1 record(s) of credit could not become lines")
    assert found.findings[0].run == (f"otel-modeldata audit --running --endpoint credit --store {tmp_path}",)
    assert causes(reader.why(tmp_path, "shop")) == [("empty_store", "missing")]
    found = reader.why(tmp_path, "lake/of/credit/inputs")
    assert causes(found) == [("quarantined_without_name", "suspect"), ("empty_store", "missing")]


def test_a_request_in_quarantine_has_records_of_several_collections(tmp_path: Path) -> None:
    request = raw_request([numbered(1), numbered(2), numbered(3, collection="model_outputs")], RESOURCE)
    whole = {"reason": "records: expected at most 2", "request": base64(request), "records": 3}
    quarantine(tmp_path, {**whole, "endpoint": "credit"})
    assert sentence(reader.why(tmp_path, NAME), "quarantined").startswith(f"2 record(s) of {NAME} ")


def test_records_that_do_not_say_whose_they_are_may_be_ours(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0), collection=NAME)
    foreign = {"reason": "x: y", "endpoint": "other"}
    quarantine(tmp_path, {"reason": "a\x1b[2J: b", "record": "!", "resource": "!"}, foreign, {"reason": 1})
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (True, [("quarantined_without_name", "suspect")])
    assert sentence(found, "quarantined_without_name").startswith("1 record(s) in _quarantine/ do not say of which ")


def test_a_quarantine_from_before_the_last_line_is_no_reason(tmp_path: Path) -> None:
    written(quarantine(tmp_path, record(0), ago=9), 9)
    written(write(tmp_path, [line()], hour=folder(5), collection=NAME), 5)
    assert causes(reader.why(tmp_path, NAME)) == [("no_new_lines", "missing")]
    written(quarantine(tmp_path, record(0), ago=3), 3)
    assert causes(reader.why(tmp_path, NAME)) == [("quarantined", "stopped"), ("no_new_lines", "missing")]


def test_of_a_large_quarantine_the_newest_part_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(set_aside, "MOST_BYTES", len(quarantine(tmp_path, record(90)).read_bytes()) * 4 + 50)
    written(quarantine(tmp_path, *[record(number) for number in range(20)], ago=2), 2)
    found = sentence(reader.why(tmp_path, NAME), "quarantined")
    assert found.startswith(f"4 record(s) of {NAME} could not become lines and are in _quarantine/ (in the newest ")


def test_a_hostile_quarantine_has_many_kinds_and_no_lines(tmp_path: Path) -> None:
    blob = quarantine(tmp_path, *[record(number, reason=f"kind {number}: x") for number in range(200)])
    with blob.open("ab") as file:
        file.write(b"[" * 100_000 + b"\n" + b"\xff\x00\n" + b"no JSON")
    assert sentence(reader.why(tmp_path, NAME), "quarantined").endswith("; and 48 more reasons")


def note(store: Path, blob: str) -> None:
    (store / "_vanished").mkdir(exist_ok=True)
    content = {"time": "2026-11-22T10:00:00Z", "blob": blob, "expected": 500, "found": 0, "lines": 3}
    (store / "_vanished" / f"{len(blob)}.json").write_text(json.dumps(content))


def test_lines_that_vanished(tmp_path: Path) -> None:
    note(tmp_path, f"{NAME}/2026/11/22/10/{0:032x}000000.jsonl")
    (tmp_path / "_vanished" / "torn.json").write_text("{")
    found = reader.why(tmp_path, NAME)
    assert causes(found) == [("vanished", "stopped"), ("empty_store", "missing")]
    assert sentence(found, "vanished").startswith(f"acknowledged lines are gone from '{NAME}/2026/11/22/10/")
    assert causes(reader.why(tmp_path, "credit/green")) == [("empty_store", "missing")]


def test_gaps_in_the_numbers_of_the_events(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (0, 1, 4):
        write_event(tmp_path, number, 10, "stored")
    found = reader.why(tmp_path, NAME, None)
    assert (found.has_data, causes(found)) == (True, [("gaps", "suspect")])
    assert sentence(found, "gaps").startswith(
        f"2 event(s) of 1 producer(s) of {NAME} are not in the store, and others "
    )
    write_event(tmp_path, 2, 10, "stored")
    write_event(tmp_path, 3, 10, "quarantined")
    assert ("gaps", "suspect") not in causes(reader.why(tmp_path, NAME, None))
    from otel_modeldata_reader.diagnosis import gaps

    for bound, most in (("MOST_BYTES", 10), ("MOST_BLOBS", 0)):
        with monkeypatch.context() as patch:
            patch.setattr(gaps, bound, most)
            (last,) = (one for one in reader.why(tmp_path, NAME, None).findings if one.step == "sequence")
        assert (last.cause, last.outcome) == ("gaps_not_checked", "not checked")

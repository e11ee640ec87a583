"""Blobs that a listing shows, and in which no line, or not every line, can be read."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from missing_data import NAME, causes, folder, sentence
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.diagnosis import unreadable_lines

if TYPE_CHECKING:
    from pathlib import Path

NUMBERED = [line(number=number, producer="p", producersequence=str(number)) for number in range(3)]
OUTPUTS = "shop/blue/model_outputs"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff\xfe" * 2500, "expected a whole last line, got a torn one in {}, line 1"),
        (b"\xff\n" * 2500, "expected a JSON object in UTF-8 in {}, line 1"),
        (NUMBERED[0][:100], "expected a whole last line, got a torn one in {}, line 1"),
        (b"\n" * 30, "expected lines, got none in {}"),
        (b"\0" * 4096, "expected a whole last line, got a torn one in {}, line 1"),
        (b"a,b\n1,2\n", "expected a JSON object in UTF-8 in {}, line 1"),
        (b"[1]\n[2]\n", "expected a JSON object in UTF-8 in {}, line 1"),
        (line(None), "expected an event with rows in {}, line 1"),
    ],
)
def test_blobs_without_a_line_that_can_be_read(tmp_path: Path, content: bytes, reason: str) -> None:
    blob = write(tmp_path, [content], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.is_stopped, found.is_known) == (False, True, True)
    assert found.findings[0].cause == "unreadable_lines"
    assert found.findings[0].sentence == (
        f"expected events in the blobs of {NAME}, got {len(content):,} bytes without a line that can be read: "
        f"{reason.format(blob.relative_to(tmp_path))}; something else than a receiver has written them, or they were "
        "damaged"
    )
    assert found.findings[0].outcome == "stopped"
    assert "no_gaps" not in [one.cause for one in found.findings]
    with reader.open(tmp_path) as store:
        assert store.read(NAME).to_arrow().num_rows == 0


def test_one_blob_of_the_window_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, NUMBERED, hour=folder(0))
    write(tmp_path, [b"x" * 500], hour=folder(0), replica=1)
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.is_stopped, causes(found)) == (True, False, [("damaged_lines", "suspect")])


def test_blobs_before_the_window_say_nothing_of_those_in_it(tmp_path: Path) -> None:
    old = write(tmp_path, NUMBERED, hour=folder(30))
    os.utime(old, (1, 1))
    write(tmp_path, [b"x" * 500], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.findings[0].cause) == (False, "unreadable_lines")


def test_another_collection_can_be_read(tmp_path: Path) -> None:
    write(tmp_path, NUMBERED, hour=folder(0))
    write(tmp_path, [b"x" * 500], hour=folder(0), collection=OUTPUTS)
    found = reader.why(tmp_path, "shop/blue")
    assert (found.has_data, found.is_stopped) == (True, False)
    assert ("unreadable_lines", "suspect") in causes(found)
    assert sentence(found, "data") == f"lines are written: {NAME}"


def test_damaged_lines_among_others(tmp_path: Path) -> None:
    blob = write(tmp_path, [NUMBERED[0], b"{\n", *NUMBERED[1:]], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.is_stopped, causes(found)) == (True, False, [("damaged_lines", "suspect")])
    text = sentence(found, "damaged_lines")
    assert text.startswith(f"1 line(s) of {NAME} cannot be read, and readers leave them out: expected a CloudEvent")
    assert text.endswith(f"in {blob.relative_to(tmp_path)}, line 2")


def test_events_without_numbers_show_no_gap(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert [one.outcome for one in found.findings if one.cause == "no_numbers"] == ["not checked"]


def test_a_part_is_read_of_large_blobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unreadable_lines, "MOST_BYTES", 4000)
    write(tmp_path, [b"x\n" * 5000], hour=folder(0))
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, found.is_stopped) == (True, True)
    assert "got 4,000 bytes without a line that can be read" in sentence(found, "unreadable_lines")


def test_events_that_were_erased_on_purpose_are_no_gap(tmp_path: Path) -> None:
    write(tmp_path, NUMBERED, hour=folder(0))
    with reader.open(tmp_path) as store:
        store.erase(ids=["request-1"], dry_run=False)
        found = store.why(NAME)
    assert (found.has_data, causes(found)) == (True, [])
    assert "no_gaps" in [one.cause for one in found.findings]

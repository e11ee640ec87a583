"""The size that `contentrange` states, of the rows of a line and of an object beside it."""

from __future__ import annotations

import json

import pytest
from audited_lines import BLOB, HOUR, LineLedger, faults, line, taken

from otel_modeldata_receiver.layout.blob_path import parse_blob_path


@pytest.mark.parametrize("given", ["bytes 0-12/13", "bytes 0-10/12", "bytes 0-11/*", "12", "", "bytes */0"])
def test_a_range_that_does_not_match_the_rows_is_reported(given: str) -> None:
    assert faults(taken(line(contentrange=given))) == {"content_range": 1}


def test_contentrange_of_several_rows_must_match_exactly() -> None:
    rows = '[{"a":1},{"a":2}]'
    assert faults(taken(line(rows=rows, contentrange=f"bytes 0-{len(rows) - 3}/{len(rows) - 2}"))) == {
        "content_range": 1
    }


def test_contentrange_of_a_single_row_may_exclude_the_array_brackets() -> None:
    assert faults(taken(line(contentrange="bytes 0-9/10"))) == {}


def test_contentrange_includes_whitespace_around_the_rows() -> None:
    assert faults(taken(line(rows=' [ {"age": 42} ] \t'))) == {}


def test_contentrange_counts_bytes() -> None:
    assert faults(taken(line(rows='[{"name":"Zoë \U0001f600"}]'))) == {}


def test_contentrange_of_a_text_payload_excludes_json_escapes() -> None:
    text = 'plain "text"\n\u00e9'
    size = len(text.encode())
    keys = {"type": "azureml.inference.request", "contentrange": f"bytes 0-{size - 1}/{size}"}
    blob = BLOB.replace("model_inputs", "request")
    assert faults(taken(line(rows=json.dumps(text, ensure_ascii=False), **keys), blob=blob)) == {}
    assert faults(taken(line(rows='""', **{**keys, "contentrange": "bytes */0"}), blob=blob)) == {}
    assert faults(taken(line(rows='"four"', **{**keys, "contentrange": "bytes 0-4/5"}), blob=blob)) == {
        "content_range": 1
    }


def test_contentrange_of_another_writer_is_not_checked() -> None:
    assert faults(taken(line(timens=None, contentrange="bytes 0-79/80"))) == {}


# --- references -------------------------------------------------------------------------------------------------------


def referring(size: int = 5_000_000, folder: str = HOUR) -> bytes:
    url = f"https://account.blob.core.windows.net/modeldata/prod/{folder}/files/rows-1.json"
    return line(data=None, dataref=url, contentrange=f"bytes 0-{size - 1}/{size}")


def test_rows_in_an_object_of_their_own_are_checked() -> None:
    assert faults(taken(referring(), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {}
    ledger = taken(referring())
    assert faults(ledger) == {"dataref": 1}
    assert f"{HOUR}/files/rows-1.json" in ledger.dataref.locations[0].reason


def test_an_object_that_was_stored_after_the_listing_is_found() -> None:
    ledger = LineLedger({})
    ledger.add_lines(parse_blob_path(BLOB), 0, [referring()])
    assert ledger.payloads.has_open
    ledger.check_references({f"{HOUR}/files/rows-1.json": 5_000_000})
    assert (faults(ledger), ledger.payloads.has_open) == ({}, False)


def test_contentrange_is_the_size_of_the_object() -> None:
    assert faults(taken(referring(4_999_998), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {}  # a single row
    assert faults(taken(referring(4_999_999), **{f"{HOUR}/files/rows-1.json": 5_000_000})) == {"content_range": 1}


def test_an_object_outside_of_the_folder_is_not_checked() -> None:
    ledger = taken(referring(folder="exports"))
    assert (faults(ledger), ledger.payloads.foreign) == ({}, 1)


def test_a_payload_beside_its_line_is_checked() -> None:
    url = json.dumps(f"https://a.blob.core.windows.net/modeldata/{HOUR}/event-0")
    blob = BLOB.replace("model_inputs", "request")
    keys = {"type": "azureml.inference.request", "datainblob": "true", "contentrange": "bytes 0-80770/80771"}
    raw = line(rows=url.replace("model_inputs", "request"), **keys)
    assert faults(taken(raw, blob=blob)) == {"dataref": 1}
    event = f"{HOUR.replace('model_inputs', 'request')}/event-0"
    assert faults(taken(raw, blob=blob, **{event: 80_771})) == {}
    assert faults(taken(raw, blob=blob, **{event: 80_769})) == {"content_range": 1}


@pytest.mark.parametrize(
    ("rows", "given", "expected"),
    [
        ('"{\\"a"', "bytes 0-2/52000", {}),
        ('"{\\"a"', "bytes 0-2/*", {}),
        ('"{\\"a"', "bytes 0-3/52000", {"content_range": 1}),
        ('"{\\"a"', "bytes 0-2/2", {"content_range": 1}),
        ('""', "bytes */52000", {}),
        ('""', "bytes */*", {"content_range": 1}),
    ],
)
def test_contentrange_has_the_total_size_of_a_truncated_payload(
    rows: str, given: str, expected: dict[str, int]
) -> None:
    """S51."""
    keys = {"type": "azureml.inference.request", "contentrange": given}
    assert faults(taken(line(rows=rows, **keys), blob=BLOB.replace("model_inputs", "request"))) == expected

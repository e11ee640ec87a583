"""An event that is parked is not shown, but a lookup of its id says where it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import UnknownNameError
from otel_modeldata_reader.index import parked_search

if TYPE_CHECKING:
    from pathlib import Path

LAKE = "_parked/_at/lake/in"
NOTE = (
    "1 event of it is parked until the place of datastore 'lake' takes lines again, and not shown: otel-modeldata why "
    "says more"
)


def outputs(store: Path) -> None:
    write(store, [line(id="output-1", correlationid="request-1")], collection="shop/blue/model_outputs")


@pytest.mark.parametrize("wanted", ["request-1", "request-1_0"])
def test_parked_inputs_of_stored_outputs_are_a_note(tmp_path: Path, wanted: str) -> None:
    outputs(tmp_path)
    write(tmp_path, [line(number=number) for number in range(3)], collection=LAKE)
    with reader.open(tmp_path) as store:
        found = store.show(wanted)
        assert ([one.event_id for one in found.events], found.notes) == (["output-1"], (NOTE,))
        with pytest.raises(UnknownNameError) as raised:
            store.show("request-2")
    assert str(raised.value) == f"expected a stored event of 'request-2' in {tmp_path}, got none: {NOTE}"


def test_a_parked_copy_of_a_stored_event_is_no_other_event(tmp_path: Path) -> None:
    for collection in ("shop/blue/model_inputs", "_parked/shop/blue/model_inputs"):
        write(tmp_path, [line(number=1)], collection=collection)
    with reader.open(tmp_path) as store:
        assert store.show("request-1").notes == ()
        with pytest.raises(UnknownNameError, match="no event has it"):
            store.show("request-7")


def test_only_the_window_and_the_newest_bytes_are_searched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs(tmp_path)
    size = write(tmp_path, [line(number=number) for number in range(9)], collection=LAKE).stat().st_size
    with reader.open(tmp_path) as store:
        for since, until in (("2026-11-23", None), (None, "2026-11-22T01:00:00")):
            with pytest.raises(UnknownNameError, match=r"no event has it|no events to search"):
                store.show("request-2", since, until)
        monkeypatch.setattr(parked_search, "MOST_BYTES", size // 2)
        assert store.show("request-1").notes == ()
        with pytest.raises(UnknownNameError, match="1 event of it is parked"):
            store.show("request-8")

"""A frame that a receiver would refuse, because of the objects in its cells, is refused by `collect`."""

from __future__ import annotations

import pandas as pd
import pytest

from otel_modeldata import Collector
from otel_modeldata.exceptions import UnsupportedValueError
from otel_modeldata.testing import capture
from otel_modeldata.validation.json_rows import MOST_OBJECTS, are_rows_in_pieces


def test_more_objects_in_cells_than_a_receiver_takes_are_refused() -> None:
    with capture() as captured, pytest.raises(UnsupportedValueError) as raised:
        Collector(name="model_inputs").collect(pd.DataFrame({"boxes": [[{}] * (MOST_OBJECTS + 1)]}))
    assert captured.events == []
    assert str(raised.value) == (
        f"expected at most {MOST_OBJECTS} objects in a frame with objects in its cells, got {MOST_OBJECTS + 2}: "
        "collect it in parts, or what is in the cells as rows of another collection"
    )


def test_as_many_rows_without_objects_in_their_cells_are_collected() -> None:
    frame = pd.DataFrame({"n": pd.Series(range(MOST_OBJECTS + 1), dtype="int64")})
    with capture() as captured:
        Collector(name="model_inputs").collect(frame)
    (event,) = captured.events
    assert len(event.rows) == MOST_OBJECTS + 1


@pytest.mark.parametrize("text", [b"", b"1", b"x[]", b"[", b"[1]", b'[{"a":1}', b"{}"])
def test_what_is_no_array_of_objects_is_no_rows(text: bytes) -> None:
    assert not are_rows_in_pieces(text)


@pytest.mark.parametrize("text", [b"[]", b" [{}]", b'[{"a":[{},{}]},{}]'])
def test_arrays_of_objects_are_rows(text: bytes) -> None:
    assert are_rows_in_pieces(text)
    assert are_rows_in_pieces(bytearray(text))

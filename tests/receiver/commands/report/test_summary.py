"""The cells of the tables that `report` prints."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.commands.report.summary import _line, _number


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "-"),
        (0.0, "0.000"),
        (-999.9994, "-999.999"),
        (1234.5, "1.2e+03"),
        (4.94e-299, "5e-299"),
        (-1.5e-300, "-2e-300"),
        (1.79e308, "2e+308"),
    ],
)
def test_a_number_takes_as_much_room_as_a_cell_has(value: float | None, shown: str) -> None:
    assert _number(value) == shown


def test_there_is_a_blank_between_cells_of_any_length() -> None:
    cells = ("a" * 100, "category", *["-999.999"] * 4, "100.0%", "9,999")
    line = _line(cells)
    assert line.split()[1:] == list(cells[1:])

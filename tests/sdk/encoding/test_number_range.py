"""A number that a receiver keeps out of the store is refused by `collect`."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pandas as pd
import pytest

from otel_modeldata import Collector
from otel_modeldata.exceptions import UnsupportedValueError
from otel_modeldata.testing import capture

LARGEST = int(float.fromhex("0x1.fffffffffffffp+1023"))


@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize(
    "cell",
    [
        *(10**309, -(10**400), 2**1024, [1, 10**4200], {"a": {"b": (10**400,)}}),
        *(Decimal("1E+400"), Decimal("-1.8E+308"), [Decimal("1E+309")], {"a": Decimal(10**400)}),
    ],
    ids=lambda cell: f"{type(cell).__name__} {str(cell)[:12]}",
)
def test_a_number_out_of_the_range_of_a_double_is_refused_with_its_place(cell: Any, rows: int) -> None:
    frame = pd.DataFrame({"text": "9" * 400, "n": pd.Series([*[None] * (rows - 1), cell], dtype=object)})
    reason = "expected numbers of at most 1.8e308, got a larger one, which readers refuse: send it as text"
    with pytest.raises(UnsupportedValueError, match=f"^column 'n', row {rows - 1}: {reason}$"):
        Collector(name="model_inputs").collect(frame)


@pytest.mark.parametrize(
    "cell",
    [LARGEST, -LARGEST, 10**308, [10**300], "9" * 400, {"9" * 400: "1" * 5000}, Decimal("1.7E+308"), Decimal("0E+400")],
    ids=lambda cell: f"{type(cell).__name__} {str(cell)[:12]}",
)
def test_numbers_in_range_and_text_of_many_digits_are_collected(cell: Any) -> None:
    with capture() as captured:
        Collector(name="model_inputs").collect(pd.DataFrame({"n": pd.Series([cell, 10**20], dtype=object)}))
    (event,) = captured.events
    assert event.rows[0] == {"n": float(cell) if isinstance(cell, Decimal) else cell}


@pytest.mark.parametrize("cell", [10**5000, [10**5000], {"a": -(10**5000)}], ids=["int", "list", "dict"])
def test_so_is_an_integer_of_which_python_makes_no_text(cell: Any) -> None:
    with pytest.raises(UnsupportedValueError, match=r"^column 'n', row 0: expected numbers of at most 1\.8e308, got a"):
        Collector(name="model_inputs").collect(pd.DataFrame({"n": pd.Series([cell], dtype=object)}))

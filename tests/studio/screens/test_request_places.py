"""The places of the values of a request: long texts, nulls, and numbers that floats do not hold apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opened_studio import opened_studio
from read_lines import NOON_NS, line, write

from otel_modeldata_studio.screens.request import request
from otel_modeldata_studio.screens.request_values import Place

if TYPE_CHECKING:
    from pathlib import Path

LONG = "x" * 300
TEXTS = (LONG, LONG + "y", None, "short", LONG)
BIG = (2**53, 2**53 + 1, 2**53 + 1, 2**53 - 1, 2**53 + 2)
UNSIGNED = (2**64 - 1, 2**64 - 2, 2**64 - 1, 2**64 - 3, 5)
FLAGS = (True, None, False, True, True)
TYPES = "string, int64, uint64, bool"
BASELINE = "2026-11-22T10:00:00Z..2026-11-22T11:00:00Z"


def places(root: Path, row: dict[str, Any], baseline: str = BASELINE) -> dict[str, Place | None]:
    """The places of the values of a row among those above, by their columns."""
    columns = zip(TEXTS, BIG, UNSIGNED, FLAGS, strict=True)
    before = [
        line([dict(zip(("text", "big", "unsigned", "flag"), values, strict=True))], number=number)
        for number, values in enumerate(columns)
    ]
    write(root, before)
    moment = {"time": "2026-11-22T12:00:00Z", "timens": str(NOON_NS)}
    known = {"text": "other", "big": 1, "unsigned": 1, "flag": True}
    write(root, [line([known], number=98, **moment), line([row], number=99, **moment)], hour="2026/11/22/12")
    with opened_studio(root, baseline=baseline) as studio:
        found = request(studio, id="request-99_0", baseline=baseline)
    return {one.column.partition(".")[2]: one.place for one in found.values}


def test_long_texts_are_known_by_their_whole_content(tmp_path: Path) -> None:
    assert places(tmp_path, {"text": LONG}) == {"text": Place(share=2 / 5)}
    assert places(tmp_path, {"text": LONG + "y"}) == {"text": Place(share=1 / 5)}
    assert places(tmp_path, {"text": LONG + "z"}) == {"text": Place(is_new=True, share=0.0)}


def test_shares_are_of_all_rows_also_those_without_a_value(tmp_path: Path) -> None:
    assert places(tmp_path, {"flag": True, "text": "short"}) == {"flag": Place(share=3 / 5), "text": Place(share=1 / 5)}
    assert places(tmp_path, {"flag": False, "text": None}) == {
        "flag": Place(share=1 / 5),
        "text": Place(is_null=True, share=1 / 5),
    }


@pytest.mark.parametrize("column", ["big", "unsigned"])
@pytest.mark.parametrize("at", range(5))
def test_percentiles_of_large_whole_numbers_are_those_of_the_numbers(column: str, at: int, tmp_path: Path) -> None:
    every = {"big": BIG, "unsigned": UNSIGNED}[column]
    value = every[at]
    found = places(tmp_path, {column: value})[column]
    assert found is not None
    lower, equal = sum(one < value for one in every), sum(one == value for one in every)
    assert found.percentile == pytest.approx(100 * (lower + equal / 2) / len(every))


def test_a_baseline_without_whole_numbers_has_the_percentile_of_the_floats(tmp_path: Path) -> None:
    file = tmp_path / "training.csv"
    file.write_text("big\n" + "\n".join(str(one) for one in (1.5, 2.5, 1e17, 1e18)))
    store = tmp_path / "store"
    found = places(store, {"big": 2**60}, str(file))["big"]
    assert found is not None
    assert found.percentile == 100.0
    assert json.dumps(found.high)

"""Lines of other senders may have no ids: each of their rows is on one page of Explore, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from opened_studio import opened_studio
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.window import Window
from otel_modeldata_studio.profiles import page_cells
from otel_modeldata_studio.screens.row_pages import rows

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata_studio.studio import Studio

DEPLOYMENT = COLLECTION.rpartition("/")[0]


def compact(root: Path) -> None:
    """Write the Parquet files of all hours."""
    with reader.open(root) as store:
        store.compact(COLLECTION, older=0)


def pages(studio: Studio, **asked: Any) -> Iterator[int]:
    """The values of all rows, ten rows a page."""
    token = None
    while True:
        found = rows(studio, deployment=DEPLOYMENT, columns=("inputs.v",), limit=10, after=token, **asked)
        yield from (values[0] for values in (one.values for one in found.rows))
        token = found.next
        if token is None:
            return


@pytest.mark.parametrize("is_compacted", [False, True])
@pytest.mark.parametrize("names", [("id", "correlationid"), ("id",), ("correlationid",)])
def test_rows_without_ids_at_one_moment_are_on_one_page_each(
    names: tuple[str, ...], is_compacted: bool, tmp_path: Path
) -> None:
    ids = {"correlationid": "same", "timens": None, **dict.fromkeys(names)}
    write(tmp_path, [line([{"v": 2 * one}, {"v": 2 * one + 1}], **{"id": f"event-{one}", **ids}) for one in range(30)])
    if is_compacted:
        compact(tmp_path)
    with opened_studio(tmp_path) as studio:
        assert sorted(pages(studio)) == list(range(60))
        assert sorted(pages(studio, newest=False)) == list(range(60))
        some = json.dumps([{"column": "inputs.v", "op": "between", "low": 7, "high": 31}])
        assert sorted(pages(studio, f=some)) == list(range(7, 31))


def test_rows_without_ids_are_on_a_page_whose_other_rows_are_read_by_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line([{"v": one}], number=one, **{"correlationid": None} if one % 3 else {}) for one in range(30)])
    with opened_studio(tmp_path) as studio:
        (piece,) = studio.tables.pieces(COLLECTION, Window()).pieces
        studio.tables.partners.of((COLLECTION, COLLECTION), [piece], [piece], lambda: True)
        known = studio.tables.partners.numbers_of_ids(COLLECTION, [piece], ["request-3_0"])
        assert known == {"request-3_0": [(piece, 3)]}
        monkeypatch.setattr(page_cells, "_FEW", 0)
        assert sorted(pages(studio)) == list(range(30))


@pytest.mark.parametrize("is_compacted", [False, True])
def test_columns_may_be_named_as_those_that_a_scan_adds(is_compacted: bool, tmp_path: Path) -> None:
    write(tmp_path, [line([{"v": 1, "filename": "a", "file_row_number": 8}])])
    if is_compacted:
        compact(tmp_path)
    with opened_studio(tmp_path) as studio:
        found = rows(studio, deployment=DEPLOYMENT, limit=10)
        cells = dict(zip(found.columns, found.rows[0].values, strict=True))
        assert cells == {"inputs.v": 1, "inputs.filename": "a", "inputs.file_row_number": 8}

"""Columns whose type changed, by manifests and by the first lines of folders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from looked_store import INPUTS, hour, studio_of
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_studio.catalog.type_changes import TypeChange, type_changes
from otel_modeldata_studio.screens.health import SchemaChange, health

if TYPE_CHECKING:
    from pathlib import Path


def test_a_column_changes_comes_and_goes() -> None:
    types: list[tuple[str, dict[str, str | None]]] = [
        ("10", {"age": "double", "plan": "text", "old": "int64"}),
        ("11", {"age": None, "plan": "text", "old": "int64"}),
        ("12", {"age": "int64", "plan": None}),
        ("13", {"age": "int64", "plan": "text", "new": "bool"}),
    ]
    assert type_changes("r", types) == [
        TypeChange(root="r", column="new", before=None, after="bool", date="13"),
        TypeChange(root="r", column="old", before="int64", after=None, date="12"),
        TypeChange(root="r", column="age", before="double", after="int64", date="12"),
    ]
    assert type_changes("r", types[:2]) == []


def typed(ago: int, rows: list[dict[str, Any]], types: str) -> bytes:
    return line(rows, number=ago, datatypes=types)


@pytest.mark.parametrize("is_compacted", [False, True])
def test_the_health_of_a_store_has_the_changes(tmp_path: Path, is_compacted: bool) -> None:
    rows: list[tuple[int, list[dict[str, Any]], str]] = [
        (5, [{"age": 1.5, "plan": "a"}], "f8,O"),
        (4, [{"age": None, "plan": "b"}], "O,O"),
        (3, [{"age": 2, "plan": "b"}, {"age": 3, "plan": None}], "i8,O"),
        (2, [{"age": "old", "plan": "b"}], "O,O"),
    ]
    for ago, found, types in rows:
        write(tmp_path, [typed(ago, found, types)], hour=hour(ago))
    write(
        tmp_path,
        [line({"any": "body"}, type="azureml.inference.request")],
        collection="shop/blue/request",
        hour=hour(2),
    )
    if is_compacted:
        with reader.open(tmp_path) as store:
            store.compact()
    with studio_of(tmp_path) as studio:
        changes = health(studio, deployment="shop/blue").schema_changes
    change = {"collection": INPUTS, "column": "age"}
    numbers = SchemaChange(**change, before="double", after="int64", since="2026-11-22T09:00:00Z")
    texts = SchemaChange(**change, before="int64", after="text", since="2026-11-22T10:00:00Z")
    assert changes == (texts, numbers)

"""Values of many levels are texts: no reading stops because of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("depth", [70, 400, 900])
@pytest.mark.parametrize(("opening", "closing"), [('{"b":', "}"), ("[", "]")], ids=["objects", "lists"])
def test_a_column_with_a_deep_value_is_text(tmp_path: Path, depth: int, opening: str, closing: str) -> None:
    deep = opening * depth + "1" + closing * depth
    write(tmp_path, [line(raw=f'[{{"a":{deep},"n":1}}]', id="deep"), line(raw='[{"a":[1],"n":2}]', id="flat")])
    with reader.open(tmp_path) as store:
        table = store.read(COLLECTION).to_arrow()
        frame = store.read(COLLECTION).to_pandas()
    assert table["a"].to_pylist() == [deep, "[1]"]
    assert table["n"].to_pylist() == [1, 2]
    assert frame["n"].tolist() == [1, 2]


def test_brackets_in_texts_are_no_levels(tmp_path: Path) -> None:
    text = '\\"' + "[{" * 100
    write(tmp_path, [line([{"a": [{"b": text}]}], id="one"), line([{"a": [{"b": 1}]}], id="two")])
    with reader.open(tmp_path) as store:
        assert [type(one) for one in store.read(COLLECTION).to_arrow()["a"].to_pylist()] == [str, str]
    write(tmp_path / "texts", [line([{"a": [{"b": text}], "n": 2**53 + 1}], id="one")])
    with reader.open(tmp_path / "texts") as store:
        assert store.read(COLLECTION).to_arrow()["a"].to_pylist() == [[{"b": text}]]

"""From the body of an answer, or recorded outputs, to rows: model servers answer in many forms.

Understood are an array with a value, a list or an object for each row, an object of columns with a list each or with
values by row number, the tensors of KServe V2, a split frame (`columns` and `data`), each also as the only value of an
object (`predictions`, `outputs`, `result`, ...) or as JSON in a JSON string, as `score.py` often returns it; and one
object or value for a request of one row.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["AnswerRows", "aligned", "answer_rows", "is_json"]

_WRAPPERS: Final = ("predictions", "prediction", "outputs", "output", "results", "result", "data", "rows")
_DEEPEST: Final = 4
_MOST_ROWS: Final = 1_000_000
"""Each is a list of Python."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRows:
    """Rows.

    Attributes:
        names: of the columns; None if they have none.
        rows: the values of each row, in the order of the columns; `...` for a value that a row does not have.
    """

    names: tuple[str, ...] | None
    rows: Sequence[Sequence[Any]]


def answer_rows(content: bytes, count: int | None, at: Sequence[str] = ()) -> AnswerRows | None:
    """The rows of a body; None if it has none that are understood.

    Args:
        content: JSON.
        count: how many rows there should be; None if that is not known.
        at: the keys that lead to the rows in the answer; empty finds them.
    """
    try:
        value = json.loads(content)
        for key in at:
            value = value[int(key)] if isinstance(value, list) else value[key]
        return _rows(value, count, _DEEPEST)
    except (ValueError, RecursionError, KeyError, IndexError, TypeError):  # bytes, digits and keys of any writer
        return None


def is_json(content: bytes) -> bool:
    """Whether a body is JSON."""
    try:
        json.loads(content)
    except RecursionError:  # too deep for rows
        return True
    except ValueError:
        return False
    return True


def aligned(recorded: AnswerRows, answered: AnswerRows) -> tuple[list[str], list[tuple[int, int]]] | None:
    """The columns that both have: their names, and their places on both sides; None if none can be compared.

    Columns are equal by name. Where one side has no names, or none in common, as many columns are compared in order.
    """
    names = recorded.names
    if names is not None and answered.names is not None:
        places = {name: place for place, name in enumerate(answered.names)}
        both = [(name, place, places[name]) for place, name in enumerate(names) if name in places]
        if both:
            return [name for name, *_ in both], [(left, right) for _, left, right in both]
    width = _width(recorded)
    if width != _width(answered) or width == 0:
        return None
    shown = names or answered.names or tuple(map(str, range(width)))
    return list(shown), [(place, place) for place in range(width)]


def _width(rows: AnswerRows) -> int:
    if rows.names is not None:
        return len(rows.names)
    return len(rows.rows[0]) if rows.rows else 0


def _rows(value: Any, count: int | None, depth: int) -> AnswerRows | None:
    if depth == 0:
        return None
    if isinstance(value, list):
        return _of_list(value, count)
    if isinstance(value, dict):
        return _of_object(value, count, depth)
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        return _rows(json.loads(value), count, depth - 1)
    return AnswerRows(names=None, rows=[[value]]) if count in {1, None} else None


def _of_list(values: list[Any], count: int | None) -> AnswerRows | None:
    if not values:
        return AnswerRows(names=None, rows=[])
    if len(values) > _MOST_ROWS:
        return None
    if all(isinstance(one, dict) for one in values):
        return _of_objects(values)
    if count == 1 and len(values) > 1 and not any(isinstance(one, list) for one in values):
        return AnswerRows(names=None, rows=[values])
    if all(isinstance(one, list) for one in values) and len({len(one) for one in values}) == 1:
        return AnswerRows(names=None, rows=values)
    return AnswerRows(names=None, rows=[[one] for one in values])


def _of_objects(values: list[dict[str, Any]]) -> AnswerRows | None:
    if all("name" in one and "data" in one for one in values):
        return _tensors(values)
    names = tuple(dict.fromkeys(name for one in values for name in one))
    return AnswerRows(names=names, rows=[[one.get(name, ...) for name in names] for one in values])


def _of_object(value: dict[str, Any], count: int | None, depth: int) -> AnswerRows | None:
    if isinstance(value.get("columns"), list) and isinstance(value.get("data"), list):
        return _split(value["columns"], value["data"])
    if (by_index := _by_index(value)) is not None:
        return by_index
    if len(value) == 1 or isinstance(value.get("model_name"), str):  # of V2: `outputs` beside names
        wrapped = next((value[name] for name in _WRAPPERS if name in value), None)
        if isinstance(wrapped, (list, dict, str)) and (found := _rows(wrapped, count, depth - 1)) is not None:
            return found
    lists = [one for one in value.values() if isinstance(one, list)]
    if lists and len(lists) == len(value) and len({len(one) for one in lists}) == 1 and count in {None, len(lists[0])}:
        return AnswerRows(names=tuple(value), rows=list(zip(*lists, strict=True)))
    if count not in {1, None}:
        wrapped = next((value[name] for name in _WRAPPERS if isinstance(value.get(name), (list, dict))), None)
        return None if wrapped is None else _rows(wrapped, count, depth - 1)
    return AnswerRows(names=tuple(value), rows=[list(value.values())])


def _by_index(value: dict[str, Any]) -> AnswerRows | None:
    """The rows of `DataFrame.to_dict()`: an object for each column, with the value of each row by its number."""
    columns = list(value.values())
    if not columns or not all(isinstance(column, dict) and column for column in columns):
        return None
    numbers = [str(number) for number in range(len(columns[0]))]
    if any(list(column) != numbers for column in columns):
        return None
    return AnswerRows(names=tuple(value), rows=list(zip(*(column.values() for column in columns), strict=True)))


def _split(names: list[Any], data: list[Any]) -> AnswerRows | None:
    if not all(isinstance(row, list) and len(row) == len(names) for row in data):
        return None
    return AnswerRows(names=tuple(map(str, names)), rows=data)


def _tensors(tensors: list[dict[str, Any]]) -> AnswerRows | None:
    """The rows of tensors of KServe V2: the first dimension is that of the rows."""
    columns = []
    for tensor in tensors:
        shape, data = tensor.get("shape") or [len(tensor["data"])], tensor["data"]
        if not isinstance(data, list) or not isinstance(shape[0], int) or not 0 < shape[0] <= len(data):
            return None
        width = len(data) // shape[0]
        if width * shape[0] != len(data):
            return None
        columns.append(data if width == 1 else [data[at : at + width] for at in range(0, len(data), width)])
    if len({len(column) for column in columns}) != 1:
        return None
    return AnswerRows(names=tuple(str(one["name"]) for one in tensors), rows=list(zip(*columns, strict=True)))

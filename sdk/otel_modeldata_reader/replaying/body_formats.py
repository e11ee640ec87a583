"""From recorded rows to the bodies that model servers take. Values keep the text that they have in the line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from ..exceptions import ReplayError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Rows = Sequence[Mapping[str, msgspec.Raw]]

__all__ = ["DEFAULT_FORMAT", "FORMATS", "BodyError", "body_of", "column_names", "format_named"]

DEFAULT_FORMAT: Final = "input_data"
_NULL: Final = msgspec.Raw(b"null")
_RECORDS: Final = "records:"


class BodyError(ValueError):
    """Rows that have no form in a format; the text says what is expected."""


def column_names(rows: Rows) -> list[str]:
    """The names of all rows, each once, in their order."""
    return list(dict.fromkeys(name for row in rows for name in row))


def _split(rows: Rows) -> dict[str, Any]:
    names = column_names(rows)
    data = [[row.get(name, _NULL) for name in names] for row in rows]
    return {"columns": names, "index": list(range(len(rows))), "data": data}


def _row(rows: Rows) -> Any:
    if len(rows) != 1:
        raise BodyError("expected one row")
    return rows[0]


def _tensors(rows: Rows) -> dict[str, Any]:
    """An inference request of KServe's Open Inference Protocol (V2): each column is a tensor.

    `content_type` is what MLServer needs to make a frame of it; other servers ignore it.
    """
    tensors = []
    for name in column_names(rows):
        values = [row.get(name, _NULL) for row in rows]
        tensor: dict[str, Any] = {"name": name, "shape": [len(rows), 1], "datatype": _datatype(values)}
        if tensor["datatype"] == "BYTES":
            tensor["parameters"] = {"content_type": "str"}
        tensors.append(tensor | {"data": values})
    return {"parameters": {"content_type": "pd"}, "inputs": tensors}


def _datatype(values: Sequence[msgspec.Raw]) -> str:
    kinds = {_kind(bytes(value)) for value in values} - {"null"}
    if "nested" in kinds:
        raise BodyError("expected no lists and objects in a cell")
    if kinds <= {"INT64"} and kinds:
        return "INT64"
    if kinds <= {"INT64", "FP64"}:
        return "FP64"
    if len(kinds) > 1:
        raise BodyError("expected one kind of values in a column")
    return kinds.pop()


def _kind(text: bytes) -> str:
    first = text[:1]
    if first == b'"':
        return "BYTES"
    if first in {b"t", b"f"}:
        return "BOOL"
    if first == b"n":
        return "null"
    if first in {b"[", b"{"}:
        return "nested"
    return "FP64" if any(mark in text for mark in (b".", b"e", b"E")) else "INT64"


FORMATS: Final[Mapping[str, str]] = {
    "input_data": '{"input_data": {"columns": [..], "index": [..], "data": [[..]]}}: MLflow models on Azure ML',
    "dataframe_split": '{"dataframe_split": {..}}, likewise: `mlflow models serve`',
    "dataframe_records": '{"dataframe_records": [{..}]}: `mlflow models serve`',
    "data": '{"data": [{..}]}: score.py as Azure ML documents it',
    "inputs": '{"inputs": [{..}]}',
    "instances": '{"instances": [{..}]}: KServe V1, TensorFlow Serving, Vertex AI',
    "rows": "[{..}]: the array of rows",
    "row": "{..}: the row itself, of requests with one row",
    "kserve-v2": '{"inputs": [{"name", "shape", "datatype", "data"}]}: the Open Inference Protocol',
    "records:NAME": '{"NAME": [{..}]}',
}
"""The formats, and what each looks like."""

_BODIES: Final[Mapping[str, Callable[[Rows], Any]]] = {
    "input_data": lambda rows: {"input_data": _split(rows)},
    "dataframe_split": lambda rows: {"dataframe_split": _split(rows)},
    "rows": lambda rows: rows,
    "row": _row,
    "kserve-v2": _tensors,
}
_RECORDS_FORMATS: Final = frozenset({"dataframe_records", "data", "inputs", "instances"})


def format_named(name: str) -> Callable[[Rows], Any]:
    """The format of a name of `FORMATS`.

    Raises:
        ReplayError: there is none of this name.
    """
    if name in _BODIES:
        return _BODIES[name]
    key = name if name in _RECORDS_FORMATS else name.removeprefix(_RECORDS)
    if name not in _RECORDS_FORMATS and (key in {name, "", "NAME"}):
        raise ReplayError(f"expected a format, one of {', '.join(FORMATS)}, got {name!r}: choose one of these")
    return lambda rows: {key: rows}


def body_of(form: Callable[[Rows], Any], rows: Rows) -> bytes:
    """The body of a request with these rows.

    Raises:
        BodyError: the format has no form for them.
    """
    return msgspec.json.encode(form(rows))

"""The call that collects data of another kind than a pandas DataFrame. Imports no library of data.

Types are recognized by their module and name, and by the methods of their class: an object's own attributes may be
costly to read, and a class may answer every name.
"""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from typing import Final

_CALLS: Final = {
    "polars.LazyFrame": "data.collect().to_pandas()",
    "polars.Series": "data.to_frame().to_pandas()",
    "pandas.Series": "data.to_frame()",
    "pandas.Index": "data.to_frame(index=False)",
    "pyarrow.Array": "data.to_pandas().to_frame()",
    "pyarrow.ChunkedArray": "data.to_pandas().to_frame()",
    "torch.Tensor": "pandas.DataFrame(data.detach().cpu().numpy())",
    "tensorflow.EagerTensor": "pandas.DataFrame(data.numpy())",
    "jaxlib.ArrayImpl": "pandas.DataFrame(numpy.asarray(data))",
    "dask.DataFrame": "data.compute()",
    "dask.Series": "data.compute().to_frame()",
    "dask_expr.DataFrame": "data.compute()",
    "dask_expr.Series": "data.compute().to_frame()",
    "modin.DataFrame": "data.modin.to_pandas()",
    "xarray.Dataset": "data.to_dataframe().reset_index()",
    "duckdb.DuckDBPyRelation": "data.df()",
}
"""By package and name of a class."""

_METHODS: Final = {
    "to_pandas": "data.to_pandas()",
    "toPandas": "data.toPandas()",
    "to_pandas_df": "data.to_pandas_df()",
}
"""By a method that many libraries have."""

_SPARSE: Final = frozenset({"tocsr", "todense"})


def advice(data: object) -> str | None:
    """What came and what to call, such as `got a dict: collect(pandas.DataFrame([data]))`; None without such a call."""
    kind = type(data)
    if inspect.iscoroutine(data):
        return "got a coroutine: await it first"
    call = _call(data, kind)
    return None if call is None else f"got {_name(kind)}: collect({call})"


def _call(data: object, kind: type) -> str | None:  # noqa: PLR0911 - one line per family of kinds reads best
    for base in kind.__mro__:
        if (call := _CALLS.get(_package_and_name(base))) is not None:
            return call
        if _package_and_name(base) == "numpy.ndarray":
            return _of_array(data)
    for method, call in _METHODS.items():
        if callable(getattr(kind, method, None)):
            return call
    if set(dir(kind)) >= _SPARSE:
        return "pandas.DataFrame.sparse.from_spmatrix(data)"
    if (record := _record(kind, "data")) is not None:
        return f"pandas.DataFrame([{record}])"
    if isinstance(data, dict):
        return "pandas.DataFrame(data)" if _is_table(data) else "pandas.DataFrame([data])"
    if isinstance(data, Mapping):
        return "pandas.DataFrame([dict(data)])"
    if isinstance(data, tuple) and hasattr(kind, "_fields"):
        return "pandas.DataFrame([data])"
    if isinstance(data, (list, tuple)):
        record = _record(type(data[0]), "item") if data else None
        return "pandas.DataFrame(data)" if record is None else f"pandas.DataFrame([{record} for item in data])"
    return None


def _of_array(data: object) -> str:
    dimensions = getattr(data, "ndim", 0)
    if dimensions == 0:
        return "pandas.DataFrame([data.item()])"
    return "pandas.DataFrame(data)" if dimensions <= 2 else 'pandas.DataFrame({"data": list(data)})'


def _record(kind: type, name: str) -> str | None:
    """A call that makes a dict of a model or dataclass."""
    if callable(getattr(kind, "model_dump", None)):
        return f"{name}.model_dump()"
    if any("__fields__" in vars(base) for base in kind.__mro__) and callable(getattr(kind, "dict", None)):
        return f"{name}.dict()"  # pydantic 1
    return f"dataclasses.asdict({name})" if dataclasses.is_dataclass(kind) else None


def _is_table(data: dict[object, object]) -> bool:
    """Whether a dict has a list of one length for every column."""
    columns = list(data.values())
    return all(isinstance(column, (list, tuple)) for column in columns) and len({len(c) for c in columns}) == 1  # type: ignore[arg-type]


def _package_and_name(kind: type) -> str:
    return f"{kind.__module__.partition('.')[0]}.{kind.__name__}"


def _name(kind: type) -> str:
    name = kind.__name__ if kind.__module__ in ("builtins", "__main__") else _package_and_name(kind)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"

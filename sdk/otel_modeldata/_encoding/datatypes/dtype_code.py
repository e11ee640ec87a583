"""The codes of the dtypes of NumPy and pandas."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from .quoting import other, quoted

if TYPE_CHECKING:
    from collections.abc import Callable

_MASKED: Final = tuple(
    getattr(pd, name)
    for name in (
        "BooleanDtype",
        *("Float32Dtype", "Float64Dtype"),
        *(f"{sign}{bits}Dtype" for sign in ("Int", "UInt") for bits in (8, 16, 32, 64)),
    )
)


_ZONE: Final = re.compile(r"UTC([+-]\d{2}:\d{2})|tzfile\('.*zoneinfo/(.*)'\)")
"""Python's name of a fixed offset, and dateutil's of a zone; the others have the names of the IANA."""


def dtype_code(dtype: Any) -> str:
    """The code of a dtype: of any but objects and categories, whose codes depend on their cells too."""
    if isinstance(dtype, np.dtype):
        return numpy_code(dtype)
    make = _CODES.get(type(dtype))
    return other(str(dtype)) if make is None else make(dtype)


def numpy_code(dtype: np.dtype[Any]) -> str:
    """The code of a NumPy dtype: its own, with the byte order only where it is not the machine's."""
    code = _NUMPY.get(dtype)
    if code is None:
        code = _NUMPY[dtype] = _numpy_code(dtype)
    return code


_NUMPY: Final[dict[np.dtype[Any], str]] = {}
"""The codes that were asked for; there are few."""


def _numpy_code(dtype: np.dtype[Any]) -> str:
    order = ">" if dtype.str[0] == ">" else ""
    if dtype.kind == "b":
        return "b"
    if dtype.kind in "iuf":
        return f"{order}{dtype.kind}{dtype.itemsize}"
    if dtype.kind in "Mm":
        return order + dtype.str[1:]
    return "O[mixed]" if dtype.kind == "O" else other(dtype.str)


def _text(dtype: Any) -> str:
    """`s` is the usual one of pandas 3; the others have pandas' own names."""
    storage = "python" if dtype.storage == "python" else "pyarrow"
    if dtype.storage == "pyarrow_numpy" or getattr(dtype, "na_value", pd.NA) is not pd.NA:
        return "s" if storage == "pyarrow" else "s[python]"
    return f"string[{storage}]"


def _zoned(dtype: Any) -> str:
    name = str(dtype.tz)
    found = _ZONE.fullmatch(name)
    return f"datetime64[{dtype.unit}, {quoted(found[found.lastindex or 0] if found else name)}]"


def _period(dtype: Any) -> str:
    return f"period[{quoted(str(dtype)[len('period[') : -1])}]"


def _interval(dtype: Any) -> str:
    return f"interval[{dtype_code(dtype.subtype)}, {dtype.closed}]"


def _sparse(dtype: Any) -> str:
    return f"Sparse[{dtype_code(dtype.subtype)}, {quoted(str(dtype.fill_value))}]"


def _arrow(dtype: Any) -> str:
    from .arrow_code import arrow_code  # noqa: PLC0415 - pyarrow is optional

    return f"arrow[{arrow_code(dtype.pyarrow_dtype)}]"


_CODES: Final[dict[type, Callable[[Any], str]]] = {
    **dict.fromkeys(_MASKED, str),
    pd.StringDtype: _text,
    pd.DatetimeTZDtype: _zoned,
    pd.PeriodDtype: _period,
    pd.IntervalDtype: _interval,
    pd.SparseDtype: _sparse,
    pd.ArrowDtype: _arrow,
}

"""From the line key `datatypes` to columns of exactly these types: Arrow, then pandas. Reads no files.

`grammar.py` takes the text apart, `arrow_types.py` finds the Arrow type of a code. `data_types.py` reads rows: by
pyarrow.json where it can read a type (`json_storage.py`), else cell by cell (`json_cells.py`). `pandas_columns.py`
makes columns of the dtypes that were collected; it imports pandas, which many readings do not need.
"""

from __future__ import annotations

from .data_types import DataTypes, RowsMismatchError, TooLargeError, parse
from .grammar import TypesError, family, merge

__all__ = ["DataTypes", "RowsMismatchError", "TooLargeError", "TypesError", "family", "merge", "parse"]

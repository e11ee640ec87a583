"""Rows as files: Parquet with exact types, CSV, and tables of Delta Lake.

```python
from otel_modeldata_reader.exporting import to_parquet

to_parquet(store.read("shop/blue/model_inputs", since="-7d"), "inputs.parquet")
```

Rows are written by batches, under another name first: a file under its own name is whole.
"""

from __future__ import annotations

from ..types.plain_values import json_rows
from .csv_rows import CsvRows, to_csv
from .delta import to_delta
from .exported import Exported, Rows
from .parquet import to_parquet

__all__ = ["CsvRows", "Exported", "Rows", "json_rows", "to_csv", "to_delta", "to_parquet"]

"""Joins of inputs, outputs and labels by row id: functions of Arrow tables, without input or output.

```python
joined = join(inputs, outputs, labels)
joined.table   # one row per scored row
joined.report  # what has no partner, which ids repeat, how much of each day is joined and labeled
```

Theory of operation. A row id is `{correlation id}_{n}`, as Azure's consumer makes it, so rows of a request join by it.
It is text, and nothing keeps two requests from having the same correlation id. Azure's joiner then multiplies rows: two
requests with two outputs become four rows. Here a row is joined to one row at most. `row_keys.py` finds the ids that
repeat, and `repeated_ids.py` joins their requests only where traces, or times and order, leave one possibility.
"""

from __future__ import annotations

from .columns import ENVELOPE, Renamed
from .join import Joined, join
from .join_report import DayCoverage, JoinReport, RepeatedId
from .label_rows import LABEL_ROW_ID, LABEL_TIME, LabelCounts

__all__ = [
    "ENVELOPE",
    "LABEL_ROW_ID",
    "LABEL_TIME",
    "DayCoverage",
    "JoinReport",
    "Joined",
    "LabelCounts",
    "Renamed",
    "RepeatedId",
    "join",
]

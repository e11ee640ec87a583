"""Replays: recorded requests to another endpoint, and its answers compared with the recorded outputs.

```python
from otel_modeldata_reader.replaying import Recording, Tolerance, target_of

recording = Recording(deployment="shop/blue", since="-1d", by="country")
replayed = store.replay(recording).send(target_of("http://localhost:5001/score"), "green", tolerance=Tolerance())
replayed.comparison.rows
```

Theory of operation. `recorded_requests.py` reads requests from lines, and `body_formats.py` makes bodies of their rows,
with the text that each value has in the line. `sending.py` sends them and keeps the answers in `journal.py`. A request
that was sent when the process was killed is sent again, but has one answer in the journal. Afterwards `matching.py`
finds the recorded outputs of each request, `answer_rows.py` makes rows of both, and `comparison.py` compares them.
"""

from __future__ import annotations

from .body_formats import DEFAULT_FORMAT, FORMATS
from .comparison import Comparison, RowCounts, SliceResult
from .quantile_sketch import Quantiles
from .recorded_requests import RecordedRequest
from .replay import Recording, Replay, Replayed, ReplayPreview
from .sending import Pace, Progress
from .target import Target, target_of
from .value_differences import ColumnResult, Tolerance

__all__ = [
    "DEFAULT_FORMAT",
    "FORMATS",
    "ColumnResult",
    "Comparison",
    "Pace",
    "Progress",
    "Quantiles",
    "RecordedRequest",
    "Recording",
    "Replay",
    "ReplayPreview",
    "Replayed",
    "RowCounts",
    "SliceResult",
    "Target",
    "Tolerance",
    "target_of",
]

"""Reads what was collected: frames with the types that went in, from a folder or a container.

```python
import otel_modeldata_reader as reader

store = reader.open("az://modeldata/prod")
inputs = store.read("shop/blue/model_inputs", since="-7d").to_pandas()
```

Needs the extra `read`: `pip install 'otel-modeldata[read]'`. A store in Azure needs the extra `receiver`, too.
"""

from __future__ import annotations

from .collection import Collection
from .compacting.compacted_folder import CompactedFolder
from .diagnosis import Diagnosis, Finding
from .diagnosis.why import why
from .exceptions import (
    DamagedLineError,
    ExportError,
    ReaderError,
    StoreBusyError,
    StoreUnavailableError,
    UnknownNameError,
    WindowError,
)
from .following.new_rows import NewRows
from .found_id import FoundEvent, FoundId
from .reading import Reading
from .report import Place, ReadReport, SealCounts, TypeChange
from .sealing.folder_seal import FolderSeal
from .spans import Span
from .store import Store
from .store import open_store as open  # noqa: A004 - `reader.open`, as `gzip.open`

__all__ = [
    "Collection",
    "CompactedFolder",
    "DamagedLineError",
    "Diagnosis",
    "ExportError",
    "Finding",
    "FolderSeal",
    "FoundEvent",
    "FoundId",
    "NewRows",
    "Place",
    "ReadReport",
    "ReaderError",
    "Reading",
    "SealCounts",
    "Span",
    "Store",
    "StoreBusyError",
    "StoreUnavailableError",
    "TypeChange",
    "UnknownNameError",
    "WindowError",
    "open",
    "why",
]

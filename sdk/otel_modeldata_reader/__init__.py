"""Reads what was collected: frames with the types that went in, from a folder or a container.

```python
import otel_modeldata_reader as reader

store = reader.open("az://modeldata/prod")
inputs = store.read("shop/blue/model_inputs", since="-7d").to_pandas()
```

Needs the extra `read`: `pip install 'otel-modeldata[read]'`. A store in Azure needs the extra `receiver`, too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
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

if not TYPE_CHECKING:  # else every name would be one of this module
    _MODULES = {
        "Collection": "collection",
        "CompactedFolder": "compacting.compacted_folder",
        "DamagedLineError": "exceptions",
        "Diagnosis": "diagnosis",
        "ExportError": "exceptions",
        "Finding": "diagnosis",
        "FolderSeal": "sealing.folder_seal",
        "FoundEvent": "found_id",
        "FoundId": "found_id",
        "NewRows": "following.new_rows",
        "Place": "report",
        "ReadReport": "report",
        "ReaderError": "exceptions",
        "Reading": "reading",
        "SealCounts": "report",
        "Span": "spans",
        "Store": "store",
        "StoreBusyError": "exceptions",
        "StoreUnavailableError": "exceptions",
        "TypeChange": "report",
        "UnknownNameError": "exceptions",
        "WindowError": "exceptions",
        "open": "store",
        "why": "diagnosis.why",
    }
    """The module of each name."""

    def __getattr__(name):
        """Import what is used: the help of a command needs single modules."""
        from importlib import import_module  # noqa: PLC0415 (only here)

        if name in _MODULES:
            module = import_module(f".{_MODULES[name]}", __name__)
            return getattr(module, "open_store" if name == "open" else name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__():
        return sorted({*globals(), *__all__})

"""Every error of the reader.

```
ReaderError                     also a ValueError
├── StoreUnavailableError       the store is missing, cannot be reached, or may not be read
│   ├── RemovedError            what was listed is gone when it is read: run it again
│   └── StoreBusyError          another command is changing the store
├── UnknownNameError            no such collection, column or id in the store; the message has the nearest ones
├── WindowError                 `since` and `until` are no times, or are reversed
├── ExportError                 a file that cannot be written, or that is there already
├── LabelError                  labels are none, or are not in the store
├── ReplayError                 a replay that cannot begin, or not go on
│   └── TargetUnavailableError  its target does not answer
└── DamagedLineError            only with `strict=True`: what is otherwise counted in the report
```
"""

from __future__ import annotations

__all__ = [
    "DamagedLineError",
    "ExportError",
    "LabelError",
    "ReaderError",
    "RemovedError",
    "ReplayError",
    "StoreBusyError",
    "StoreUnavailableError",
    "TargetUnavailableError",
    "UnknownNameError",
    "WindowError",
]


class ReaderError(ValueError):
    """Base class of all errors of this package; its text is one sentence."""


class StoreUnavailableError(ReaderError):
    """The store is missing, cannot be reached, or may not be read."""


class RemovedError(StoreUnavailableError):
    """What the store has listed is not there when it is read: a receiver or a command has removed it in between."""


class StoreBusyError(StoreUnavailableError):
    """Another command changes what the store has already, or the right to change it has ended meanwhile."""


class UnknownNameError(ReaderError):
    """The store has no such collection, column or id."""


class WindowError(ReaderError):
    """`since` or `until` is no time, or `until` is before `since`."""


class DamagedLineError(ReaderError):
    """A line that cannot be read whole, or whose columns changed their types; raised only with `strict=True`."""


class LabelError(ReaderError):
    """Labels that cannot be written, or that the store did not take."""


class ExportError(ReaderError):
    """Rows that cannot be written to a file."""


class ReplayError(ReaderError):
    """A replay cannot begin, or not go on."""


class TargetUnavailableError(ReplayError):
    """The target of a replay does not answer."""

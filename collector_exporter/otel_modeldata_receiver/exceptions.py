"""Every error the receiver raises on purpose.

```
ReceiverError
├── ConfigError           the command line or the configuration file is wrong; the process exits with code 2
├── BadRecordError        one record cannot become a line; it goes to quarantine, its neighbours are stored
├── UndecodableError      the request is not an OTLP message; its bytes go to quarantine, the call is refused
├── OverloadedError       more bytes in flight than allowed; the client is asked to come back
├── ShuttingDownError     the receiver is stopping; the client is asked to come back
└── StoreError            the store cannot make lines durable now; nothing was acknowledged, the client retries
    └── StoreCheckError   the store cannot be used at all (missing container, no permission); startup exits with code 3
```
"""

from __future__ import annotations


class ReceiverError(Exception):
    """Root of the tree above."""


class ConfigError(ReceiverError):
    """The command line or the configuration file is wrong."""


class BadRecordError(ReceiverError):
    """One record cannot become a line; the message is the reason kept in quarantine."""


class UndecodableError(ReceiverError):
    """The request is not an OTLP message."""


class OverloadedError(ReceiverError):
    """More bytes are in flight than the receiver admits."""


class ShuttingDownError(ReceiverError):
    """The receiver is stopping and takes no new work."""


class StoreError(ReceiverError):
    """The store cannot make lines durable now."""


class StoreCheckError(StoreError):
    """The store cannot be used at all, whatever is written to it."""

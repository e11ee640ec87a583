"""Every error the receiver raises on purpose.

```
ReceiverError
├── ConfigError           the command line or a configuration file is wrong; the process exits with code 2
│   └── MissingVariableError  an environment variable is missing, which another process may have
├── ListenError           the address cannot be listened on; startup exits with code 3
├── BadRecordError        one record cannot become a line; it goes to quarantine, its neighbours are stored
├── UndecodableError      the request is not an OTLP message; its bytes go to quarantine, the call is refused
├── TooLargeError         the request is above the limit, decompressed; refused for good, nothing of it is kept
├── ForbiddenError        a certificate does not cover a deployment in the request; refused for good, nothing is kept
├── UnsupportedError      an HTTP body of another type, or packed in another way; refused for good, not read
├── NoRequestError        a call ended without a request: it was too large for gRPC, or its sender went away
├── SlowSenderError       the request did not arrive in time; the client is asked to come back
├── OverloadedError       more bytes in flight than allowed; the client is asked to come back
├── AssetError            a data asset is not registered yet; it is tried again, lines do not wait for it
├── ShuttingDownError     the receiver is stopping; the client is asked to come back
└── StoreError            the store cannot make lines durable now; nothing was acknowledged, the client retries
    ├── StoreCheckError   the store cannot be used at all (missing container, no permission); startup exits with code 3
    └── DatastoreError    the same of a datastore that a deployment file names; the others go on, the receiver is ready
        └── DatastoreCheckError  ...which cannot be used at all; a StoreCheckError as well
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata import exceptions as sdk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata.problems import Problem


class ReceiverError(Exception):
    """Root of the tree above."""


class ConfigError(ReceiverError, sdk.ConfigError):
    """The command line or a configuration file is wrong; its text has one line for each problem.

    The SDK's error with the same `problems`, which the command line reports as it reports every `ReceiverError`.
    """

    @staticmethod
    def _text(problems: Iterable[Problem]) -> str:
        return "\n".join(map(str, problems))


class MissingVariableError(ConfigError):
    """An environment variable is missing, which another process may have."""


class ListenError(ReceiverError):
    """The address cannot be listened on."""


class BadRecordError(ReceiverError):
    """One record cannot become a line; the message is the reason kept in quarantine."""


class UndecodableError(ReceiverError):
    """The request is not an OTLP message."""


class TooLargeError(ReceiverError):
    """The request is larger than the receiver takes, after decompression."""


class ForbiddenError(ReceiverError):
    """The sender's certificate does not cover what it sends."""


class UnsupportedError(ReceiverError):
    """An HTTP body that no route can read."""


class NoRequestError(ReceiverError):
    """A call ended before its request was received."""


class SlowSenderError(ReceiverError):
    """The request did not arrive in the time that a sender has."""


class OverloadedError(ReceiverError):
    """More is in flight than the receiver admits."""


class ShuttingDownError(ReceiverError):
    """The receiver is stopping and takes no new work."""


class AssetError(ReceiverError):
    """A data asset is not known to be registered."""


class StoreError(ReceiverError):
    """The store cannot make lines durable now."""


class StoreCheckError(StoreError):
    """The store cannot be used at all, whatever is written to it."""


class DatastoreError(StoreError):
    """One of the datastores beside the receiver's own store cannot make lines durable now."""


class DatastoreCheckError(DatastoreError, StoreCheckError):
    """One of the datastores beside the receiver's own store cannot be used at all."""

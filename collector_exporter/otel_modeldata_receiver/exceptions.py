"""Every error the receiver raises on purpose.

```
ReceiverError
├── ConfigError           the command line or a configuration file is wrong; the process exits with code 2
│   └── MissingVariableError  an environment variable is missing, which another process may have
├── ListenError           the address cannot be listened on; startup exits with code 3
├── BadRecordError        one record cannot become a line; it is quarantined, the other records are stored
├── UndecodableError      the request is not an OTLP message; its bytes are quarantined, the call is refused
├── TooLargeError         the request is above the limit, decompressed; refused permanently, nothing of it is kept
├── ForbiddenError        a certificate does not cover a deployment in the request; refused permanently, nothing is kept
├── UnsupportedError      an HTTP body of another type, or compressed in another way; refused permanently, not read
├── NoRequestError        a call ended without a request: it was too large for gRPC, or its sender went away
├── SlowSenderError       the request did not arrive in time; the client is asked to retry
├── OverloadedError       more bytes in flight than allowed; the client is asked to retry
├── InternalError         a bug; the client is asked to retry
├── AssetError            a data asset is not registered yet; the registration is retried, lines do not wait for it
├── ShuttingDownError     the receiver is stopping; the client is asked to retry
└── StoreError            the store cannot make lines durable now; nothing was acknowledged, the client retries
    ├── RemovedError      what was listed is gone when it is read
    ├── StoreCheckError   the store cannot be used at all (missing container, no permission); startup exits with code 3
    ├── PlaceError        neither the place of one tenant nor its parked blobs take lines, though the store works
    └── DatastoreError    a datastore of a deployment file cannot make lines durable now; they are parked
        └── DatastoreCheckError  a datastore cannot be used at all; also a StoreCheckError
```
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from otel_modeldata import exceptions as sdk

if TYPE_CHECKING:
    from collections.abc import Iterable

    from otel_modeldata.validation.problems import Problem


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
    """An environment variable is missing here, but may be set for another process."""


class ListenError(ReceiverError):
    """The address cannot be listened on."""


class BadRecordError(ReceiverError):
    """One record cannot become a line; the message is the reason kept in quarantine."""


class UndecodableError(ReceiverError):
    """The request is not an OTLP message."""


class TooLargeError(ReceiverError):
    """The request is larger than the limit, after decompression."""


class ForbiddenError(ReceiverError):
    """The sender's certificate does not cover a deployment in its request."""


class UnsupportedError(ReceiverError):
    """An HTTP body that no route can read."""


class NoRequestError(ReceiverError):
    """A call ended before its request was received."""


class SlowSenderError(ReceiverError):
    """The request did not arrive within the time that a sender has."""


class OverloadedError(ReceiverError):
    """More is in flight than the receiver admits."""


class InternalError(ReceiverError):
    """An unexpected error, which is in the log of the receiver with its traceback."""


class ShuttingDownError(ReceiverError):
    """The receiver is stopping and accepts no new work."""


class AssetError(ReceiverError):
    """A data asset is not known to be registered."""


class StoreError(ReceiverError):
    """The store cannot make lines durable now."""

    def copy(self) -> StoreError:
        """Another exception object of the same type, text and attributes.

        Every caller gets its own object, because an exception collects a traceback wherever it is raised. The
        constructor is not called: a subclass may take other arguments than `args`.
        """
        copy = type(self).__new__(type(self))
        copy.args = self.args
        vars(copy).update(vars(self))
        return copy


class RemovedError(StoreError):
    """What was listed is not there when it is read: a receiver or a command has removed it in between."""


class StoreCheckError(StoreError):
    """The store cannot be used at all; no write can succeed."""


class PlaceError(StoreError):
    """Neither the place of one tenant nor its parked blobs take lines, though the store works for others."""


class DatastoreError(StoreError):
    """A datastore other than the receiver's own store cannot make lines durable now.

    Args:
        datastore: its name, as the deployment file has it.
        reason: the message of the store's own error.
    """

    def __init__(self, datastore: str, reason: str) -> None:
        super().__init__(datastore, reason)
        self.datastore = datastore
        self.reason = reason

    def __str__(self) -> str:
        return f"datastore {self.datastore!r}: {self.reason}"


class DatastoreCheckError(DatastoreError, StoreCheckError):
    """A datastore other than the receiver's own store cannot be used at all."""

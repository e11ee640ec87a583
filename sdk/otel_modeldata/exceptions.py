"""Every error of the SDK.

```
ModelDataError
├── ConfigError                 the configuration is wrong; raised in `init()`, and by `collect` of a loaded copy
├── CollectError                known when `collect` is called: raised there, or passed to `on_error`
│   ├── CollectionNameError     no name, or one that cannot become a folder
│   ├── NotEnabledError         the configuration does not switch this collection on
│   ├── UnsupportedDataError    not a pandas DataFrame (also a TypeError)
│   ├── UnsupportedValueError   a cell or column name that JSON cannot carry (also a TypeError)
│   ├── ContextError            not a correlation context (also a TypeError)
│   ├── RecordTooLargeError     one frame that is too large to send
│   ├── QueueFullError          delivery is slower than `collect`, and the limit of the queue is reached
│   ├── SpoolError              the folder of the spool cannot be written to
│   └── ShutDownError           `shutdown` was called before
├── DeliveryError               known only later: passed to `on_error` by a delivery thread
└── CredentialsError            the same, but nothing is lost yet: the endpoint does not accept the credentials
```

Where azureml-ai-monitoring has a text for a refusal, the text here is the same, because programs match on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .validation.frame_advice import advice
from .validation.problems import Problem, sentence

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = [
    "CollectError",
    "CollectionNameError",
    "ConfigError",
    "ContextError",
    "CredentialsError",
    "DeliveryError",
    "ModelDataError",
    "NotEnabledError",
    "QueueFullError",
    "RecordTooLargeError",
    "ShutDownError",
    "SpoolError",
    "UnsupportedDataError",
    "UnsupportedValueError",
]


class ModelDataError(Exception):
    """Base class of all errors of this package."""


class ConfigError(ModelDataError):
    """The configuration is wrong; the message lists every problem.

    Args:
        problems: every problem; a text is a problem without a path.

    Attributes:
        problems: every problem, with its path.
    """

    def __init__(self, *problems: Problem | str) -> None:
        self.problems = tuple(one if isinstance(one, Problem) else Problem("", one) for one in problems)
        super().__init__(self._text(self.problems))

    @staticmethod
    def _text(problems: Iterable[Problem]) -> str:
        return sentence(problems)


class CollectError(ModelDataError):
    """Base class of the errors that `collect` raises or passes to `on_error`."""


class CollectionNameError(CollectError):
    """No collection name, or one that cannot become a folder."""


class NotEnabledError(CollectError):
    """The configuration does not switch this collection on."""


class UnsupportedDataError(CollectError, TypeError):
    """Not a pandas DataFrame; the message names the call that makes one, if there is one."""

    def __init__(self, data: object) -> None:
        text = f"data type ({type(data).__name__}) not supported, supported types: pandas.DataFrame"
        call = advice(data)
        super().__init__(text if call is None else f"{text}; {call}")


class UnsupportedValueError(CollectError, TypeError):
    """A cell or column name that JSON cannot carry."""


class ContextError(CollectError, TypeError):
    """Not a correlation context."""


class RecordTooLargeError(CollectError):
    """A frame that is too large to send."""

    def __init__(self, size: int, limit: int) -> None:
        self.size = size
        self.limit = limit
        super().__init__(f"the frame takes {size} bytes, at most {limit} can be sent in one event: collect it in parts")


class QueueFullError(CollectError):
    """Delivery is slower than `collect`, and the limit of the queue is reached."""

    def __init__(self) -> None:
        super().__init__("Too many requests lead to message queue is full, please reduce the number of requests.")


class SpoolError(CollectError):
    """The folder of the spool cannot be written to, so a record accepted now would not survive the process."""

    def __init__(self, folder: object, error: OSError) -> None:
        super().__init__(
            f"expected to write to the spool in {folder}, got {error}: free the disk or fix its permissions"
        )


class ShutDownError(CollectError):
    """`shutdown` was called before."""

    def __init__(self) -> None:
        super().__init__("queue closed")
        # Not in the text, which programs match on; tracebacks and notebooks show notes from Python 3.11 on.
        cure = "call flush() where collecting goes on, and restart the process or the kernel to collect again"
        self.__notes__ = [f"shutdown() ended delivery in this process: {cure}"]


class DeliveryError(ModelDataError):
    """Events that were accepted are lost.

    Attributes:
        reason: why, as in `DeliveryReport.lost`.
        event_ids: the `id` of each event that is or may be lost.
        count: how many of them are lost; fewer than `event_ids` when the endpoint rejected some without naming them.
    """

    def __init__(self, reason: str, detail: str, event_ids: tuple[str, ...], count: int) -> None:
        self.reason = reason
        self.event_ids = event_ids
        self.count = count
        super().__init__(f"{count} event(s) lost, {reason}: {detail}")


class CredentialsError(ModelDataError):
    """TLS fails, or the endpoint refuses the token: events wait, and are sent when the credentials are accepted.

    Attributes:
        code: the gRPC status, `UNAVAILABLE` for a failure of TLS.
    """

    def __init__(self, code: str, detail: str) -> None:
        self.code = code
        super().__init__(
            f"expected the endpoint to accept the certificates, headers and token of this process, got {code}: "
            f"{detail}; events wait: renew the files, which are read again, or correct the endpoint"
        )

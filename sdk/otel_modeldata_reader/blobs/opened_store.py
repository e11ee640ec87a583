"""An open store, and the thread in which its asynchronous calls run."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Final, TypeVar

from ..exceptions import StoreUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from concurrent.futures import Future

    from otel_modeldata_receiver.config.store_access import AccessConfig
    from otel_modeldata_receiver.storage.locking.store_lock import LockableStore

__all__ = ["OpenedStore", "in_one_sentence"]

_T = TypeVar("_T")
_RETRY_SECONDS: Final = 10.0
"""How long a request to a distant store is retried; what a folder of this machine refuses, it refuses again."""
_CLOSE_SECONDS: Final = 5.0
"""How long closing waits for requests that are under way."""


class OpenedStore:
    """An open store and the event loop of its calls, whose thread starts with the first one.

    Args:
        url: as `open_store` of the receiver takes it.
        access: how an account in Azure is opened.

    Attributes:
        pid: of the process that opened it; a child does not have its thread.

    Raises:
        StoreUnavailableError: the URL names no store, or its credentials cannot be used.
    """

    def __init__(self, url: str, access: AccessConfig | None) -> None:
        import asyncio  # noqa: PLC0415 (slow to import)

        from otel_modeldata_receiver.config.store_url import is_azure, meant_store  # noqa: PLC0415 (see above)
        from otel_modeldata_receiver.exceptions import ReceiverError  # noqa: PLC0415 (see above)
        from otel_modeldata_receiver.retry import retry_for  # noqa: PLC0415 (see above)
        from otel_modeldata_receiver.storage.open_store import open_store  # noqa: PLC0415 (see above)

        self.pid = os.getpid()
        self._retry_for = retry_for
        self._start_on = asyncio.run_coroutine_threadsafe
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="modeldata-reader", daemon=True)
        try:
            self._retry_seconds = _RETRY_SECONDS if is_azure(meant_store(url)) else 0.0
            self._store = open_store(url, access=access)
        except (ReceiverError, UnicodeError) as error:  # as below
            self._loop.close()
            raise StoreUnavailableError(in_one_sentence(error)) from None

    def start(self, call: Callable[[LockableStore], Coroutine[Any, Any, _T]]) -> Future[_T]:
        """Begin a call; a distant store is asked again for some seconds."""
        if not self._thread.is_alive():
            self._thread.start()
        attempts = self._retry_for(lambda: call(self._store), self._retry_seconds)
        return self._start_on(attempts, self._loop)

    def url(self, name: str) -> str:
        """See `Store.url`."""
        return self._store.url(name)

    def _run(self) -> None:
        self._loop.run_forever()
        self._loop.close()

    def close(self) -> None:
        """End the thread after what is under way."""
        if self.pid != os.getpid():
            return
        if not self._thread.is_alive():
            self._loop.close()
            return
        closed = self._start_on(self._store.close(), self._loop)
        closed.add_done_callback(lambda _: self._loop.call_soon_threadsafe(self._loop.stop))
        if threading.current_thread() is not self._thread:  # where the garbage collector may run, too
            self._thread.join(_CLOSE_SECONDS)


def in_one_sentence(error: Exception) -> str:
    """The message of an error without line breaks."""
    return "; ".join(str(error).splitlines())

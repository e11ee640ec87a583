"""`OTEL_MODELDATA_STORE`: the receiver's own sink behind the SDK of the same process, without a server.

Theory of operation. The SDK's delivery thread hands over the encoded requests that it would send to an endpoint, one
after the other; an event loop in a thread of its own makes their lines durable through the same service and sink as
`otel-modeldata receive`, and the answer is the same: delivered means in the blob. So a notebook's running event loop
does not matter, and a store that is away is an endpoint that is away: the SDK's queue waits.

Each process, each forked child too, writes blobs of its own under a fresh instance id: processes may share a store
without knowing of each other, and their number is the number of blobs per collection and hour. That also means that
nobody continues a blob: what a killed process had stored without hearing of it, the next one with the same spool stores
again, under the same event ids.

The deployment YAML that the SDK reads (`OTEL_MODELDATA_CONFIG`) counts here as if it were given to the receiver: its
rolling rate, destinations and assets. What a receiver's configuration says beside that (datastores, how a store is
opened) may stand in the file that `OTEL_MODELDATA_STORE_CONFIG` names.

Nothing here may outlive the interpreter or start at its end: the threads are daemons, and all of them run before the
first request is answered.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import threading
import uuid
import weakref
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from otel_modeldata.config import CONFIG_VARIABLE, read_deployment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.problems import Problem
from otel_modeldata.transport import Delivered, Refused, Retry

from ..config import receiver as configuration
from ..daemon_executor import DaemonExecutor
from ..deployments.outputs import Output
from ..exceptions import ReceiverError
from ..ingest.pipeline import LogsService
from .grpc_status import RETRY_SECONDS, refusal_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from otel_modeldata.transport import Answer

__all__ = ["StoreTransport"]

_T = TypeVar("_T")

CONFIG_FILE_VARIABLE: Final = "OTEL_MODELDATA_STORE_CONFIG"
_ORIGIN: Final = "OTEL_MODELDATA_STORE"
_LOOP_THREADS: Final = 2
"""For name resolution, the only thing that the loop itself gives to threads."""
_CLOSE_SECONDS: Final = 5.0
"""How long a close waits for a write that has begun, and for data assets on their way."""
_FORK_WAITS_SECONDS: Final = 1.0
"""How long a fork waits for the request under way: its child must not inherit a lock that a thread here holds."""


class StoreTransport:
    """An `otel_modeldata.transport.Transport` into a store.

    Args:
        url: as for `otel-modeldata receive --store`.
        instance: 32 hex digits for the names of the blobs; new ones by default.

    Raises:
        ConfigError: the URL means no store.
    """

    def __init__(self, url: str, instance: str | None = None) -> None:
        config = _config(url, instance)
        self._inside = threading.Lock()
        """Held while a request is under way, and by a fork."""
        self._is_held_for_fork = False
        self._is_closed = False
        self._trial: concurrent.futures.Future[bytes] | None = None
        self._loop = asyncio.new_event_loop()
        self._loop.set_default_executor(DaemonExecutor(_LOOP_THREADS, "otel-modeldata-loop"))
        self._thread = threading.Thread(target=self._loop.run_forever, name="otel-modeldata-store", daemon=True)
        self._thread.start()
        try:
            self._output = self._run(_open(config))
        except ReceiverError as error:
            self._end_loop()
            raise _refused(error) from None
        self._service = LogsService(
            self._output.sink, config, destinations=self._output.destinations, on_stored=self._output.stored
        )
        _transports.add(self)

    @staticmethod
    def check(url: str) -> None:
        """Write to the store once, and leave nothing running.

        Raises:
            ConfigError: it cannot be written; the sentence says why.
        """
        config = _config(url)
        try:
            with ThreadPoolExecutor(1) as thread:  # this one may be inside a loop, as in a notebook
                thread.submit(asyncio.run, _check(config)).result()
        except ReceiverError as error:
            raise _refused(error) from None

    def send(self, request: bytes) -> Answer:
        """Return when every line of the request is durable, or when it is known that they are not yet."""
        with self._inside:
            if self._is_closed:
                return _CLOSED
            self._trial = asyncio.run_coroutine_threadsafe(self._service.accept(request), self._loop)
            if self._is_closed:  # meanwhile: its `close` saw no trial
                self._trial.cancel()
            return _answer(self._trial)

    def close(self) -> None:
        """Release the store; a request under way ends at once, though its lines may still be stored."""
        if self._is_closed:
            return
        self._is_closed = True
        _transports.discard(self)
        if self._trial is not None:
            self._trial.cancel()
        with contextlib.suppress(concurrent.futures.TimeoutError):
            self._run(self._release(), _CLOSE_SECONDS)
        self._end_loop()

    async def _release(self) -> None:
        self._service.stop()
        await self._output.close()
        await self._service.drain()

    def _run(self, work: Coroutine[object, object, _T], timeout: float | None = None) -> _T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(timeout)

    def _end_loop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_CLOSE_SECONDS)
        if not self._thread.is_alive():
            self._loop.close()

    def hold_for_fork(self) -> None:
        """Return when no request is under way, and let none begin."""
        self._is_held_for_fork = self._inside.acquire(timeout=_FORK_WAITS_SECONDS)

    def go_on_after_fork(self) -> None:
        """Let the parent's requests go on."""
        if self._is_held_for_fork:
            self._inside.release()


_CLOSED: Final = Retry("CANCELLED", "the store is closed")


def _answer(trial: concurrent.futures.Future[bytes]) -> Answer:
    try:
        answer = trial.result()
    except concurrent.futures.CancelledError:
        return _CLOSED
    except (ReceiverError, TimeoutError) as error:
        refusal = refusal_of(error)
        if refusal.trailers:
            return Retry(refusal.code.name, refusal.message, float(RETRY_SECONDS))
        return Refused(refusal.code.name, refusal.message)
    partial = ExportLogsServiceResponse.FromString(answer).partial_success
    return Delivered(partial.rejected_log_records, partial.error_message)


def _config(url: str, instance: str | None = None) -> configuration.ReceiverConfig:
    settings: dict[str, object] = {"store": url, "instance_id": instance or uuid.uuid4().hex}
    if (deployment := os.environ.get(CONFIG_VARIABLE)) and _is_named(Path(deployment)):
        settings["deployments"] = [deployment]
    file = os.environ.get(CONFIG_FILE_VARIABLE)
    try:
        return configuration.load(Path(file) if file else None, settings)
    except ReceiverError as error:
        raise _refused(error) from None


def _refused(error: ReceiverError) -> ConfigError:
    """The error for the SDK, which names the variable that the settings come from."""
    problems = error.problems if isinstance(error, ConfigError) else (error,)
    return ConfigError(*(Problem("", str(problem), _ORIGIN) for problem in problems))


def _is_named(deployment: Path) -> bool:
    """Whether a deployment YAML says whose it is; without it says nothing about destinations."""
    config = read_deployment(deployment)
    return config.endpoint is not None and config.deployment is not None


async def _open(config: configuration.ReceiverConfig) -> Output:
    """On the loop, where clients of stores belong."""
    return Output(config)


async def _check(config: configuration.ReceiverConfig) -> None:
    output = await _open(config)
    try:
        await output.sink.check()
    finally:
        await output.close()


_transports: weakref.WeakSet[StoreTransport] = weakref.WeakSet()


def _before_fork() -> None:
    for transport in list(_transports):
        transport.hold_for_fork()


def _after_fork_in_parent() -> None:
    for transport in list(_transports):
        transport.go_on_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_transports.clear)

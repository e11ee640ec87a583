"""`OTEL_MODELDATA_STORE`: the SDK writes to a store through the receiver's own sink, in its own process.

Theory of operation. The SDK's delivery thread passes the encoded requests that it would send to an endpoint, one after
the other; an event loop in a separate thread makes their lines durable through the same pipeline and sink as
`otel-modeldata receive`, with the same answers: delivered means in the blob. So the event loop of a notebook does not
interfere, and a store that is down is like an endpoint that is down: the events wait in the SDK's queue.

Each process, each forked child too, writes its own blobs under a new instance id: processes may share a store without
any coordination, and their number is the number of blobs per collection and hour. That also means that no process
continues the blob of another one: if a process is killed before it received the store's confirmation, the next process
with the same spool stores those events again, under the same event ids.

The deployment YAML that the SDK reads (`OTEL_MODELDATA_CONFIG`) is used as in a receiver: its rolling rate,
destinations and assets. Other settings of a receiver (datastores, how a store is opened) may be in the file that
`OTEL_MODELDATA_STORE_CONFIG` names.

Nothing here may outlive the interpreter, so the threads are daemons. Python 3.12 starts no thread from the moment it
begins to exit, so all start when the store is opened; if that is too late, a request is stored in the thread that sends
it (`loop_thread.py`).
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import uuid
from _thread import RLock  # the one of `threading` may be replaced by gevent's
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata.config import CONFIG_VARIABLE, read_deployment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.transport import Delivered, OpenTransports, Refused, Retry
from otel_modeldata.validation.folder_access import obstacle
from otel_modeldata.validation.path_text import read_path
from otel_modeldata.validation.problems import Problem

from .. import telemetry
from ..config import receiver as configuration
from ..config.store_url import is_azure, meant_store
from ..daemon_executor import DaemonExecutor, result_of
from ..deployments.outputs import Output
from ..exceptions import ReceiverError
from ..ingest.pipeline import Pipeline
from ..ingest.request_info import RequestInfo
from ..loop_thread import LoopThread
from ..mapping.signal import LOGS
from ..otlp_messages import ExportLogsServiceResponse
from .grpc_status import RETRY_SECONDS, refusal_of

if TYPE_CHECKING:
    from collections.abc import Coroutine

    from otel_modeldata.transport import Answer

__all__ = ["StoreTransport"]

CONFIG_FILE_VARIABLE: Final = "OTEL_MODELDATA_STORE_CONFIG"
_ORIGIN: Final = "OTEL_MODELDATA_STORE"
_REQUEST_INFO: Final = RequestInfo(signal=LOGS, transport="in_process")
_CLOSE_SECONDS: Final = 5.0
"""How long a close waits for a write in progress, and for data assets that are being written."""
_TROUBLE_SECONDS: Final = 0.5
"""How long a close waits for the reason of a write in progress."""
_FORK_WAITS_SECONDS: Final = 1.0
"""How long a fork waits for the request in progress, so that the child inherits no lock held by a thread here."""


class StoreTransport:
    """An `otel_modeldata.transport.Transport` into a store.

    Args:
        url: as for `otel-modeldata receive --store`.
        instance: 32 hex digits for the names of the blobs; new ones by default.

    Raises:
        ConfigError: the URL is not the URL of a store.
    """

    def __init__(self, url: str, instance: str | None = None) -> None:
        config = _config(url, instance)
        self._inside = RLock()
        """Held while a request is in progress, and by a fork."""
        self._is_closed = False
        self._closed_answer: Answer = _CLOSED
        self._attempt: concurrent.futures.Future[bytes] | None = None
        self._loop = LoopThread("otel-modeldata-store")
        instruments = telemetry.instruments()
        try:
            self._output = self._loop.run(_open(config, instruments))
        except ReceiverError as error:
            self._loop.close(_CLOSE_SECONDS)
            raise _refused(error) from None
        self._pipeline = Pipeline(
            self._output.sink,
            config,
            instruments,
            destinations=self._output.destinations,
            on_stored=self._output.stored,
        )
        _transports.add(self)

    @staticmethod
    def check(url: str) -> None:
        """Write to the store once, then stop everything again.

        Raises:
            ConfigError: it cannot be written; the message gives the reason.
        """
        config = _config(url)
        try:
            _run_elsewhere(_check(config))
        except ReceiverError as error:
            raise _refused(error) from None

    @staticmethod
    def validate(url: str) -> None:
        """Check the URL and the settings of the store, without contacting it.

        Raises:
            ConfigError: they cannot be used; the message gives the reason.
        """
        config = _config(url)
        try:
            _run_elsewhere(_check(config, is_contacted=False))
            folder = None if config.store.startswith("azureml:") else meant_store(config.store)
            if folder and not is_azure(folder) and (wrong := obstacle(Path(folder).absolute())):
                message = f"expected to write into {folder!r}, got {wrong}: correct it or choose another"
                raise ConfigError(Problem("", message, _ORIGIN))
        except ReceiverError as error:
            raise _refused(error) from None

    def send(self, request: bytes) -> Answer:
        """Return when every line of the request is durable, or when this attempt has failed."""
        with self._inside:
            if self._is_closed:
                return self._closed_answer
            self._attempt = self._loop.begin(self._pipeline.accept(request, _REQUEST_INFO))
            if self._is_closed:  # closed in the meantime, and `close` saw no attempt
                self._attempt.cancel()
            return _answer(self._attempt) or self._closed_answer

    def close(self) -> None:
        """Release the store; a request in progress ends at once, though its lines may still be stored.

        Its answer has the reason why they are not stored yet, if there is one: the store is tried for longer than some
        programs wait for their last events.
        """
        if self._is_closed:
            return
        self._closed_answer = self._trouble() or _CLOSED
        self._is_closed = True
        _transports.discard(self)
        if self._attempt is not None:
            self._attempt.cancel()
        with contextlib.suppress(
            concurrent.futures.TimeoutError, asyncio.TimeoutError, concurrent.futures.CancelledError
        ):
            self._loop.run(self._release(), _CLOSE_SECONDS)
        self._loop.close(_CLOSE_SECONDS)

    def _trouble(self) -> Retry | None:
        """Why the request in progress is not stored yet."""
        if self._attempt is None or self._attempt.done():
            return None
        with contextlib.suppress(
            concurrent.futures.TimeoutError, asyncio.TimeoutError, concurrent.futures.CancelledError
        ):
            error = self._loop.run(self._last_error(), _TROUBLE_SECONDS)
            answer = None if error is None else _answer_to(error)
            return answer if isinstance(answer, Retry) else None
        return None

    async def _last_error(self) -> ReceiverError | None:
        """A coroutine, because the folders change on the loop."""
        return self._output.trouble()

    async def _release(self) -> None:
        self._pipeline.stop()
        await self._output.close()
        await self._pipeline.drain()

    def hold_for_fork(self) -> None:
        """Wait until no request is in progress, and let none begin."""
        self._inside.acquire(timeout=_FORK_WAITS_SECONDS)

    def go_on_after_fork(self) -> None:
        """Let the parent's requests continue."""
        while self._inside._is_owned():  # type: ignore[attr-defined]  # noqa: SLF001 - as `threading` does
            self._inside.release()  # a signal handler may have raised in the hook before the fork


_CLOSED: Final = Retry("CANCELLED", "the store is closed")


def _answer(attempt: concurrent.futures.Future[bytes]) -> Answer | None:
    """The answer to a request; None if it was cancelled."""
    try:
        answer = result_of(attempt)
    except concurrent.futures.CancelledError:
        return None
    except (ReceiverError, TimeoutError) as error:
        return _answer_to(error)
    partial = ExportLogsServiceResponse.FromString(answer).partial_success
    return Delivered(partial.rejected_log_records, partial.error_message)


def _answer_to(error: ReceiverError | TimeoutError) -> Retry | Refused:
    refusal = refusal_of(error)
    if refusal.trailers:
        return Retry(refusal.code.name, refusal.message, float(RETRY_SECONDS))
    return Refused(refusal.code.name, refusal.message)


def _config(url: str, instance: str | None = None) -> configuration.ReceiverConfig:
    # No other sender has this store: events that waited for long, or that a notebook makes of old data, are welcome.
    settings: dict[str, object] = {
        "store": url,
        "instance_id": instance or uuid.uuid4().hex,
        "limits.backfill": ["*"],
    }
    if (deployment := _path(CONFIG_VARIABLE)) and _is_named(Path(deployment)):
        settings["deployments"] = [deployment]
    file = _path(CONFIG_FILE_VARIABLE)
    try:
        return configuration.load(Path(file) if file else None, settings)
    except ReceiverError as error:
        raise _refused(error) from None


def _path(variable: str) -> str:
    text = os.environ.get(variable, "")
    path, wrong = read_path(text)
    if wrong:
        raise ConfigError(Problem(variable, f"expected a file, got {text!r}, {wrong}"))
    return path


def _refused(error: ReceiverError) -> ConfigError:
    """The error for the SDK, which names the variable that the settings come from."""
    problems = error.problems if isinstance(error, ConfigError) else (error,)
    return ConfigError(*(Problem("", str(problem), _ORIGIN) for problem in problems))


def _is_named(deployment: Path) -> bool:
    """Whether a deployment YAML names its deployment; without names it defines no destinations."""
    config = read_deployment(deployment)
    return config.endpoint is not None and config.deployment is not None


async def _open(config: configuration.ReceiverConfig, instruments: telemetry.Instruments) -> Output:
    """A coroutine, because clients of stores must be made on the loop that runs them."""
    return Output(config, instruments, parks=False)  # the SDK keeps what is not stored


def _run_elsewhere(work: Coroutine[object, object, None]) -> None:
    """Run a coroutine on another thread: this one may run an event loop, as in a notebook."""
    threads = DaemonExecutor(1, "otel-modeldata-check")
    try:
        result_of(threads.submit(asyncio.run, work))
    finally:
        threads.shutdown(wait=False)


async def _check(config: configuration.ReceiverConfig, *, is_contacted: bool = True) -> None:
    output = await _open(config, telemetry.instruments())
    try:
        if is_contacted:
            await output.check()
    finally:
        await output.close()


_transports = OpenTransports()

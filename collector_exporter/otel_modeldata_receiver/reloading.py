"""Reads the configuration again at SIGHUP and when its file changes, and applies what needs no restart.

A configuration that is wrong changes nothing: the previous one stays in use, and one log line has the reason.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from .exceptions import ConfigError
from .time_limit import timeout

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .config.receiver import ReceiverConfig

__all__ = ["POLL_SECONDS", "ConfigFile", "Reloading", "changed_keys"]

logger = logging.getLogger(__name__)

POLL_SECONDS: Final = 1.0
"""Pause between two looks at the file. A Kubernetes ConfigMap changes without a signal."""
APPLIED: Final = frozenset({"tls.clients", "log_level", "log_format"})
"""Settings that are applied without a restart; `tls.clients` unless all of TLS is new, or no grants are left at all."""
_READ_AGAIN: Final = "the configuration was read again: %s"
_Stamp: TypeAlias = tuple[int, int, int]


class ConfigFile(msgspec.Struct, frozen=True, kw_only=True):
    """The configuration as it can be read again.

    Attributes:
        path: the file; None where there is none, and SIGHUP reads only the deployment files again.
        read: returns the present settings, flags included, or raises ConfigError.
        changed: called with the settings in use when some of them changed.
    """

    path: Path | None
    read: Callable[[], ReceiverConfig]
    changed: Callable[[ReceiverConfig], None]


class Reloading:
    """Applies changes of the configuration while the receiver runs.

    Args:
        config: the settings in use.
        file: where they are read again.
        apply: takes the new settings of `APPLIED`; every other setting is as before.
        count: called with the outcome of each reload.
        poll_seconds: pause between two looks at the file.
    """

    def __init__(
        self,
        config: ReceiverConfig,
        file: ConfigFile,
        apply: Callable[[ReceiverConfig], None],
        poll_seconds: float = POLL_SECONDS,
        *,
        count: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._config = config
        self._file = file
        self._apply = apply
        self._count = count
        self._poll_seconds = poll_seconds
        self._seen = self._stamp()
        self._requested = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Watch the file from now on, and answer requests to read it."""
        self._task = asyncio.create_task(self._watch(), name="configuration file")

    async def stop(self) -> None:
        """Stop watching; safe to call twice and before `start`."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def request(self) -> None:
        """Read the configuration again soon; requests that arrive meanwhile are one."""
        self._requested.set()

    def reload(self) -> None:
        """Read the configuration again, apply what can be applied, and log what needs a restart."""
        self._seen = self._stamp()
        try:
            given = self._file.read()
        except ConfigError as error:
            self._refuse(error)
        else:
            self._use(given)

    async def _reload(self, stamp: _Stamp) -> None:
        """The same, without a wait for the file on the event loop."""
        self._seen = stamp
        try:
            given = await asyncio.get_running_loop().run_in_executor(None, self._file.read)
            self._use(given)
        except ConfigError as error:
            self._refuse(error)
        except Exception as error:  # a bug here must not end the watch
            logger.exception("the configuration is not read again (bug): %s", type(error).__name__)

    def _refuse(self, error: ConfigError) -> None:
        self._count("wrong")
        problems = "; ".join(map(str, error.problems))
        logger.warning("the configuration is wrong, the previous one stays in use: %s", problems)

    def _use(self, given: ReceiverConfig) -> None:
        changed = changed_keys(self._config, given)
        applied = [key for key in changed if key in APPLIED and not _opens(key, given)]
        outcome = f"{', '.join(applied)} changed" if applied else "no change"
        is_shown = logger.isEnabledFor(logging.INFO)  # by the level before, else perhaps by the new one
        if is_shown:
            logger.info(_READ_AGAIN, outcome)
        if applied:
            self._config = _with(self._config, given, applied)
            self._apply(self._config)
            self._file.changed(self._config)
        if not is_shown:
            logger.info(_READ_AGAIN, outcome)
        others = [key for key in changed if key not in applied]
        self._count("restart needed" if others else "changed" if applied else "unchanged")
        if others:
            logger.warning("the configuration changed, restart the receiver to apply it: %s", ", ".join(others))

    async def _watch(self) -> None:
        """Read the file when that is requested, or when it changed and the last two looks found it the same.

        A file that is being written is valid up to some of its lines, and without the rest, which may be the grants of
        clients, it means something else.
        """
        loop = asyncio.get_running_loop()
        last = self._seen
        while True:
            with contextlib.suppress(TimeoutError):
                async with timeout(None if self._file.path is None else self._poll_seconds):
                    await self._requested.wait()
            is_requested = self._requested.is_set()
            self._requested.clear()
            stamp = await loop.run_in_executor(None, self._stamp)
            if is_requested or (stamp != self._seen and stamp == last):
                await self._reload(stamp)
            last = stamp

    def _stamp(self) -> _Stamp:
        """Changes whenever the file is written or replaced."""
        try:
            status = self._file.path.stat() if self._file.path is not None else None
        except OSError:
            status = None
        return (0, 0, 0) if status is None else (status.st_mtime_ns, status.st_ino, status.st_size)


def changed_keys(before: ReceiverConfig, after: ReceiverConfig) -> tuple[str, ...]:
    """The settings that differ; those of `tls` by name where both have TLS."""
    changed = _differing(before, after)
    if "tls" in changed and before.tls is not None and after.tls is not None:
        changed.remove("tls")
        changed += [f"tls.{key}" for key in _differing(before.tls, after.tls)]
    return tuple(changed)


def _opens(key: str, given: ReceiverConfig) -> bool:
    """Whether a change admits every client: this needs a restart, since a file may lack a part by mistake."""
    return key == "tls.clients" and (given.tls is None or given.tls.clients is None)


def _differing(before: msgspec.Struct, after: msgspec.Struct) -> list[str]:
    return [key for key in before.__struct_fields__ if getattr(before, key) != getattr(after, key)]


def _with(config: ReceiverConfig, given: ReceiverConfig, keys: list[str]) -> ReceiverConfig:
    """`config` with the settings `keys` of `given`."""
    if "tls.clients" in keys and config.tls is not None and given.tls is not None:
        config = msgspec.structs.replace(config, tls=msgspec.structs.replace(config.tls, clients=given.tls.clients))
    return msgspec.structs.replace(config, **{key: getattr(given, key) for key in keys if "." not in key})

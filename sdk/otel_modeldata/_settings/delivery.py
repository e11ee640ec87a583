"""Settings of delivery: queue limits, spool, overflow policy and pace.

The variables are in `variables.py`. The policies of `OTEL_MODELDATA_OVERFLOW` when the queue is full:

- `report`: `collect` raises `QueueFullError`, or gives it to `on_error`, at once.
- `block:250`: `collect` waits at most 250 ms for room, then does the same. Scoring waits, too.
- `spill`: records are written to the spool only if memory is full. This is cheaper, but records in memory are lost if
  the process dies. With any other policy and a spool, each record is written before `collect` returns.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ConfigError
from ..validation.folder_access import obstacle
from ..validation.path_text import read_path
from ..validation.problems import Problem, shown, shown_choice
from .variables import (
    BATCH_MS,
    DEFAULT_BATCH_MS,
    DEFAULT_QUEUE_BYTES,
    DEFAULT_SPOOL_BYTES,
    MAX_BATCH_MS,
    OVERFLOW,
    QUEUE_BYTES,
    REPORT,
    SIGTERM,
    SPOOL,
    SPOOL_BYTES,
    Variable,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

_MAX_DIGITS = 18
"""A number with more digits is a mistake; Python refuses to read one with thousands."""
_BATCH_BYTES = 3_500_000
_UNDER_WAY_BYTES = 9 * _BATCH_BYTES
"""Memory of two requests under way and of the next one beside the queue: rows as text, encoded requests, gRPC's copies
during retries, and freed memory that the allocator keeps."""
_LEAST_PARTS = 4
"""Of a small limit, this part is for them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """Limits of the queue, and the pace of sending."""

    queue_bytes: int = DEFAULT_QUEUE_BYTES - _UNDER_WAY_BYTES
    """Maximum bytes in the queue; above it, `collect` refuses records."""
    queue_records: int | None = None
    """Maximum number of records in the queue; azureml-ai-monitoring limits only this."""
    block_seconds: float = 0.0
    """How long `collect` waits for room before it refuses."""
    batch_bytes: int = _BATCH_BYTES
    """Maximum bytes of a request with several records: below 4 MiB, which every gRPC server accepts by default."""
    batch_records: int = 1000
    """Maximum number of records in a request: the receiver maps so many small ones in a third of the 20 ms after which
    it passes a request to its mapping process."""
    record_bytes: int = 64 * 2**20
    """Maximum bytes of one record; a record above `batch_bytes` is sent alone."""
    merge_seconds: float = DEFAULT_BATCH_MS / 1000
    """How long an event waits in memory for frames that may join it; 0 sends each frame as its own event."""
    linger_seconds: float = 0.5
    """Pause between two batches: batches instead of single records save CPU, which scoring needs."""
    linger_records: int = 400
    """With this many waiting records, the pause is only `busy_seconds`."""
    busy_seconds: float = 0.02
    first_retry_seconds: float = 0.5
    max_retry_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where records wait on disk.

    Attributes:
        folder: shared by all processes of a host.
        max_bytes: limit for one process, including records adopted from dead processes.
        only_overflow: the policy `spill`: write only records that have no room in memory.
    """

    folder: Path
    max_bytes: int = DEFAULT_SPOOL_BYTES
    only_overflow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """How records wait.

    Attributes:
        limits: of the queue in memory.
        spool: None keeps everything in memory.
        report: folder for the final counts; None writes none.
        on_sigterm: deliver on SIGTERM where the application does not handle it.
    """

    limits: DeliveryLimits = field(default_factory=DeliveryLimits)
    spool: SpoolSettings | None = None
    report: Path | None = None
    on_sigterm: bool = True


def names_spool(environ: Mapping[str, str] | None = None) -> bool:
    """Whether the environment names a spool, in which a dead process may have left records."""
    return bool((os.environ if environ is None else environ).get(SPOOL.name))


def load_settings(environ: Mapping[str, str] | None = None) -> DeliverySettings:
    """Read the variables of delivery.

    Raises:
        ConfigError: lists every variable that is wrong.
    """
    env = os.environ if environ is None else environ
    queue_bytes, no_queue_bytes = _bytes(env, QUEUE_BYTES, DEFAULT_QUEUE_BYTES)
    spool_bytes, no_spool_bytes = _bytes(env, SPOOL_BYTES, DEFAULT_SPOOL_BYTES)
    folder, no_folder = _folder(env, SPOOL)
    report, no_report = _folder(env, REPORT)
    overflow = env.get(OVERFLOW.name) or "report"
    batch_ms = env.get(BATCH_MS.name) or str(DEFAULT_BATCH_MS)
    sigterm = env.get(SIGTERM.name) or "deliver"
    problems = (
        *(*no_queue_bytes, *no_spool_bytes, *no_folder, *no_report),
        *_overflow_problems(overflow, has_spool=folder is not None or bool(no_folder)),
        *_batch_problems(batch_ms),
        *(() if sigterm in ("deliver", "leave") else (SIGTERM.problem(shown_choice(sigterm, ("deliver", "leave"))),)),
        *_platform_problems(folder),
    )
    if problems:
        raise ConfigError(*problems)
    return DeliverySettings(
        limits=DeliveryLimits(
            queue_bytes=queue_bytes - min(queue_bytes // _LEAST_PARTS, _UNDER_WAY_BYTES),
            block_seconds=int(overflow.removeprefix("block:")) / 1000 if overflow.startswith("block:") else 0.0,
            merge_seconds=int(batch_ms) / 1000,
        ),
        spool=None if folder is None else SpoolSettings(folder, spool_bytes, only_overflow=overflow == "spill"),
        report=report,
        on_sigterm=sigterm == "deliver",
    )


def check_folders(settings: DeliverySettings) -> None:
    """Check that the folders can be made and written to, without making them.

    Raises:
        ConfigError: lists the folders that cannot.
    """
    folders = ((SPOOL, None if settings.spool is None else settings.spool.folder), (REPORT, settings.report))
    problems = [
        _unwritable(variable, folder, reason)
        for variable, folder in folders
        if folder is not None and (reason := obstacle(folder))
    ]
    if problems:
        raise ConfigError(*problems)


def make_folders(settings: DeliverySettings) -> None:
    """Make the folders that the settings name; called in `init()`, where a host can still refuse to start.

    Raises:
        ConfigError: a folder cannot be written to.
    """
    check_folders(settings)
    spool = None if settings.spool is None else settings.spool.folder
    problems = []
    for variable, folder, mode in ((SPOOL, spool, 0o700), (REPORT, settings.report, 0o777)):
        try:
            if folder is not None:
                folder.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            problems.append(_unwritable(variable, folder, str(error)))
    if problems:
        raise ConfigError(*problems)


def _unwritable(variable: Variable, folder: Path | None, given: str) -> Problem:
    message = f"expected a folder to write to in {str(folder)!r}, got {given}: correct it or choose another"
    return Problem(variable.name, message)


def _batch_problems(batch_ms: str) -> tuple[Problem, ...]:
    if _is_number(batch_ms, 0) and int(batch_ms) <= MAX_BATCH_MS:
        return ()
    return (BATCH_MS.problem(shown_choice(batch_ms)),)


def _overflow_problems(overflow: str, *, has_spool: bool) -> tuple[Problem, ...]:
    name, colon, milliseconds = overflow.partition(":")
    known = name == "block" and _is_number(milliseconds) if colon else overflow in ("report", "spill")
    if not known:
        return (OVERFLOW.problem(shown_choice(overflow, ("report", "spill", "block:250"))),)
    if overflow == "spill" and not has_spool:
        return (Problem(OVERFLOW.name, f"expected a folder in {SPOOL.name} to spill to, got none"),)
    return ()


def _platform_problems(folder: Path | None) -> tuple[Problem, ...]:
    if folder is None or sys.platform != "win32":
        return ()
    return (Problem(SPOOL.name, "expected a POSIX system, got Windows, which has no file locks of this kind"),)


def _bytes(env: Mapping[str, str], variable: Variable, default: int) -> tuple[int, tuple[Problem, ...]]:
    text = env.get(variable.name)
    if not text:
        return default, ()
    return (int(text), ()) if _is_number(text) else (default, (variable.problem(shown_choice(text)),))


def _is_number(text: str, least: int = 1) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS and int(text) >= least


def _folder(env: Mapping[str, str], variable: Variable) -> tuple[Path | None, tuple[Problem, ...]]:
    text = env.get(variable.name) or ""
    path, wrong = read_path(text)
    if wrong:
        return None, (variable.problem(f"{shown(text)}, {wrong}"),)
    if not path:
        return None, ()
    folder = Path(path).absolute()  # the program may change its working directory
    if os.path.exists(folder) and not os.path.isdir(folder):  # noqa: PTH110, PTH112 (Path.exists raises some errors)
        return None, (variable.problem(repr(text)),)
    return folder, ()

"""How many records may wait, where, and what happens when there is no room: bounds, pace, and their variables.

| variable | values | default |
|---|---|---|
| `OTEL_MODELDATA_QUEUE_BYTES` | memory for what waits and, a fifth of it at most, for what is under way | 128 MiB |
| `OTEL_MODELDATA_OVERFLOW` | `report`, `block:MS` or `spill`: what `collect` does when there is no room | `report` |
| `OTEL_MODELDATA_SPOOL` | a folder on a local disk: what waits survives the process | none |
| `OTEL_MODELDATA_SPOOL_BYTES` | bytes on disk that this process may hold | 1 GiB |
| `OTEL_MODELDATA_BATCH_MS` | ms in which frames of one collection, correlation id and trace share an event | 100 |
| `OTEL_MODELDATA_REPORT` | a folder: `shutdown` and the end of the interpreter write `{producer}.json` there | none |

- `report`: `collect` raises `QueueFullError`, or gives it to `on_error`, at once.
- `block:250`: it waits 250 ms at most for room, then does the same. Scoring waits with it.
- `spill`: what has no room in memory goes to the spool, what has is never written: cheaper, but only as safe against
  the death of the process as memory is. Every other policy with a spool writes each record before `collect` returns.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

QUEUE_BYTES_VARIABLE = "OTEL_MODELDATA_QUEUE_BYTES"
OVERFLOW_VARIABLE = "OTEL_MODELDATA_OVERFLOW"
SPOOL_VARIABLE = "OTEL_MODELDATA_SPOOL"
SPOOL_BYTES_VARIABLE = "OTEL_MODELDATA_SPOOL_BYTES"
BATCH_VARIABLE = "OTEL_MODELDATA_BATCH_MS"
REPORT_VARIABLE = "OTEL_MODELDATA_REPORT"

DEFAULT_QUEUE_BYTES = 128 * 2**20
_BATCH_BYTES = 3_500_000
_UNDER_WAY_BYTES = 7 * _BATCH_BYTES
"""What one request and the next hold beside the queue: their rows as text, the requests, gRPC's copies of them while
one try follows another, and what the allocator keeps of all that. The peak in ten minutes of an outage is 30 MB."""
DEFAULT_SPOOL_BYTES = 2**30
MAX_BATCH_MS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryLimits:
    """Bounds of the queue and the pace of sending."""

    queue_bytes: int = DEFAULT_QUEUE_BYTES - _UNDER_WAY_BYTES
    """Most bytes that may wait; beyond, `collect` refuses."""
    queue_records: int | None = None
    """Most records that may wait; azureml-ai-monitoring bounds only this."""
    block_seconds: float = 0.0
    """How long `collect` waits for room before it refuses."""
    batch_bytes: int = _BATCH_BYTES
    """Most bytes of one request with several records: below the 4 MiB that every gRPC server takes by default."""
    record_bytes: int = 64 * 2**20
    """Most bytes of one record; one above `batch_bytes` travels alone."""
    merge_seconds: float = 0.1
    """How long an event waits in memory for frames that may join it; 0 sends each frame as an event of its own."""
    linger_seconds: float = 0.5
    """Pause between two batches: batches instead of single records save CPU, and leave scoring alone meanwhile."""
    linger_records: int = 400
    """So many waiting records shorten the pause to `busy_seconds`."""
    busy_seconds: float = 0.02
    first_retry_seconds: float = 0.5
    max_retry_seconds: float = 15.0


@dataclass(frozen=True, slots=True)
class SpoolSettings:
    """Where records wait on disk.

    Attributes:
        folder: shared by all processes of a host.
        max_bytes: what one process may hold there, taken over from dead ones included.
        only_overflow: the policy `spill`: write only what has no room in memory.
    """

    folder: Path
    max_bytes: int = DEFAULT_SPOOL_BYTES
    only_overflow: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliverySettings:
    """What the environment says about delivery.

    Attributes:
        limits: of the queue in memory.
        spool: None keeps everything in memory.
        report: folder of the final accounts; None writes none.
    """

    limits: DeliveryLimits = field(default_factory=DeliveryLimits)
    spool: SpoolSettings | None = None
    report: Path | None = None


def load_settings(environ: Mapping[str, str] | None = None) -> DeliverySettings:
    """Read the variables above.

    Raises:
        ConfigError: lists every variable that is wrong.
    """
    env = os.environ if environ is None else environ
    problems: list[str] = []
    queue_bytes = _bytes(env, QUEUE_BYTES_VARIABLE, DEFAULT_QUEUE_BYTES, problems)
    spool_bytes = _bytes(env, SPOOL_BYTES_VARIABLE, DEFAULT_SPOOL_BYTES, problems)
    folder, report = _folder(env, SPOOL_VARIABLE, problems), _folder(env, REPORT_VARIABLE, problems)
    overflow = env.get(OVERFLOW_VARIABLE) or "report"
    name, _, milliseconds = overflow.partition(":")
    known = name == "block" if milliseconds else overflow in ("report", "spill")
    if not known or (milliseconds and not _is_number(milliseconds)):
        problems.append(f"{OVERFLOW_VARIABLE}: expected report, spill or block:MILLISECONDS, got {overflow!r}")
    elif overflow == "spill" and folder is None and not env.get(SPOOL_VARIABLE):
        problems.append(f"{OVERFLOW_VARIABLE}=spill: expected a folder in {SPOOL_VARIABLE} to spill to, got none")
    batch_ms = env.get(BATCH_VARIABLE) or "100"
    if not (batch_ms.isascii() and batch_ms.isdigit() and int(batch_ms) <= MAX_BATCH_MS):
        problems.append(f"{BATCH_VARIABLE}: expected 0 to {MAX_BATCH_MS} milliseconds, got {batch_ms!r}")
        batch_ms = "0"
    if folder is not None and sys.platform == "win32":
        problems.append(f"{SPOOL_VARIABLE}: expected a POSIX system, got Windows, which has no file locks of this kind")
    if problems:
        raise ConfigError("environment", problems)
    return DeliverySettings(
        limits=DeliveryLimits(
            queue_bytes=queue_bytes - min(queue_bytes // 5, _UNDER_WAY_BYTES),
            block_seconds=int(milliseconds) / 1000 if milliseconds else 0.0,
            merge_seconds=int(batch_ms) / 1000,
        ),
        spool=None if folder is None else SpoolSettings(folder, spool_bytes, only_overflow=overflow == "spill"),
        report=report,
    )


def check_settings() -> None:
    """Read the variables and make the folders they name; called in `init()`, where a host can still refuse to start.

    Raises:
        ConfigError: a variable is wrong, or a folder cannot be written to.
    """
    settings = load_settings()
    spool = None if settings.spool is None else settings.spool.folder
    folders = {SPOOL_VARIABLE: spool, REPORT_VARIABLE: settings.report}
    problems: list[str] = []
    for name, folder in folders.items():
        if folder is None:
            continue
        try:
            folder.mkdir(mode=0o700 if name == SPOOL_VARIABLE else 0o777, parents=True, exist_ok=True)
            problem = None if os.access(folder, os.W_OK | os.X_OK) else "one without write access"
        except OSError as error:
            problem = str(error)
        if problem is not None:
            problems.append(
                f"{name}: expected a folder to write to in {str(folder)!r}, got {problem}: mend it or choose another"
            )
    if problems:
        raise ConfigError("environment", problems)


def _bytes(env: Mapping[str, str], name: str, default: int, problems: list[str]) -> int:
    text = env.get(name)
    if not text:
        return default
    if _is_number(text):
        return int(text)
    problems.append(f"{name}: expected bytes above 0, got {text!r}")
    return default


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and int(text) > 0


def _folder(env: Mapping[str, str], name: str, problems: list[str]) -> Path | None:
    text = env.get(name)
    if not text:
        return None
    folder = Path(text).absolute()  # the program may change its working directory
    if folder.exists() and not folder.is_dir():
        problems.append(f"{name}: expected a folder, or a path where one can be made, got {text!r}")
        return None
    return folder

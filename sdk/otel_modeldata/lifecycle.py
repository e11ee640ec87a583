"""`flush` and `shutdown`: wait for what was collected, and be told the truth about it.

What becomes of the events that were accepted and not yet delivered when a process ends (tests/test_exits.py):

| end of the process | in memory | with `OTEL_MODELDATA_SPOOL` |
|---|---|---|
| end of the program, `sys.exit`, uncaught exception, SIGINT | delivered, within 10 s | delivered, else kept |
| SIGTERM with a handler that ends in `sys.exit` (gunicorn's workers) | delivered, within 10 s | delivered, else kept |
| child of `multiprocessing`, worker of `ProcessPoolExecutor` | delivered, within 10 s | delivered, else kept |
| `shutdown()`, then anything | delivered, within its timeout | delivered, else kept |
| uvicorn, which raises SIGTERM again: `shutdown()` at the end of the lifespan | delivered | kept |
| SIGTERM without a handler, `Pool.terminate`, `os._exit`, `kill -9`, crash | lost: 50 ms' worth or the backlog | kept |
| forked child | starts empty; the parent's events stay the parent's | same |
| power cut | lost | lost is what the kernel had not written back |

*Kept* is sent by the next process that collects with the same folder, by a living one within ten seconds, or by
`python -c "import otel_modeldata; otel_modeldata.shutdown(60)"`. What an orderly end cannot deliver is reported as
lost, `shutdown`; what an abrupt end loses, nobody can report: it is a tail of the producer's sequence numbers.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import ModuleType


@dataclass(frozen=True, slots=True, kw_only=True)
class CollectionReport:
    """What became of the events of one collection; accepted = delivered + lost + pending."""

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0

    def as_dict(self) -> dict[str, Any]:
        """As it stands in the JSON of a report."""
        counts: dict[str, Any] = {"accepted": self.accepted, "delivered": self.delivered, "lost": dict(self.lost)}
        return counts | ({"pending": self.pending} if self.pending else {})


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryReport:
    """What became of the events that this process accepted.

    Two reports are equal when their totals are: the accounts below are the same figures in finer grain.

    Attributes:
        accepted: taken by `collect`; equals delivered + lost + pending.
        delivered: the endpoint answered for them.
        lost: by reason: `rejected` (the endpoint took the others of the request; our receiver keeps what it rejects in
            quarantine), `refused`, `too_large`, `unencodable`, `shutdown`.
        pending: still waiting; after `shutdown` in the spool, for the next process.
        producer: the id of this process in the events' `producer`.
        collections: the accounts by collection.
        replayed: what this process took over from the spools of dead ones, by their producer and collection; what
            could not be read there is lost as `corrupt`, of the collection `(unreadable)`.
    """

    accepted: int = 0
    delivered: int = 0
    lost: Mapping[str, int] = field(default_factory=dict)
    pending: int = 0
    producer: str = field(default="", compare=False)
    collections: Mapping[str, CollectionReport] = field(default_factory=dict, compare=False)
    replayed: Mapping[str, Mapping[str, CollectionReport]] = field(default_factory=dict, compare=False)

    @classmethod
    def of(
        cls,
        producer: str,
        collections: Mapping[str, CollectionReport],
        replayed: Mapping[str, Mapping[str, CollectionReport]],
    ) -> DeliveryReport:
        """The report whose totals are the sums of these accounts."""
        lost: Counter[str] = Counter()
        for account in collections.values():
            lost.update(account.lost)
        return cls(
            accepted=sum(account.accepted for account in collections.values()),
            delivered=sum(account.delivered for account in collections.values()),
            lost=dict(lost),
            pending=sum(account.pending for account in collections.values()),
            producer=producer,
            collections=collections,
            replayed=replayed,
        )

    def to_json(self) -> str:
        """What `otel-modeldata audit --report` reads: the producer and its accounts by collection."""
        document: dict[str, Any] = {"producer": self.producer, "collections": _as_dicts(self.collections)}
        if self.replayed:
            document["replayed"] = {producer: _as_dicts(accounts) for producer, accounts in self.replayed.items()}
        return json.dumps(document)


def _as_dicts(accounts: Mapping[str, CollectionReport]) -> dict[str, dict[str, Any]]:
    return {collection: account.as_dict() for collection, account in accounts.items()}


def flush(timeout: float | None = None) -> DeliveryReport:
    """Wait until everything collected before is delivered or lost.

    With a spool this includes what dead processes left there, even before the first `collect`:
    `python -c "import otel_modeldata; otel_modeldata.shutdown(60)"` empties a spool.

    Args:
        timeout: seconds to wait at most; None waits as long as it takes.

    Returns:
        The accounts since the process started.
    """
    process = _loaded_process()
    report: DeliveryReport = DeliveryReport() if process is None else process.flush(timeout)
    return report


def shutdown(timeout: float = 10.0) -> DeliveryReport:
    """Deliver what waits, then stop: later calls of `collect` are refused.

    The end of the interpreter does this by itself. Call it before `os._exit`, or to hear the report.

    Args:
        timeout: seconds to wait at most; what is not delivered by then is lost and counted, or stays in the spool.

    Returns:
        The final accounts: accepted = delivered + lost, with a spool + pending.
    """
    process = _loaded_process()
    report: DeliveryReport = DeliveryReport() if process is None else process.shutdown(timeout)
    return report


def _loaded_process() -> ModuleType | None:
    """The module of the delivery side, which the first `collect` loads.

    Before, there is nothing to wait for, unless there is a spool in which a dead process left something.
    """
    if os.environ.get("OTEL_MODELDATA_SPOOL"):
        from . import _process  # noqa: PLC0415 - not before it is needed

        return _process
    return sys.modules.get(f"{__package__}._process")

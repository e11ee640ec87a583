"""The SDK's final reports: what processes say became of everything they accepted.

A process that runs with `OTEL_MODELDATA_REPORT=DIR` writes `DIR/{producer}.json` when it ends. With it an audit can
account for events that nothing in the store points to: those after the last stored one, and those reported lost. A
process with a spool may also speak for dead ones: it sends what they left behind, and reports that as `replayed`.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Annotated, Final

import msgspec

from ...exceptions import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["REJECTED", "UNREADABLE", "FinalAccount", "FinalReport", "load", "told"]

REJECTED: Final = "rejected"
"""The reason of events that the receiver answered for with `partial_success`: it keeps them in quarantine."""
UNREADABLE: Final = "(unreadable)"
"""The collection of losses whose own collection can no longer be read: damaged records in a spool."""

_Count = Annotated[int, msgspec.Meta(ge=0)]


class FinalAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the events of one producer and collection.

    Attributes:
        accepted: taken by `collect`, their numbers are 0 to accepted - 1; None when only another process speaks.
        delivered: the endpoint answered for them.
        lost: by reason.
        pending: neither; they were left in the spool.
    """

    accepted: _Count | None = None
    delivered: _Count = 0
    lost: dict[str, _Count] = {}
    pending: _Count = 0

    @property
    def lost_in_total(self) -> int:
        """All of `lost`."""
        return sum(self.lost.values())


class FinalReport(msgspec.Struct, frozen=True, kw_only=True):
    """The report of one process; keys that are not listed here are left alone.

    Attributes:
        producer: the process.
        collections: its own accounts.
        replayed: accounts of what it took over, by producer and collection; `accepted` counts only that.
    """

    producer: str
    collections: dict[str, FinalAccount]
    replayed: dict[str, dict[str, FinalAccount]] = {}


_decode: Final = msgspec.json.Decoder(FinalReport).decode


def load(paths: Iterable[Path]) -> list[FinalReport]:
    """The reports in these files and in the `.json` files of these folders.

    Raises:
        ConfigError: something is no report, or two differ about one producer: the message lists all of it.
    """
    reports: dict[str, FinalReport] = {}
    problems: list[str] = []
    for path in paths:
        files = sorted(path.glob("*.json")) if path.is_dir() else [path]
        if not files:
            problems.append(
                f"{path}: expected final reports, got no .json file; name the folder of OTEL_MODELDATA_REPORT"
            )
        for file in files:
            try:
                report = _decode(file.read_bytes())
            except (OSError, ValueError) as error:
                reason = " ".join(str(error).split())
                problems.append(f"{file}: expected a final report of the SDK, got {type(error).__name__}: {reason}")
                continue
            if reports.setdefault(report.producer, report) != report:
                problems.append(f"{file}: expected one report of {report.producer!r}, got a second one; name the last")
    if problems:
        raise ConfigError(*problems)
    return list(reports.values())


def told(reports: Iterable[FinalReport]) -> Mapping[tuple[str, str], FinalAccount]:
    """What all reports together say, by producer and collection.

    A process that took over from another one adds what became of that to the other's own account.
    """
    own: dict[tuple[str, str], FinalAccount] = {}
    later: dict[tuple[str, str], list[FinalAccount]] = {}
    for report in reports:
        own.update({(report.producer, name): account for name, account in report.collections.items()})
        for producer, accounts in report.replayed.items():
            for name, account in accounts.items():
                later.setdefault((producer, name), []).append(account)
    return own | {key: _sum(own.get(key, FinalAccount()), more) for key, more in later.items()}


def _sum(account: FinalAccount, later: Iterable[FinalAccount]) -> FinalAccount:
    delivered, pending, lost = account.delivered, account.pending, Counter(account.lost)
    for one in later:
        delivered += one.delivered
        lost.update(one.lost)
        pending = max(0, pending - one.delivered - one.lost_in_total)
    return FinalAccount(accepted=account.accepted, delivered=delivered, lost=dict(lost), pending=pending)

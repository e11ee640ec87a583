"""The ledger of one producer in memory: what each collection accepted and what became of it.

Whoever owns an `Accounts` serializes the calls; this module has no lock.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from ..report import CollectionReport

if TYPE_CHECKING:
    from collections.abc import Mapping


class _Account:
    __slots__ = ("accepted", "delivered", "lost")

    def __init__(self) -> None:
        self.accepted = 0
        self.delivered = 0
        self.lost: Counter[str] = Counter()


class Accounts:
    """Counts by collection."""

    def __init__(self) -> None:
        self._of: dict[str, _Account] = {}

    def next_sequence(self, collection: str) -> int:
        """The number that the next accepted event of a collection gets: as many as were accepted before."""
        account = self._of.get(collection)
        return 0 if account is None else account.accepted

    def accept(self, collection: str, count: int = 1) -> int:
        """Events were taken; answers the number of the first of them."""
        account = self._account(collection)
        number = account.accepted
        account.accepted += count
        return number

    def settle(self, collection: str, *, delivered: int, lost: int, reason: str) -> None:
        """Events that were taken are delivered, or lost."""
        account = self._account(collection)
        account.delivered += delivered
        if lost:
            account.lost[reason] += lost

    def _account(self, collection: str) -> _Account:
        account = self._of.get(collection)
        if account is None:
            account = self._of[collection] = _Account()
        return account

    def report(self) -> Mapping[str, CollectionReport]:
        """A copy of how it stands."""
        return {
            collection: CollectionReport(
                accepted=account.accepted,
                delivered=account.delivered,
                lost=dict(account.lost),
                pending=account.accepted - account.delivered - account.lost.total(),
            )
            for collection, account in self._of.items()
        }

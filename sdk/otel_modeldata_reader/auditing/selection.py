"""The part of a store that is audited."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Selection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The part of a store that is audited; None means everything.

    Attributes:
        endpoint: only this one.
        deployment: only this one.
        collection: only this one.
        first: the first hour, as `2026/11/22/10`.
        last: the last hour, included.
    """

    endpoint: str | None = None
    deployment: str | None = None
    collection: str | None = None
    first: str | None = None
    last: str | None = None

    @property
    def is_everything(self) -> bool:
        """Whether all names are audited."""
        return self.endpoint is None and self.deployment is None and self.collection is None

    @property
    def whole(self) -> bool:
        """Whether all hours are audited."""
        return self.first is None and self.last is None

    def names(self, *names: str) -> bool:
        """Whether endpoint, deployment and collection are selected; an unknown (empty) name always is.

        Azure's names are the same in any case.
        """
        wanted = (self.endpoint, self.deployment, self.collection)
        return all(
            want is None or not name or name.lower() == want.lower() for want, name in zip(wanted, names, strict=True)
        )

    def hours(self, date: str) -> bool:
        """Whether a folder of this date, which may be longer or shorter than an hour, overlaps the hours."""
        after = self.first is None or date[: len(self.first)] >= self.first[: len(date)]
        return after and (self.last is None or date[: len(self.last)] <= self.last[: len(date)])

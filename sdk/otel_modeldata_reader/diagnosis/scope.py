"""What a diagnosis is asked for: a collection, a deployment or a whole store, in a window of time."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ..window import Window

__all__ = ["Scope", "shown_time", "utc"]

_FIRST_SECOND: Final = -62_135_596_800
_LAST_SECOND: Final = 253_402_300_799
"""The bounds of a datetime."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is asked for.

    Attributes:
        name: `endpoint/deployment/collection`, `endpoint/deployment`, or another folder of a store; empty for all.
        window: of event time.
        now: the present, in nanoseconds since the epoch.
        store: URL of the store, without secrets.
        url: URL of the store as it was given; it may hold a secret.
    """

    name: str
    window: Window
    now: int
    store: str
    url: str = field(repr=False)

    @property
    def tenant(self) -> str:
        """`endpoint/deployment`, if the name says it."""
        return "/".join(self._names[:2]) if len(self._names) > 1 else ""

    @property
    def collection(self) -> str:
        """The collection, if the name says it."""
        return self._names[2] if len(self._names) > 2 else ""

    @property
    def shown(self) -> str:
        """The name in a sentence."""
        return self.name or "any collection"

    @property
    def is_custom(self) -> bool:
        """Whether the name is that of a folder that the operator chose, which says nothing about deployments."""
        return bool(self.name) and not self._names

    def covers(self, root: str) -> bool:
        """Whether the folder of a collection is asked for."""
        return not self.name or root == self.name or root.startswith(f"{self.name}/")

    def names(self, tenant: str, collection: str) -> bool | None:
        """Whether a record of these names is asked for; None if it may be, because a name is not known.

        Args:
            tenant: `endpoint/deployment`; empty if it is not known.
            collection: its collection; empty if it is not known.
        """
        wanted = self._names
        if self.is_custom:  # it may be that of any collection
            return None
        endpoint, _, deployment = tenant.partition("/")
        pairs = list(zip(wanted, (endpoint, deployment, collection), strict=False))
        if any(name and want.lower() != name.lower() for want, name in pairs):
            return False
        return True if all(name for _, name in pairs) else None

    @property
    def _names(self) -> list[str]:
        """Endpoint, deployment and collection, as far as the name has them; empty for another folder, and for all."""
        parts = self.name.split("/")
        return parts if self.name and len(parts) <= 3 and not self.name.startswith("_") else []

    def command(self, command: str, *words: str) -> str:
        """A command about this store, to copy."""
        return shlex.join(["otel-modeldata", command, *words, "--store", self.store])

    @property
    def audit(self) -> str:
        """The command that audits this part of the store."""
        names = zip(("--endpoint", "--deployment", "--collection"), self._names, strict=False)
        return self.command("audit", "--running", *(word for pair in names for word in pair))

    @property
    def whole_audit(self) -> str:
        """The command that audits the whole store."""
        return self.command("audit", "--running")


def utc(nanoseconds: int) -> datetime:
    """A moment; the nearest one that a datetime can be for others."""
    return datetime.fromtimestamp(min(max(nanoseconds // 1_000_000_000, _FIRST_SECOND), _LAST_SECOND), timezone.utc)


def shown_time(nanoseconds: int) -> str:
    """A moment in a sentence."""
    return f"{utc(nanoseconds):%Y-%m-%d %H:%M:%S} UTC"

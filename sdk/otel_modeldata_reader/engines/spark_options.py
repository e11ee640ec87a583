"""The options of `spark.read.format("modeldata")`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from ..exceptions import ReaderError
from ..nearest import nearest
from ..store import open_store
from .remote_store import checked_url

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..reading import Reading

__all__ = ["SparkOptions", "read_options"]

_NAMES: Final = ("store", "collection", "since", "until", "where", "envelope", "strict", "max_bytes_per_batch")
_NEEDED: Final = ("store", "collection")
_TRUTHS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True, kw_only=True)
class SparkOptions:
    """What to read.

    Attributes:
        store: URL of the store, without a secret.
        collection: as for `Store.read`, as are the others.
        since: beginning of the window.
        until: its end.
        where: a condition.
        envelope: whether rows have the envelope's columns.
        strict: whether what would be skipped is an error.
        max_bytes_per_batch: about how many bytes a stream reads at once; None is all that there is.
    """

    store: str
    collection: str
    since: str | None = None
    until: str | None = None
    where: str | None = None
    envelope: bool = True
    strict: bool = False
    max_bytes_per_batch: int | None = None

    def reading(self) -> Reading:
        """The reading of these options.

        Raises:
            ReaderError: as for `Store.read`.
        """
        return open_store(self.store).read(
            self.collection, self.since, self.until, where=self.where, envelope=self.envelope, strict=self.strict
        )


def read_options(options: Mapping[str, str]) -> SparkOptions:
    """The options that a user wrote; Spark does not distinguish their case.

    Raises:
        ReaderError: one is missing, unknown, or has no such value.
    """
    given = {name.lower(): value for name, value in options.items()}
    for name in given:
        if name not in _NAMES:
            raise ReaderError(f"expected an option of the format modeldata, got {name!r}: {nearest(name, _NAMES)}")
    for name in _NEEDED:
        if not given.get(name):
            raise ReaderError(f"expected the option {name!r} of the format modeldata, got none: .option({name!r}, ...)")
    bytes_per_batch = given.get("max_bytes_per_batch")
    if bytes_per_batch is not None and not (bytes_per_batch.isdecimal() and int(bytes_per_batch)):
        raise ReaderError(
            f"expected a number of bytes as max_bytes_per_batch, got {bytes_per_batch!r}: write for example 100000000"
        )
    return SparkOptions(
        store=checked_url(given["store"]),
        collection=given["collection"].strip("/"),
        since=given.get("since"),
        until=given.get("until"),
        where=given.get("where"),
        envelope=_truth(given, "envelope", default=True),
        strict=_truth(given, "strict", default=False),
        max_bytes_per_batch=None if bytes_per_batch is None else int(bytes_per_batch),
    )


def _truth(given: Mapping[str, str], name: str, *, default: bool) -> bool:
    if name not in given:
        return default
    truth = _TRUTHS.get(given[name].lower())
    if truth is None:
        raise ReaderError(f"expected true or false as {name}, got {given[name]!r}: write one of them")
    return truth

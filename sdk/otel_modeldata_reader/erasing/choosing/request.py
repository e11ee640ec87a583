"""What an erasure was asked for."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import msgspec

from ...exceptions import ReaderError
from ...window import window_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...window import Moment, Window

__all__ = ["EraseRequest", "asked", "predicate_of", "request_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EraseRequest:
    """What is erased.

    Attributes:
        scope: the collection that `where` is about, or with ids a collection or a deployment; empty for
            the whole store.
        where: a condition in SQL; None with ids.
        ids: correlation ids, row ids, event ids or trace ids.
        window: only rows of these events are chosen by `where`.
        window_text: as it was given.
        only: whether nothing but the collection `scope` is changed.
        every: whether a condition may be true for every row.
        shared: whether a row id may be that of rows that were not chosen.
    """

    scope: str
    where: str | None
    ids: tuple[str, ...]
    window: Window
    window_text: tuple[str, str]
    only: bool = False
    every: bool = False
    shared: bool = False

    @property
    def text(self) -> str:
        """The request as JSON: what a tombstone has an HMAC of."""
        facts = {
            "scope": self.scope,
            "where": self.where,
            "ids": sorted(self.ids),
            "since": self.window_text[0],
            "until": self.window_text[1],
            "only": self.only,
            "every": self.every,
            "shared": self.shared,
        }
        return msgspec.json.encode(facts, order="sorted").decode()


def asked(  # noqa: PLR0913 (the arguments of `Store.erase`)
    scope: str,
    where: str | None,
    ids: Sequence[str],
    since: Moment,
    until: Moment,
    *,
    only: bool,
    every: bool,
    shared: bool,
) -> EraseRequest:
    """The request of a call.

    Raises:
        ReaderError: neither a condition nor ids, or a condition about no collection.
        WindowError: a reversed window, or no time.
    """
    if isinstance(ids, str):
        raise ReaderError(f"expected ids as a list, got the text {ids!r}: put it into brackets")
    if (where is None) == (not ids):
        raise ReaderError(
            "expected where= or ids=, got " + ("none" if where is None else "both") + ": give one of them"
        )
    if not all(ids) or {type(one) for one in ids} - {str}:
        raise ReaderError("expected ids that are texts, got an empty or another one: leave it out")
    if where is not None and not where.strip():
        raise ReaderError("expected a condition in SQL, got none: write for example \"customer = 'c-17'\"")
    if (where is not None or only) and not scope.strip("/"):
        raise ReaderError("expected a collection for a condition, got none: name one, such as 'shop/blue/model_inputs'")
    return EraseRequest(
        scope=scope.strip("/"),
        where=where,
        ids=tuple(dict.fromkeys(ids)),
        window=window_of(since, until),
        window_text=(_moment_text(since), _moment_text(until)),
        only=only,
        every=every,
        shared=shared,
    )


def _moment_text(moment: Moment) -> str:
    if moment is None:
        return ""
    if isinstance(moment, timedelta):  # an age, which `window_of` takes as seconds before now
        return f"-{abs(moment).total_seconds():f}s"
    return moment if isinstance(moment, str) else moment.isoformat()


def request_of(text: str) -> EraseRequest:
    """The request that an interrupted erasure has in its journal.

    Raises:
        ReaderError: the journal was changed, and has none.
    """
    try:
        facts = msgspec.json.decode(text, type=_Facts)
    except (ValueError, RecursionError):
        raise ReaderError(
            "expected a request in the journal of an erasure, got another content: remove the folder below "
            "_erased/unfinished, and run the erasure again"
        ) from None
    return EraseRequest(
        scope=facts.scope,
        where=facts.where,
        ids=facts.ids,
        window=window_of(facts.since or None, facts.until or None),
        window_text=(facts.since, facts.until),
        only=facts.only,
        every=facts.every,
        shared=facts.shared,
    )


class _Facts(msgspec.Struct, frozen=True, kw_only=True):
    scope: str
    where: str | None
    ids: tuple[str, ...]
    since: str
    until: str
    only: bool
    every: bool
    shared: bool


def predicate_of(request: str, key: str) -> str:
    """The HMAC-SHA256 of a request, in hexadecimal.

    Args:
        request: its JSON, as a receipt has it.
        key: in hexadecimal, as a receipt has it.
    """
    return hmac.new(bytes.fromhex(key), request.encode(), hashlib.sha256).hexdigest()

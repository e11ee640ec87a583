"""The books of a store: every line is entered once, under its producer and collection, and judged by what it says.

Lines are accounted for by what they say of themselves, not by where they are: a line in a wrong folder is one finding,
not three. This module must not know stores or files: it takes lines, and the path of the blob they were in.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

import numpy as np

from otel_modeldata import semconv

from ...layout.blob_path import tenant_of
from . import stored_line
from .number_ranges import IdSet
from .producer_report import UNREADABLE
from .reconciliation import Account, Statement, draw_up

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ...layout.blob_path import Place
    from .producer_report import FinalAccount
    from .quarantine_line import Quarantined
    from .stored_line import StoredLine

__all__ = ["Fault", "Ledger", "Spot"]

MAX_SPOTS: Final = 100
"""Places that are kept of one kind of fault; all are counted."""
_Key = tuple[str, str, str]
"""Producer, collection and source: what an account is kept under."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where something is wrong.

    Attributes:
        blob: the blob's name in the store.
        line: counted from 1.
        reason: what was expected and what is there.
    """

    blob: str
    line: int
    reason: str


@dataclass(slots=True)
class Fault:
    """One kind of fault of lines: how often, and where first."""

    count: int = 0
    spots: list[Spot] = field(default_factory=list)

    def add(self, place: Place, line: int, reason: str) -> None:
        """Note one more."""
        self.count += 1
        if len(self.spots) < MAX_SPOTS:
            self.spots.append(Spot(blob=place.blob, line=line, reason=reason))


@dataclass(frozen=True, slots=True)
class _Reference:
    """A line that points to an object, and the names one of which the object must have."""

    place: Place
    line: int
    stored: StoredLine
    names: tuple[str, ...]


@dataclass(slots=True)
class _Page:
    """What one piece of a blob says of one account: line by line where, which id, which number."""

    account: Account
    ids: IdSet
    misplaced: str | None
    lines: list[int] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)


class Ledger:
    """Takes the lines of a store and draws up the statements.

    Attributes:
        objects: sizes of the objects that lines may point to, by name; to be set before lines come.
        lines: how many were taken, blank ones aside.
        unreadable: lines that are torn or no CloudEvents in JSON.
        misplaced: lines in a folder of another tenant, collection or time.
        content_range: lines whose `contentrange` is not that of their rows.
        duplicated: lines whose id another line of their source and type has.
        dataref: lines that point to an object that is not there; complete after `close_references`.
        foreign_references: lines that point out of their folder, where nobody looks.
        unattributed: records in quarantine whose producer or collection cannot be known.
    """

    def __init__(self) -> None:
        self.objects: Mapping[str, int] = {}
        self.lines = 0
        self.unreadable = Fault()
        self.misplaced = Fault()
        self.content_range = Fault()
        self.duplicated = Fault()
        self.dataref = Fault()
        self.foreign_references = 0
        self.unattributed = 0
        self._open_references: list[_Reference] = []
        self._accounts: dict[_Key, Account] = {}
        self._ids: dict[tuple[str, str], IdSet] = {}
        self._quarantined_ids = IdSet()

    # --- lines ---------------------------------------------------------------------------------------------------

    def take(self, place: Place, before: int, lines: Sequence[bytes]) -> None:
        """Enter the lines of a blob that follow its first `before` ones."""
        pages: dict[_Key, _Page] = {}
        stamp = place.stamp
        for number, raw in enumerate(lines, before + 1):
            line = self._read(place, number, raw)
            if line is None:
                continue
            names = (line.producer, line.type, line.source)
            page = pages.get(names)
            if page is None:
                page = pages[names] = self._page(place, line)
            page.lines.append(number)
            page.events.append(line.id)
            page.numbers.append(stored_line.sequence_of(line))
            if page.misplaced is not None:
                self.misplaced.add(place, number, page.misplaced)
            elif not (line.time.startswith(stamp) and line.time.endswith("Z")):
                self._check_time(place, number, line)
            self._check_payload(place, number, line, raw)
        for page in pages.values():
            self._enter(place, page)

    def take_elsewhere(self, lines: Sequence[bytes]) -> None:
        """Note the numbers of events outside of the hours that are audited: these are not missing."""
        numbers: dict[_Key, list[int]] = {}
        for raw in lines:
            try:
                line = stored_line.decode(raw)
            except (ValueError, RecursionError):
                continue
            if (number := stored_line.sequence_of(line)) >= 0:
                numbers.setdefault(_key(line.producer, line.type, line.source), []).append(number)
        for key, found in numbers.items():
            if key in self._accounts:
                self._accounts[key].elsewhere.add(found)

    def _read(self, place: Place, number: int, raw: bytes) -> StoredLine | None:
        if not raw or raw.isspace():
            return None  # readers skip blank lines
        self.lines += 1
        try:
            return stored_line.decode(raw)
        except (ValueError, RecursionError) as error:
            self.unreadable.add(place, number, f"expected a CloudEvent in JSON, got {len(raw)} bytes: {error}")
            return None

    def _page(self, place: Place, line: StoredLine) -> _Page:
        tenant = tenant_of(line.source) or (place.endpoint, place.deployment)
        account = self._account(_key(line.producer, line.type, line.source), tenant)
        ids = self._ids.setdefault((line.source, line.type), IdSet())
        return _Page(account, ids, place.misplaced(line.source, line.type))

    def _account(self, key: _Key, tenant: tuple[str, str]) -> Account:
        account = self._accounts.get(key)
        if account is None:
            account = self._accounts[key] = Account(producer=key[0], collection=key[1], tenant=tenant)
        return account

    def _enter(self, place: Place, page: _Page) -> None:
        fresh = page.ids.add(np.array([hash(event) for event in page.events], np.int64))
        page.account.take(page.numbers, fresh)
        for index in np.flatnonzero(~fresh).tolist():
            self.duplicated.add(place, page.lines[index], f"expected a new id, got {page.events[index]!r} again")

    # --- what a line says against where it is and what it holds --------------------------------------------------

    def _check_time(self, place: Place, number: int, line: StoredLine) -> None:
        problem = place.mistimed(line.time)
        if problem is not None:
            self.misplaced.add(place, number, problem)

    def _check_payload(self, place: Place, number: int, line: StoredLine, raw: bytes) -> None:
        problem = stored_line.size_problem(line, raw)
        if problem is not None:
            self.content_range.add(place, number, problem)
        url = stored_line.reference(line)
        if url is not None:
            self._follow(place, number, line, url.replace("\\", "/"))

    def _follow(self, place: Place, number: int, line: StoredLine, url: str) -> None:
        """Look for the object that a line points to. In a store that was moved, URLs end as they did."""
        last = url.rpartition("/")[2]
        names = (f"{place.folder}/files/{last}", f"{place.folder}/{last}")
        if not url.endswith(tuple(f"/{name}" for name in names)):
            self.foreign_references += 1
            return
        reference = _Reference(place, number, line, names)
        if not self._is_there(reference):
            self._open_references.append(reference)

    def _is_there(self, reference: _Reference) -> bool:
        sizes = [self.objects[name] for name in reference.names if name in self.objects]
        if not sizes:
            return False
        problem = stored_line.referenced_size_problem(reference.stored, sizes[0])
        if problem is not None:
            self.content_range.add(reference.place, reference.line, problem)
        return True

    @property
    def has_open_references(self) -> bool:
        """Whether lines point to objects that are not among `objects`; they may have come later."""
        return bool(self._open_references)

    def close_references(self, objects: Mapping[str, int]) -> None:
        """Decide on the references that are open, by the objects as they are now."""
        self.objects = objects
        for reference in self._open_references:
            if not self._is_there(reference):
                reason = f"expected the object {reference.names[0]!r}, got none of that name"
                self.dataref.add(reference.place, reference.line, reason)
        self._open_references = []

    # --- quarantine ----------------------------------------------------------------------------------------------

    def take_quarantined(self, line_id: str, found: Quarantined, *, elsewhere: bool = False) -> None:
        """Enter a record in quarantine; once, though a retry in another hour is there again.

        Args:
            line_id: the id of the quarantine line, the same for the same bytes.
            found: whose it is.
            elsewhere: it is outside of the hours that are audited.
        """
        if not self._quarantined_ids.add(np.array([hash(line_id)], np.int64))[0]:
            return
        if not found.collection or not (found.producer or found.source):
            self.unattributed += not elsewhere
            return
        key = _key(found.producer, semconv.event_type(found.collection), found.source)
        if not elsewhere:
            self._account(key, found.tenant or ("", "")).take_quarantined(found.number)
        elif key in self._accounts and found.number >= 0:
            self._accounts[key].elsewhere.add([found.number])

    # --- statements ----------------------------------------------------------------------------------------------

    def producers(self) -> set[str]:
        """Every producer that was found."""
        return {account.producer for account in self._accounts.values()}

    def statements(self, told: Mapping[tuple[str, str], FinalAccount], *, whole: bool) -> list[Statement]:
        """The account of every producer and collection, those that only a report knows of included.

        Args:
            told: what final reports say, by producer and collection; see `final_report.told`.
            whole: every hour was read; otherwise numbers before the first one belong to other hours.
        """
        accounts = {(key[0], key[1]): account for key, account in self._accounts.items() if key[0]}
        silent = [
            Account(producer=producer, collection=collection)
            for producer, collection in told
            if collection != UNREADABLE and (producer, collection) not in accounts
        ]
        excuses = {producer: one.lost_in_total for (producer, name), one in told.items() if name == UNREADABLE}
        statements = []
        for account in sorted([*self._accounts.values(), *silent], key=_order):
            report = told.get((account.producer, account.collection))
            one = draw_up(account, report, whole=whole)
            if one.missing and (excused := min(one.missing, excuses.get(account.producer, 0))):
                excuses[account.producer] -= excused
                one = draw_up(account, report, whole=whole, excused=excused)
            statements.append(one)
        return statements


def _key(producer: str, event_type: str, source: str) -> _Key:
    """A producer numbers its events per collection; where none is named, the source must tell accounts apart."""
    return (producer, event_type.removeprefix(semconv.EVENT_TYPE_PREFIX), "" if producer else source)


def _order(account: Account) -> tuple[str, ...]:
    return (*account.tenant, account.collection, account.producer)

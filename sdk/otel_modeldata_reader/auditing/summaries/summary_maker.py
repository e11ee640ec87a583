"""Makes the summary of lines: counts every line under its producer and collection, and checks it.

A line is counted under the deployment of its folder, because its sender may write there; what a line names itself
proves nothing. There it is counted under the producer and collection that it names. So a sender changes no account of
another deployment, whatever ids it sends.

Whole blocks of lines are decoded at once, and their columns are checked together. Only lines that differ from what this
receiver writes are looked at one by one, with the same result. This module does not depend on stores or files: its
input is lines and the name of their blob.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from msgspec import UNSET

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import parse_blob_path, tenant_of
from otel_modeldata_receiver.mapping.cloudevent import content_range

from ...lines.envelope import is_utf8
from .. import stored_line
from ..fault import Fault
from ..number_ranges import IdSet
from ..reconciliation import ProducerCounts
from .hour_summary import FAULTS, AccountCounts, BlobLines, HourSummary, Reference, Summarized
from .id_hashes import hash_of, hashes_of, in_space
from .line_decoder import LineDecoder

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from otel_modeldata_receiver.layout.blob_path import BlobPath

    from ..stored_line import StoredLine

__all__ = ["AccountKey", "SummaryMaker", "account_key", "account_of", "tenant_of_line"]

AccountKey = tuple[str, str, str]
"""Producer, collection and account: the key of the counts; an account is `endpoint/deployment`, as the folders are."""
_FEW_LINES: Final = 32
"""So many lines are decoded one by one if they cannot be decoded together; more are halved."""
_MOST_SIZES: Final = 100_000
"""Content ranges that are kept as texts."""
_MOST_DIGITS: Final = 18
_OPEN, _CLOSE, _FEED, _Z = (ord(character) for character in "{}\nZ")


@dataclass(slots=True, frozen=True)
class _Part:
    """The lines of one producer, type and source in a blob.

    Attributes:
        counts: where they are counted.
        space: of their ids: those of an account, source and type are one space.
        named: the space in the deployment that they name, if that is another one than the folder's.
        misplaced: why they do not belong into the folder.
        fault: what that is: `misplaced` or `forged`.
    """

    counts: ProducerCounts
    space: int
    named: int | None
    misplaced: str | None
    fault: str


class _Ranges(dict[int, str]):
    def __missing__(self, size: int) -> str:
        text = content_range(size)
        if len(self) < _MOST_SIZES:
            self[size] = text
        return text


_RANGES: Final = _Ranges()


class SummaryMaker:
    """Summarizes lines that are given to it block by block.

    Args:
        decoder: has learned from other lines already.
        stored: hashes of ids that are stored elsewhere, ascending: their lines are duplicates.
    """

    def __init__(self, decoder: LineDecoder | None = None, stored: NDArray[np.int64] | None = None) -> None:
        self._decoder = decoder or LineDecoder()
        self._stored = stored
        self._ids = IdSet()
        self._named: list[NDArray[np.int64]] = []
        self._blobs: dict[str, BlobLines] = {}
        self._counts: dict[AccountKey, ProducerCounts] = {}
        self._faults = {name: Fault() for name in FAULTS}
        self._references: list[Reference] = []
        self._lines = 0
        self._path = parse_blob_path("")
        self._parts: dict[tuple[str, str, str], _Part] = {}

    def add(self, blob: str, before: int, content: bytes | memoryview) -> int:
        """Count and check some lines of a blob; return how many they are, with blank ones.

        Args:
            blob: its name.
            before: number of its lines before these.
            content: the lines; all but the last one of a blob end with a line feed.
        """
        if not content:
            return 0
        if blob != self._path.name:
            self._path, self._parts = parse_blob_path(blob), {}
        ends = np.flatnonzero(np.frombuffer(content, np.uint8) == _FEED)
        is_whole = content[-1] == _FEED
        if not is_whole:
            ends = np.append(ends, len(content))
        known = self._blobs.get(blob)
        self._blobs[blob] = BlobLines(
            name=blob,
            size=len(content) + (0 if known is None else known.size),
            lines=len(ends) + (0 if known is None else known.lines),
            is_whole=is_whole,
        )
        self._add(content, ends, before + 1)
        return len(ends)

    def made(self) -> Summarized:
        """The summary of all lines."""
        accounts = [
            AccountCounts(
                producer=producer,
                collection=collection,
                account=account,
                tenant=one.tenant,
                stored=one.stored,
                numbered=one.numbered,
                unnumbered=one.unnumbered,
                duplicates=one.duplicates,
                ranges=one.stored_numbers.ranges(),
            )
            for (producer, collection, account), one in self._counts.items()
        ]
        summary = HourSummary(
            blobs=list(self._blobs.values()),
            lines=self._lines,
            accounts=accounts,
            faults={name: fault for name, fault in self._faults.items() if fault.count},
            references=self._references,
        )
        named = np.unique(np.concatenate([np.empty(0, np.int64), *self._named]))
        return Summarized(summary, self._ids.ascending(), named)

    # --- blocks of lines ------------------------------------------------------------------------------------------

    def _add(self, content: bytes | memoryview, ends: NDArray[np.int64], first: int) -> None:
        """Add lines that end at `ends`, the first of which has the number `first`."""
        if not len(ends):
            return
        lines = self._decoded(content, ends)
        if lines is not None:
            self._lines += len(lines)
            self._count(content, ends, first, lines, np.arange(len(lines)))
        elif len(ends) > _FEW_LINES:
            middle = len(ends) // 2
            cut = int(ends[middle - 1]) + 1
            self._add(content[:cut], ends[:middle], first)
            self._add(content[cut:], ends[middle:] - cut, first + middle)
        else:
            self._add_one_by_one(content, ends, first)

    def _decoded(self, content: bytes | memoryview, ends: NDArray[np.int64]) -> list[StoredLine] | None:
        """The lines, if each of them is one event from its first byte to its last one."""
        array = np.frombuffer(content, np.uint8)
        if array[0] != _OPEN or (array[ends[:-1] + 1] != _OPEN).any() or (array[ends - 1] != _CLOSE).any():
            return None  # else an event could span lines, because a line feed is white space in JSON
        if not is_utf8(content):
            return None  # the values that are skipped are not checked
        lines = self._decoder.decode_lines(content)
        return lines if lines is not None and len(lines) == len(ends) else None

    def _add_one_by_one(self, content: bytes | memoryview, ends: NDArray[np.int64], first: int) -> None:
        lines, places = [], []
        start = 0
        for place, end in enumerate(ends.tolist()):
            raw = bytes(content[start:end])
            start = end + 1
            if not raw or raw.isspace():
                continue  # readers skip blank lines
            self._lines += 1
            try:
                lines.append(stored_line.decode(raw))
            except (ValueError, RecursionError) as error:
                reason = f"expected a CloudEvent in JSON, got {len(raw)} bytes: {error}"
                self._faults["unreadable"].add(self._path.name, first + place, reason)
            else:
                places.append(place)
        self._count(content, ends, first, lines, np.array(places, np.int64))

    def _count(
        self,
        content: bytes | memoryview,
        ends: NDArray[np.int64],
        first: int,
        lines: Sequence[StoredLine],
        places: NDArray[np.int64],
    ) -> None:
        """Count and check decoded lines; `places` are their positions among `ends`."""
        if not lines:
            return
        parts, part_of = self._parts_of(lines)
        misplaced = np.array([part.misplaced is not None for part in parts])[part_of]
        for place in np.flatnonzero(misplaced | _mistimed(lines, self._path.time_prefix)).tolist():
            part = parts[part_of[place]]
            problem = part.misplaced or self._path.mistimed(lines[place].time)
            if problem is not None:
                self._faults[part.fault].add(self._path.name, first + int(places[place]), problem)
        for place in _unusual(lines):
            end = int(ends[places[place]])
            start = int(ends[places[place] - 1]) + 1 if places[place] else 0
            self._check_payload(first + int(places[place]), lines[place], bytes(content[start:end]))
        self._count_events(lines, parts, part_of, first + places)

    def _parts_of(self, lines: Sequence[StoredLine]) -> tuple[list[_Part], NDArray[np.int64]]:
        """The parts that lines belong to, and for each line the place of its part."""
        one = lines[0]
        if all(
            values.count(values[0]) == len(values)
            for values in (
                [line.producer for line in lines],
                [line.type for line in lines],
                [line.source for line in lines],
            )
        ):
            return [self._part(one)], np.zeros(len(lines), np.int64)
        names = [(line.producer, line.type, line.source) for line in lines]
        place_of: dict[tuple[str, str, str], int] = {}
        parts: list[_Part] = []
        for name, line in zip(names, lines, strict=True):
            if name not in place_of:
                place_of[name] = len(parts)
                parts.append(self._part(line))
        return parts, np.array([place_of[name] for name in names], np.int64)

    def _part(self, line: StoredLine) -> _Part:
        names = (line.producer, line.type, line.source)
        part = self._parts.get(names)
        if part is None:
            part = self._parts[names] = self._new_part(self._path, line)
        return part

    def _new_part(self, path: BlobPath, line: StoredLine) -> _Part:
        tenant = tenant_of_line(path, line.source)
        key = account_key(line.producer, line.type, tenant, line.source)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = ProducerCounts(producer=key[0], collection=key[1], tenant=tenant)
        account = account_of(tenant)
        named = tenant_of(line.source)
        is_other = named is not None and account_of(named).lower() != account.lower()
        is_forged = is_other and bool(path.endpoint) and line.type == semconv.event_type(path.collection)
        return _Part(
            counts,
            _space(account, line),
            _space(account_of(named), line) if named is not None and is_other else None,
            path.misplaced(line.source, line.type),
            "forged" if is_forged else "misplaced",  # a line of another deployment and of another time is the first
        )

    def _count_events(
        self,
        lines: Sequence[StoredLine],
        parts: Sequence[_Part],
        part_of: NDArray[np.int64],
        line_numbers: NDArray[np.int64],
    ) -> None:
        hashes = hashes_of([line.id for line in lines])
        spaces = np.array([part.space for part in parts], np.int64)
        ids = in_space(hashes, spaces[part_of])
        is_new = self._ids.add(ids)
        is_stored = np.zeros(len(lines), np.bool_) if self._stored is None else _are_in(self._stored, ids)
        for place, part in enumerate(parts):
            if part.named is not None:
                of_part = part_of == place
                named = in_space(hashes[of_part], np.array([part.named], np.int64))
                self._named.append(np.unique(named))
                if self._stored is not None:
                    is_stored[of_part] |= _are_in(self._stored, named)
        is_new &= ~is_stored
        for place in np.flatnonzero(~is_new).tolist():
            reason = f"expected a new id, got {lines[place].id[:200]!r} again"
            self._faults["duplicated"].add(self._path.name, int(line_numbers[place]), reason)
        numbers = _numbers(lines)
        if len(parts) == 1:
            parts[0].counts.add_lines(numbers, is_new)
            return
        order = np.argsort(part_of, kind="stable")
        cuts = np.searchsorted(part_of[order], np.arange(1, len(parts)))
        for part, of_part in zip(parts, np.split(order, cuts), strict=True):
            part.counts.add_lines(numbers[of_part], is_new[of_part])

    # --- a line against its content -------------------------------------------------------------------------------

    def _check_payload(self, number: int, line: StoredLine, raw: bytes) -> None:
        problem = stored_line.size_problem(line, raw)
        if problem is not None:
            self._faults["content_range"].add(self._path.name, number, problem)
        url = stored_line.reference(line)
        if url is not None:
            self._references.append(stored_line.reference_of(self._path.name, number, line, url))


def tenant_of_line(path: BlobPath, source: str) -> tuple[str, str]:
    """The deployment of a folder; outside of the layout, in a folder that the operator chose, that of the source."""
    return (path.endpoint, path.deployment) if path.endpoint else tenant_of(source) or ("", "")


def account_key(producer: str, event_type: str, tenant: tuple[str, str], source: str) -> AccountKey:
    """The key of the counts. A producer numbers its events per collection; without one the source is a part of it."""
    account = account_of(tenant)
    return (
        producer,
        event_type.removeprefix(semconv.EVENT_TYPE_PREFIX),
        account if producer else f"{account} {source}",
    )


def account_of(tenant: tuple[str, str]) -> str:
    """`endpoint/deployment`; empty if neither is known."""
    return "/".join(tenant) if any(tenant) else ""


def _space(account: str, line: StoredLine) -> int:
    """Of the ids of a source, which several accounts have if it names none of them: a machine, for example."""
    return hash_of(f"{len(account)} {account} {len(line.source)} {line.source} {line.type}")


def _are_in(ascending: NDArray[np.int64], hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(hashes), np.bool_)
    found: NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, hashes), len(ascending) - 1)] == hashes
    return found


def _mistimed(lines: Sequence[StoredLine], prefix: str) -> NDArray[np.bool_]:
    """Whether the time of each line is another one than those that this receiver writes into the folder."""
    times = [line.time for line in lines]
    joined = "".join(times)
    length = len(times[0])
    if not joined.isascii() or length <= len(prefix) or list(map(len, times)).count(length) != len(times):
        return np.array([not (time.startswith(prefix) and time.endswith("Z")) for time in times], np.bool_)
    table = np.frombuffer(joined.encode(), np.uint8).reshape(len(times), length)
    begins = np.frombuffer(prefix.encode(), np.uint8)
    found: NDArray[np.bool_] = (table[:, : len(begins)] != begins).any(axis=1) | (table[:, -1] != _Z)
    return found


def _unusual(lines: Sequence[StoredLine]) -> list[int]:
    """The places of lines whose payload is elsewhere, or has not the size that a line usually states."""
    payloads = [line.data for line in lines]
    given = [line.contentrange for line in lines]
    if not (
        payloads.count(UNSET)
        or [line.dataref for line in lines].count(UNSET) < len(lines)
        or [line.datainblob for line in lines].count(UNSET) < len(lines)
    ):
        usual: list[str] = list(map(_RANGES.__getitem__, map(len, payloads)))  # type: ignore[arg-type] # none is unset
        return [] if given == usual else [place for place, one in enumerate(usual) if one != given[place]]
    return list(range(len(lines)))


def _numbers(lines: Sequence[StoredLine]) -> NDArray[np.int64]:
    """The number of each event; -1 without one."""
    texts = [line.producersequence for line in lines]
    joined = "".join(texts)
    lengths = list(map(len, texts))
    if (
        [line.producer for line in lines].count("")
        or not (joined.isascii() and joined.isdecimal())
        or not 0 < min(lengths) <= max(lengths) <= _MOST_DIGITS
    ):
        return np.array([stored_line.sequence_of(line) for line in lines], np.int64)
    if lengths.count(length := lengths[0]) < len(lengths):
        return np.array(list(map(int, texts)), np.int64)
    digits = np.frombuffer(joined.encode(), np.uint8).reshape(len(texts), length) - np.int64(ord("0"))
    return digits @ (10 ** np.arange(length - 1, -1, -1, dtype=np.int64))

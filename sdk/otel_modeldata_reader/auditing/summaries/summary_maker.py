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

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import parse_blob_path, tenant_of

from ...lines.envelope import is_utf8
from .. import stored_line
from ..fault import Fault, Location
from ..number_ranges import IdSet, distinct
from ..reconciliation import ProducerCounts
from .hour_summary import FAULTS, AccountCounts, BlobLines, HourSummary, Reference, Summarized
from .id_hashes import hash_of, hashes_of, in_space
from .line_block import LineBlock
from .line_columns import are_mistimed, numbers_of, unusual
from .line_decoder import LineDecoder
from .shaped_lines import ShapedLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from otel_modeldata_receiver.layout.blob_path import BlobPath

    from ..stored_line import StoredLine

__all__ = ["AccountKey", "SummaryMaker", "account_key", "account_of", "tenant_of_line"]

AccountKey = tuple[str, str, str]
"""Producer, collection and account: the key of the counts; an account is `endpoint/deployment`, as the folders are."""
_FEW_LINES: Final = 32
"""So many lines are decoded one by one if they cannot be decoded together; more are halved."""
_SCANNED_BYTES: Final = 512 << 10
_OPEN, _CLOSE, _FEED = b"{}\n"


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


class _Events:
    """The events of a block, in any order."""

    def __init__(self) -> None:
        self.parts: list[_Part] = []
        self._of: dict[int, int] = {}
        self._found: list[tuple[NDArray[np.int64], ShapedLines]] = []

    def add(self, parts: Sequence[_Part], part_of: NDArray[np.int64], lines: ShapedLines) -> None:
        """Add events, of which each belongs to the part that `part_of` has."""
        for part in parts:
            if id(part) not in self._of:
                self._of[id(part)] = len(self.parts)
                self.parts.append(part)
        self._found.append((np.array([self._of[id(part)] for part in parts], np.int64)[part_of], lines))

    def in_order(
        self,
    ) -> tuple[list[_Part], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """The parts, and for each event in the order of lines its part, place, hash of the id, and number."""
        if len(self._found) == 1:
            ((part_of, one),) = self._found
            return self.parts, part_of, one.places, one.hashes, one.numbers
        columns = [(part_of, one.places, one.hashes, one.numbers) for part_of, one in self._found]
        part_of, places, hashes, numbers = (np.concatenate(column) for column in zip(*columns, strict=True))
        order = np.argsort(places)
        return self.parts, part_of[order], places[order], hashes[order], numbers[order]


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
        ends = _line_feeds(np.frombuffer(content, np.uint8))
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
        self._add(LineBlock(memoryview(content), ends, np.arange(before + 1, before + 1 + len(ends))))
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
            for (producer, collection, account), one in sorted(self._counts.items())
            if one.stored or one.duplicates  # none of an account whose lines were only looked for
        ]
        summary = HourSummary(
            blobs=list(self._blobs.values()),
            lines=self._lines,
            accounts=accounts,
            faults={name: fault for name, fault in self._faults.items() if fault.count},
            references=self._references,
        )
        named = distinct(np.concatenate([np.empty(0, np.int64), *self._named]))
        return Summarized(summary, self._ids.ascending(), named)

    # --- blocks of lines ------------------------------------------------------------------------------------------

    def _add(self, block: LineBlock) -> None:
        shaped: list[ShapedLines] = []
        if is_utf8(block.content):  # no decoder checks the values that it skips
            shaped = self._decoder.shapes.found(block.content, block.ends, self._path.time_prefix, self._belongs)
        found = _Events()
        is_left = np.ones(len(block.ends), np.bool_)
        for one in shaped:
            is_left[one.places] = False
            self._lines += len(one.places)
            found.add([self._part(one.line)], np.zeros(len(one.places), np.int64), one)
        if not shaped:
            self._add_decoded(block, np.arange(len(block.ends)), found)
        elif is_left.any():
            rest = np.flatnonzero(is_left)
            self._add_decoded(block.only(rest), rest, found)
        if found.parts:
            self._count(block, found)

    def _belongs(self, line: StoredLine) -> bool:
        part = self._part(line)
        return part.misplaced is None and part.named is None

    def _add_decoded(self, block: LineBlock, places: NDArray[np.int64], found: _Events) -> None:
        """Decode lines and check them; `places` are those that they have in the whole block."""
        lines, own = [], []
        for some, of_them in self._decoded(block, 0):
            lines += some
            own.append(of_them)
        if not lines:
            return
        kept = np.concatenate(own)
        parts, part_of = self._parts_of(lines)
        misplaced = np.array([part.misplaced is not None for part in parts])[part_of]
        for place in np.flatnonzero(misplaced | are_mistimed(lines, self._path.time_prefix)).tolist():
            part = parts[part_of[place]]
            problem = part.misplaced or self._path.mistimed(lines[place].time)
            if problem is not None:
                self._faults[part.fault].add(self._path.name, int(block.numbers[kept[place]]), problem)
        for place in unusual(lines):
            self._check_payload(int(block.numbers[kept[place]]), lines[place], block.line(int(kept[place])))
        hashes = hashes_of([line.id for line in lines])
        found.add(parts, part_of, ShapedLines(lines[0], places[kept], hashes, numbers_of(lines)))

    def _decoded(self, block: LineBlock, start: int) -> Iterator[tuple[list[StoredLine], NDArray[np.int64]]]:
        """The lines that are events, with their places, which begin with `start`."""
        lines = self._decoded_at_once(block)
        count = len(block.ends)
        if lines is not None:
            self._lines += count
            yield lines, np.arange(start, start + count)
        elif count > _FEW_LINES:
            for part, offset in block.halves():
                yield from self._decoded(part, start + offset)
        else:
            yield self._decoded_one_by_one(block, start)

    def _decoded_at_once(self, block: LineBlock) -> list[StoredLine] | None:
        """The lines, if each of them is one event from its first byte to its last one."""
        array, ends = np.frombuffer(block.content, np.uint8), block.ends
        if array[0] != _OPEN or (array[ends[:-1] + 1] != _OPEN).any() or (array[ends - 1] != _CLOSE).any():
            return None  # else an event could span lines, because a line feed is white space in JSON
        if not is_utf8(block.content):
            return None
        lines = self._decoder.decode_lines(block.content)
        return lines if lines is not None and len(lines) == len(ends) else None

    def _decoded_one_by_one(self, block: LineBlock, start: int) -> tuple[list[StoredLine], NDArray[np.int64]]:
        lines, places = [], []
        for place in range(len(block.ends)):
            raw = block.line(place)
            if not raw or raw.isspace():
                continue  # readers skip blank lines
            self._lines += 1
            try:
                lines.append(stored_line.decode(raw))
            except (ValueError, RecursionError) as error:
                reason = f"expected a CloudEvent in JSON, got {len(raw)} bytes: {error}"
                self._faults["unreadable"].add(self._path.name, int(block.numbers[place]), reason)
            else:
                places.append(start + place)
        return lines, np.array(places, np.int64)

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

    def _count(self, block: LineBlock, events: _Events) -> None:
        parts, part_of, places, hashes, numbers = events.in_order()
        spaces = np.array([part.space for part in parts], np.int64)
        ids = in_space(hashes, spaces[part_of])
        is_new = self._ids.add(ids)
        is_stored = np.zeros(len(ids), np.bool_) if self._stored is None else _are_in(self._stored, ids)
        for place, part in enumerate(parts):
            if part.named is not None:
                of_part = part_of == place
                named = in_space(hashes[of_part], np.array([part.named], np.int64))
                self._named.append(distinct(named))
                if self._stored is not None:
                    is_stored[of_part] |= _are_in(self._stored, named)
        is_new &= ~is_stored
        if not is_new.all():
            again = places[~is_new]
            self._faults["duplicated"].add_all(len(again), self._repetitions(block, again))
        if len(parts) == 1:
            parts[0].counts.add_lines(numbers, is_new)
            return
        order = np.argsort(part_of, kind="stable")
        cuts = np.searchsorted(part_of[order], np.arange(1, len(parts)))
        for part, of_part in zip(parts, np.split(order, cuts), strict=True):
            part.counts.add_lines(numbers[of_part], is_new[of_part])

    def _repetitions(self, block: LineBlock, places: NDArray[np.int64]) -> Iterator[Location]:
        for place in places.tolist():
            reason = f"expected a new id, got {stored_line.decode(block.line(place)).id[:200]!r} again"
            yield Location(blob=self._path.name, line=int(block.numbers[place]), reason=reason)

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


def _line_feeds(content: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Where line feeds are."""
    found = []
    is_feed = np.empty(min(_SCANNED_BYTES, len(content)), np.bool_)  # in the cache of a core, and used again
    for start in range(0, len(content), _SCANNED_BYTES):
        part = content[start : start + _SCANNED_BYTES]
        found.append(np.flatnonzero(np.equal(part, _FEED, out=is_feed[: len(part)])) + start)
    return np.concatenate(found)


def _are_in(ascending: NDArray[np.int64], hashes: NDArray[np.int64]) -> NDArray[np.bool_]:
    if not len(ascending):
        return np.zeros(len(hashes), np.bool_)
    found: NDArray[np.bool_] = ascending[np.minimum(np.searchsorted(ascending, hashes), len(ascending) - 1)] == hashes
    return found

"""What the records of a request become, piece by piece.

Each record is mapped on its own. What its line takes counts against the bound of its deployment (`outline.Share`); the
records beyond the bound are kept together, in quarantine.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Final, TypeAlias

import msgspec

from ..exceptions import BadRecordError
from .bounds.outline import bytes_bound, folders_bound
from .bounds.record_cost import LARGE_BYTES, check_values, is_light
from .event import LargePayload, PlacedLine
from .protowire import content_of, field
from .quarantine import MAX_INLINE_RESOURCE_BYTES, Rejected
from .rejection import reason_of_bug, rejected, unknown_identity

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping, Sequence

    from ..config.limits import LimitsConfig
    from ..line import Line
    from .bounds.outline import Part, Share
    from .event import Outcome
    from .line_template.record_run import RecordRun
    from .otlp import Record
    from .protowire import EmbeddedMessages
    from .scope import Mappers
    from .signal import RecordMapper, Signal

__all__ = ["Mapped", "Outcomes", "Step", "Work"]

PIECE_BYTES: Final = 1024 * 1024
"""A piece ends when its lines are this much larger than twice its records: the lines of a bomb are never in memory at
the same time. Ordinary requests, whose lines are at most twice as large, are one piece."""
_PIECE_RECORDS: Final = 768
"""A piece has at most 1,024, with those that are mapped together last: its lines are queued in one go."""
_FIRST_RUN_RECORDS: Final = 64
"""Small records that are mapped together at first, in a third of a millisecond. Then twice as many as the last time, so
that fewer are looked at together where runs are short, as in the records of some events a second."""
_RUN_RECORDS: Final = 256
_RUN_BYTES: Final = 256 * 1024
"""Small records that are mapped together at most, in about a millisecond: each run has a cost of its own."""
_MOST_RUN_BYTES: Final = 2 * _RUN_BYTES
"""Their lines: ordinary ones are at most twice as large as their records."""
_FEWER: Final = 4
"""Where lines are larger than that, as with a long source in each, so many times fewer are made together."""
_CHUNK_RECORDS: Final = 16
_CHUNK_BYTES: Final = 16 * 1024
"""Larger records are mapped fewer at a time: each of them may have thousands of values."""
_STEP_RECORDS: Final = 32
_STEP_BYTES: Final = 32 * 1024
"""Records and bytes that are mapped in one step, in less than a millisecond."""
MOST_SINGLE: Final = 256
"""Records of one deployment in one request that have a line of quarantine each; the others have one together."""
_REST_STEP: Final = 2_048
_QUARANTINE_LINE_BYTES: Final = 300
"""Of a line of quarantine, beside the bytes of its record and resource, which are in base64."""

Work: TypeAlias = "Callable[[], Outcome | Exception]"
"""The mapping of a record that takes long, for a thread; its result is sent to the generator."""


class Mapped(msgspec.Struct, frozen=True, kw_only=True):
    """A mapped request, or a piece of one: the lines and objects for the sink to store.

    Attributes:
        lines: the lines by folder, in the order of the records.
        large: events whose payload is stored as an object before their line.
        rejected: records that cannot become lines.
        defects: internal errors that caused a rejection, or that records were mapped one by one; the reasons of
            rejections contain only the names of their types.
        records: how many records it has.
        left_out: how many of them are spans that the settings exclude.
        calls_without_content: how many of them are calls of a language model that succeeded and carry no content.
        bytes_by_tenant: bytes of the lines by deployment.
        records_by_tenant: how many records each tenant sent, `endpoint/deployment`; those of no tenant are left out.
        refused: how many records are neither stored nor kept, by reason.
    """

    lines: Mapping[str, Sequence[Line]] = msgspec.field(default_factory=dict)
    large: tuple[LargePayload, ...] = ()
    rejected: tuple[Rejected, ...] = ()
    defects: tuple[Exception, ...] = ()
    records: int = 0
    left_out: int = 0
    calls_without_content: int = 0
    bytes_by_tenant: Mapping[str, int] = msgspec.field(default_factory=dict)
    records_by_tenant: Mapping[str, int] = msgspec.field(default_factory=dict)
    refused: Mapping[str, int] = msgspec.field(default_factory=dict)

    @property
    def folders(self) -> list[str]:
        """The folders of all lines, large payloads included."""
        return [*self.lines, *(large.event.folder for large in self.large)]

    @property
    def line_bytes(self) -> int:
        """Bytes of all lines."""
        return sum(self.bytes_by_tenant.values())


Step: TypeAlias = "Mapped | Work | None"
"""A piece of a request; work for a thread; or None, where other requests may go on."""


class Outcomes:
    """Collects what the records of one request become.

    Args:
        signal: the signal of the records.
        limits: the bounds on what one deployment may have in it.
        in_pieces: end a piece after `PIECE_BYTES` of lines, or `_PIECE_RECORDS`.
    """

    def __init__(self, signal: Signal, limits: LimitsConfig, *, in_pieces: bool = False) -> None:
        self._signal = signal
        self._limits = limits
        self._most_bytes = PIECE_BYTES if in_pieces else math.inf
        self._most_records = _PIECE_RECORDS if in_pieces else math.inf
        self._earlier: set[str] = set()
        """Folders of the pieces before this one; for each deployment they are bounded."""
        self._lines: defaultdict[str, list[Line]] = defaultdict(list)
        self._large_folders: set[str] = set()
        self._begin_piece()
        self._together: list[bytes] = []
        """Records of this scope that were rejected after `MOST_SINGLE` others."""
        self._reason = ""
        self._steps = self._bytes = 0
        """Records and bytes since the last step ended."""

    def _begin_piece(self) -> defaultdict[str, list[Line]]:
        """Begin to collect another piece; returns its lines by their folders, to be added to."""
        self._earlier |= self._lines.keys() | self._large_folders
        self._lines = defaultdict(list)
        self._large_folders = set()
        self._large: list[LargePayload] = []
        self._rejected: list[Rejected] = []
        self._defects: list[Exception] = []
        self._records: defaultdict[str, int] = defaultdict(int)
        self._sizes: defaultdict[str, int] = defaultdict(int)
        self._refused: defaultdict[str, int] = defaultdict(int)
        self._left_out = 0
        self._calls_without_content = 0
        self._surplus = 0
        """Bytes of the lines of this piece beyond twice the size of its records."""
        self._piece_bytes = self._piece_records = 0
        return self._lines

    def piece(self) -> Mapped:
        """What was collected in this piece."""
        return Mapped(
            lines={folder: tuple(lines) for folder, lines in self._lines.items()},
            large=tuple(self._large),
            rejected=tuple(self._rejected),
            defects=tuple(self._defects),
            records=sum(self._records.values()),
            left_out=self._left_out,
            calls_without_content=self._calls_without_content,
            bytes_by_tenant=dict(self._sizes),
            records_by_tenant={tenant: count for tenant, count in self._records.items() if tenant},
            refused=dict(self._refused),
        )

    def map_all(self, part: Part, scope: Mappers) -> Generator[Step, Outcome | Exception | None, None]:
        """Map the records of one scope."""
        share, records, lines = part.share, part.records.records, self._lines
        room, done, counted = share.room(self._limits), 0, 0
        self._steps += 1
        most_folders, most_records = self._limits.folders_per_request, _FIRST_RUN_RECORDS
        longest = _RUN_RECORDS
        while done < len(records) and room >= 0 and share.folders <= most_folders:
            chunk = _cut(records.some(done, most_records), _RUN_BYTES)
            folders = len(lines)
            last: Outcome | Exception = None
            runs = self._runs_of(scope.mapper, chunk)
            size = sum(run.size for run in runs) if runs else 0
            opened = len({run.folder for run in runs} - lines.keys() - self._earlier) if runs else 0
            if runs and size <= min(room, _MOST_RUN_BYTES) and share.folders + opened <= most_folders:
                taken = sum(len(run.lines) for run in runs)
                most_records = min(longest, max(_CHUNK_RECORDS, 2 * taken))
                chunk = chunk.some(0, taken)
                for run in runs:
                    lines[run.folder] += run.lines
            else:
                most_records = min(most_records, _FIRST_RUN_RECORDS)
                if runs:
                    most_records = longest = max(1, most_records // _FEWER)
                chunk = _cut(chunk.some(0, min(_CHUNK_RECORDS, most_folders - share.folders + 1)), _CHUNK_BYTES)
                size, last = yield from self._map_each(chunk.contents(LARGE_BYTES), share, scope)
            sent = chunk.size
            done += len(chunk)
            share.folders += len({*islice(reversed(lines), len(lines) - folders)} - self._earlier)
            if share.folders > most_folders:  # by one, which the last record of the chunk opened
                done -= 1
                size -= self._take_back(last)
            room -= size
            self._steps += len(chunk)
            self._bytes += size + sent
            self._surplus += size - 2 * sent
            self._piece_bytes += size
            self._piece_records += len(chunk)
            if self._steps >= _STEP_RECORDS or self._bytes >= _STEP_BYTES:
                self._steps = self._bytes = 0
                yield None
                if (
                    self._surplus > PIECE_BYTES
                    or self._piece_bytes > self._most_bytes
                    or self._piece_records > self._most_records
                ):
                    self._count(share, done - counted, room)
                    counted = done
                    yield self.piece()
                    lines = self._begin_piece()
        self._count(share, done - counted, room)
        self._calls_without_content += scope.calls_without_content
        if self._together or done < len(records):
            yield from self._end_scope(part, records[done:].contents(LARGE_BYTES), room)

    def _runs_of(self, mapper: RecordMapper, records: EmbeddedMessages) -> Sequence[RecordRun]:
        """The lines of the first of some records, made together; none where each is to be mapped alone."""
        if len(records) == 1 or records.largest > LARGE_BYTES:
            return ()
        try:
            return mapper.runs_of(records)
        except Exception as error:  # noqa: BLE001 (error boundary: each record is mapped alone, and the bug is reported)
            if not any(type(error) is type(defect) for defect in self._defects):
                self._defects.append(error)
            return ()

    def _map_each(
        self, chunk: Sequence[Record], share: Share, scope: Mappers
    ) -> Generator[Step, Outcome | Exception | None, tuple[int, Outcome | Exception]]:
        """Map some records, each alone; returns the bytes that they take, and the result for the last one."""
        lines, map_, size = self._lines, scope.mapper.map, 0
        outcome: Outcome | Exception = None
        for record in chunk:  # the hot path: nothing is counted here that can be counted for all of them
            if len(record) > LARGE_BYTES:
                outcome = yield from self._map_large(record, scope)
            else:
                try:
                    outcome = map_(record)  # type: ignore[arg-type]  # only large ones are not copied
                except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only this record)
                    outcome = error
            if isinstance(outcome, PlacedLine):
                line = outcome.line
                size += len(line.data)
                lines[outcome.folder].append(line)
            else:
                size += self._add(record, outcome, share, scope)
        return size, outcome

    def _end_scope(self, part: Part, rest: Sequence[Record], room: int) -> Iterator[None]:
        """Keep the records of a scope that are kept together: those beyond a bound are `rest`."""
        if self._together:
            together, self._together = self._together, []
            yield from _keep_rest(part, together, self._reason)
        if rest:
            bound = bytes_bound(part.share, self._limits) if room < 0 else folders_bound(self._limits)
            yield from _keep_rest(part, rest, bound)

    def _take_back(self, outcome: Outcome | Exception) -> int:
        """Remove the only event of a folder, and return the bytes that it takes."""
        if isinstance(outcome, PlacedLine):
            del self._lines[outcome.folder]
            return len(outcome.line.data)
        return len(self._large.pop().content)

    def _map_large(
        self, large: Record, scope: Mappers
    ) -> Generator[Step, Outcome | Exception | None, Outcome | Exception]:
        """The result for a record that may take long."""
        message = self._signal.message
        try:
            line = scope.mapper.line_of_large(large)
        except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only this record)
            return error
        if line is not None:
            return line
        record = content_of(large)
        if not is_light(record, message):
            return (yield partial(_mapped_alone, scope.alone, record, message, self._limits.max_record_values))
        try:
            return scope.mapper.map(record)
        except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only this record)
            return error

    def _add(self, encoded: Record, outcome: LargePayload | Exception | None, share: Share, scope: Mappers) -> int:
        """Collect what is no line, and return the bytes that it takes."""
        if isinstance(outcome, LargePayload):
            self._large.append(outcome)
            folder = outcome.event.folder
            if folder not in self._large_folders and folder not in self._lines and folder not in self._earlier:
                self._large_folders.add(folder)
                share.folders += 1
            return len(outcome.content)
        if outcome is None:
            self._left_out += 1
            return 0
        if isinstance(outcome, BadRecordError):
            reason = str(outcome)
        else:
            reason = reason_of_bug(outcome)
            if not any(outcome is defect for defect in self._defects[-1:]):
                self._defects.append(outcome)
        share.rejected += 1
        record = content_of(encoded)
        if share.rejected > MOST_SINGLE:
            self._together.append(record)
            self._records[share.tenant] -= 1  # it is counted with the rest of its share
            self._reason = reason
            return len(record)
        light = len(record) <= LARGE_BYTES or is_light(record, self._signal.message)
        identity = self._signal.identity(record) if light else unknown_identity()
        if not scope.times.has(identity.time_ns):
            identity = identity._replace(time_ns=0)  # the folder follows from the time
        kept = rejected(record, reason, resource=scope.resource, endpoint=scope.endpoint, identity=identity)
        self._rejected.append(replace(kept, tenant=share.tenant))
        return (len(record) + min(len(scope.resource), MAX_INLINE_RESOURCE_BYTES)) * 4 // 3 + _QUARANTINE_LINE_BYTES

    def _count(self, share: Share, records: int, room: int) -> None:
        """Count what was mapped since the last call for a deployment; `room` is what is left of its bound."""
        size = share.room(self._limits) - room
        share.line_bytes += size
        self._sizes[share.tenant] += size
        self._records[share.tenant] += records

    def refuse(self, share: Share, reason: str) -> None:
        """Refuse all records of a deployment without keeping them."""
        records = share.records + share.rest_records
        self._records[share.tenant] += records
        self._refused[reason] += records

    def reject_rest(self, share: Share) -> None:
        """Reject what is beyond a bound, together."""
        if not share.rest:
            return
        request = b"".join(share.rest)
        self._records[share.tenant] += share.rest_records
        self._sizes[share.tenant] += len(request)
        self._rejected.append(
            Rejected(
                reason=share.bound,
                request=request,
                endpoint=share.tenant.partition("/")[0] or None,
                records=share.rest_records,
                tenant=share.tenant,
            )
        )


def _cut(records: EmbeddedMessages, most_bytes: int) -> EmbeddedMessages:
    """About as many of the first of some records as have so many bytes, at least one."""
    if len(records) == 1:
        return records
    size = records.size
    return records if size <= most_bytes else records.some(0, max(1, most_bytes * len(records) // size))


def _mapped_alone(mapper: RecordMapper, record: bytes, message: str, most_values: int) -> Outcome | Exception:
    try:
        check_values(record, message, most_values)
        return mapper.map(record)
    except Exception as error:  # noqa: BLE001 (error boundary: a bug costs only the record that hits it)
        return error


def _keep_rest(part: Part, rest: Sequence[Record], bound: str) -> Iterator[None]:
    """Keep records of a scope together, as a request of their own."""
    records = part.records
    encoded = [field(1, records.scope.SerializeToString())]
    for start in range(0, len(rest), _REST_STEP):
        encoded += [field(2, content_of(one)) for one in rest[start : start + _REST_STEP]]
        yield
    content = field(1, records.resource) + field(2, b"".join(encoded))
    if records.schema_url:
        content += field(3, records.schema_url.encode())
    part.share.keep(field(1, content), len(rest), bound)

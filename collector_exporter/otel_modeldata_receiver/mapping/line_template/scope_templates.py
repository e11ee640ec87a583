"""The hot path from an encoded log record to its line: the parts of the record are put into the template of its shape.

Nothing is decided here: any record that fits no template, or has a value that is not ordinary, is left to
`log_record.py`, which makes the same line or rejects the record with a reason.
"""

from __future__ import annotations

from binascii import hexlify
from typing import TYPE_CHECKING, Any, Final

import msgspec

from ...exceptions import BadRecordError, UndecodableError
from ...layout import partition
from ...layout.partition import NS_PER_SECOND
from ...line import Line
from .. import body, cloudevent, log_record, protowire
from ..bounds.record_cost import LONG_BYTES, may_have_many_rows
from ..bounds.rows_check import are_rows_as_they_are
from ..event import PlacedLine
from .learning import learn
from .record_run import made, slots_of
from .record_shape import PLAIN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

    from ..event import LargePayload
    from ..protowire import EmbeddedMessages
    from ..scope import ScopeContext
    from .record_run import RecordRun, Slots
    from .template import LineTemplate
    from .template_cache import TemplateCache

__all__ = ["ScopeTemplates"]

_MAX_LEARNED: Final = 8
"""Limit for templates learned from one scope of a request; one if the sender has its maximum already."""


_LEAST_RUN: Final = 4
"""Fewer records are mapped one by one."""
_MOST_MISSES: Final = 3
"""After so many times in a row that adjacent records were no run, those of the scope are mapped one by one."""
_MOST_IN_TURN: Final = 8
"""Templates that records have in turn: the collections that a scoring call sends."""


class _NotOrdinaryError(Exception):
    """A value is left to `log_record.py`."""


_NO_LINE: Final = (
    _NotOrdinaryError,
    BadRecordError,
    UndecodableError,
    UnicodeDecodeError,
    msgspec.DecodeError,
    RecursionError,
)


class _Second(msgspec.Struct):
    """The parts of the lines of one collection that are the same within one second, and for rows of one size.

    Attributes:
        number: the second, since the epoch.
        time: the text of that second.
        folder: the folder of that second.
        size: bytes of the last rows.
        content_range: the content range of rows of that size.
    """

    number: int
    time: bytes
    folder: str
    size: int = -1
    content_range: bytes = b""


class ScopeTemplates:
    """Makes the lines of the ordinary records of one scope.

    Args:
        scope: what the records share.
        cache: the templates of known senders.
    """

    def __init__(self, scope: ScopeContext, cache: TemplateCache) -> None:
        self._scope = scope
        self._sender = cache.of_sender((scope.resource, scope.agent))
        self._of_resource = self._sender.of_resource
        self._seconds: dict[bytes, _Second] = {}
        self._may_learn = 1 if self._sender.is_full else _MAX_LEARNED
        self._misses = 0
        """How often in a row adjacent records were no run."""
        self.fitted = False
        """Whether the last record had the shape of a template."""
        self._followed_by = self._sender.followed_by

    def line_of(self, raw: bytes, begin: int = 0, stop: int | None = None) -> PlacedLine | None:
        """The line of an encoded `LogRecord`; None where it is not ordinary.

        Args:
            raw: the record, or bytes in which it is.
            begin: where it begins.
            stop: where it ends; by default at the end of `raw`.
        """
        template = self._followed_by.get(self._sender.last)
        fitting = None if template is None else template.shape.fit(raw, begin, stop)
        if template is None or fitting is None:
            found = self._sender.fitting(raw, begin, stop)
            if found is None:
                self.fitted = False
                return None
            template, fitting = found
            self._followed_by[self._sender.last] = template
        self._sender.last = template
        self.fitted = True
        return self._fill(template, raw, len(raw) if stop is None else stop, *fitting)

    def runs_of(self, records: EmbeddedMessages) -> Sequence[RecordRun]:
        """The lines of the first of some small encoded `LogRecord`: of one shape, or of some shapes in turn.

        Each run has another folder. None where `line_of` is to be asked for each of the records.
        """
        if self._misses >= _MOST_MISSES:
            return ()
        runs: Sequence[RecordRun] = ()
        in_turn = self._templates_in_turn()
        if len(in_turn) > 1:
            runs = self._runs_of(in_turn, records)
        if not runs and in_turn:
            runs = self._runs_of(in_turn[:1], records)
        if not runs:
            found = self._found_in_turn(records)
            if found and found[0] not in in_turn[:1]:
                runs = self._runs_of(found, records)
        self._misses = 0 if runs else self._misses + 1
        return runs

    def _templates_in_turn(self) -> Sequence[LineTemplate]:
        """The templates that the next records have in turn, as far as those before them tell; often it is one."""
        template = self._followed_by.get(self._sender.last)
        in_turn: list[LineTemplate] = []
        while template is not None and template not in in_turn and len(in_turn) < _MOST_IN_TURN:
            in_turn.append(template)
            template = self._followed_by.get(template)
        return in_turn if in_turn and template is in_turn[0] else in_turn[:1]

    def _found_in_turn(self, records: EmbeddedMessages) -> Sequence[LineTemplate]:
        """The templates that records have in turn, as far as the first of them tell; often it is one."""
        found: list[LineTemplate] = []
        most = min(_MOST_IN_TURN, len(records) // _LEAST_RUN) + 1
        for begin, stop in zip(records.starts[:most], records.ends[:most], strict=True):
            fitting = self._sender.fitting(records.message, begin, stop)
            if fitting is None:
                break
            if fitting[0] in found:
                return found if fitting[0] is found[0] else found[:1]
            found.append(fitting[0])
        return found[:1]

    def _runs_of(self, in_turn: Sequence[LineTemplate], records: EmbeddedMessages) -> Sequence[RecordRun]:
        """The lines of the first of some records that have these templates in turn; none if they are too few."""
        step = len(in_turn)
        parts: list[Slots] = []
        count = len(records)
        for number, template in enumerate(in_turn):
            part = slots_of(template, records[number:count:step])
            if part is None or len(part.times) < _LEAST_RUN:
                return ()
            count = min(count, number + step * len(part.times))
            parts.append(part)
        runs: list[RecordRun] = []
        for number, (template, part) in enumerate(zip(in_turn, parts, strict=True)):
            run = self._run_of(template, part.first(len(range(number, count, step))))
            if run is None:
                return ()
            runs.append(run)
        if step > 1 and len({run.folder for run in runs}) < step:  # their lines would change places
            return ()
        self._sender.last = in_turn[(count - 1) % step]
        self._followed_by.update(zip(in_turn, (*in_turn[1:], in_turn[0]), strict=True))
        return runs

    def _run_of(self, template: LineTemplate, slots: Slots) -> RecordRun | None:
        """The lines of records that have a template."""
        time_ns, second = slots.times[0], self._seconds.get(slots.name)
        try:
            if second is None or second.number != time_ns // NS_PER_SECOND:
                second = self._open_second(slots.name, time_ns)
        except _NO_LINE:
            return None
        return made(template, slots, time=second.time, folder=second.folder, of_resource=self._of_resource)

    def learn(self, raw: bytes, record: LogRecord, outcome: PlacedLine | LargePayload) -> None:
        """Learn the template of a record that `line_of` did not take, if its shape was seen before.

        Args:
            raw: the encoded record.
            record: the same, decoded.
            outcome: what `log_record.py` made of it.
        """
        if self.fitted or not self._may_learn or not isinstance(outcome, PlacedLine):
            return
        shape = self._sender.repeated_shape(raw, record)
        if shape is None:
            return
        self._may_learn -= 1
        template = learn(shape, record, self._scope)
        fitting = shape.fit(raw)
        if template is not None and fitting is not None and self._fill(template, raw, len(raw), *fitting) == outcome:
            self._sender.add(template)
        else:
            self._sender.refuse(shape)

    def _fill(
        self, template: LineTemplate, raw: bytes, stop: int, text: bytes | memoryview, slots: tuple[bytes, ...]
    ) -> PlacedLine | None:
        """The line of a record that ends at `stop` of `raw`, with these slots; None where a value is not ordinary."""
        time_ns = int.from_bytes(slots[template.time], "little")
        if not time_ns or b"".join(template.texts(slots)).translate(None, PLAIN):
            return None
        ids = template.ids(slots)
        if not template.zero_ids.isdisjoint(ids):
            return None
        name = template.collection
        if isinstance(name, int):
            name = slots[name]
        second = self._seconds.get(name)
        try:
            if second is None or second.number != time_ns // NS_PER_SECOND:
                second = self._open_second(name, time_ns)
            if len(text) != second.size:
                second.size, second.content_range = len(text), cloudevent.content_range(len(text)).encode()
            rows = _rows(text, template) if isinstance(text, bytes) else _large_rows(text, template, raw, stop)
            derived: list[Any] = [
                second.time,
                b"%d" % time_ns,
                rows,
                second.content_range,
                *self._of_resource,
                *map(hexlify, ids),
            ]
            for index in template.numbers:
                number, end = protowire.varint(slots[index], 0)
                if end != len(slots[index]):
                    raise _NotOrdinaryError
                derived.append(b"%d" % number)
            varying = template.pick((*slots, *derived))
            if isinstance(rows, bytes):
                data = template.line % varying
            else:
                parts: list[Any] = [*template.parts]
                parts[1::2] = varying
                data = b"".join(parts)
            if rows is text and not data.isascii():  # a text of which there is no copy
                str(text, "utf-8")
        except _NO_LINE:
            return None
        if len(data) > cloudevent.MAX_LINE_BYTES:
            return None
        return PlacedLine(second.folder, Line(slots[template.event_id].decode(), data))

    def _open_second(self, name: bytes, time_ns: int) -> _Second:
        """The shared parts of the lines of a collection in the second of `time_ns`.

        Raises:
            BadRecordError: events may not have this time, or collections not this name.
            _NotOrdinaryError: the collection is one of payloads.
        """
        self._scope.times.check(time_ns)
        collection = log_record.collection_of(name.decode())
        if not collection.tabular:
            raise _NotOrdinaryError
        destination = self._scope.destinations[collection.name]
        second = self._seconds[name] = _Second(
            number=time_ns // NS_PER_SECOND,
            time=cloudevent.time_text(time_ns).encode(),
            folder=partition.folder(destination.root, time_ns, destination.rolling_rate),
        )
        return second


def _rows(text: bytes, template: LineTemplate) -> bytes:
    """The rows in a text.

    Raises:
        UnicodeDecodeError: it is not UTF-8.
        BadRecordError: it has no rows.
    """
    if not text.isascii():
        text.decode()
    return body.rows_of(text, is_own=template.is_own)


def _large_rows(text: memoryview, template: LineTemplate, raw: bytes, stop: int) -> bytes | memoryview:
    """The rows in the large text of a record that ends at `stop`, without a copy where the line has them as they are.

    Raises:
        _NotOrdinaryError: it may take long to look at them.
        msgspec.DecodeError: it has no rows, as for `RecursionError` and the errors of `_rows`.
    """
    end = stop - template.shape.tail.size
    start = end - len(text)
    if template.is_own and are_rows_as_they_are(text, raw, start):
        return text
    if len(text) > LONG_BYTES or may_have_many_rows(raw, start, end):
        raise _NotOrdinaryError
    return _rows(bytes(text), template)

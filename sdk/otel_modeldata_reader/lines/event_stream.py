"""From blobs to batches of events: every event once, inside the window, in the order of the blobs.

Blobs are read a few megabytes at a time. Whole lines are decoded at once; only a part with a damaged or unusual line
is decoded line by line.
"""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from ..blobs.byte_ranges import LinesOfBlob
from ..blobs.listing import date_of, hours_of
from ..report import Place
from ..window import held
from .envelope import Envelope, decode_line, decode_lines, is_utf8
from .event_time import NO_TIME, times_of
from .known_ids import KnownIds

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import Piece, StoreAccess
    from ..window import Window
    from .tally import Tally

__all__ = ["Events", "event_batches", "selected"]

_BATCH_BYTES: Final = 4 << 20
_LONGEST_LINE: Final = 64 << 20
"""The receiver writes no line above 4 MiB."""
_MARK: Final = b"\xef\xbb\xbf"
_NULL: Final = msgspec.Raw(b"null")
_data: Final = attrgetter("data")
_id: Final = attrgetter("id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Events:
    """Some events, in the order of their lines.

    Attributes:
        envelopes: the keys of each.
        times: nanoseconds since the epoch as an array of int64; `NO_TIME` where a line has none.
        blobs: name of the blob of each.
        numbers: number of the line in the blob, from 1.
        texts: the lines themselves without the line feed; empty if they were not asked for.
    """

    envelopes: Sequence[Envelope]
    times: Any
    blobs: Sequence[str]
    numbers: Sequence[int]
    texts: Sequence[bytes] = ()

    def place(self, index: int) -> Place:
        """Where an event is."""
        return Place(blob=self.blobs[index], line=self.numbers[index])

    def chosen(self, indices: Sequence[int]) -> Events:
        """Some of these events."""
        return Events(
            envelopes=[self.envelopes[index] for index in indices],
            times=self.times[np.asarray(indices, dtype=np.intp)],
            blobs=[self.blobs[index] for index in indices],
            numbers=[self.numbers[index] for index in indices],
            texts=[self.texts[index] for index in indices] if self.texts else (),
        )


def event_batches(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    blobs: Sequence[StoredObject | LinesOfBlob],
    window: Window,
    tally: Tally,
    progress: Callable[[int], object] = lambda _: None,
    *,
    ids: KnownIds | None = None,
    with_texts: bool = False,
    without: Container[tuple[str, int]] = (),
) -> Iterator[Events]:
    """Read `blobs`.

    Args:
        store: has them.
        blobs: in the order in which they are read, each up to the size that it was listed with, or some of its lines.
        window: events outside are counted, not returned.
        tally: counts what is skipped.
        progress: called with the number of bytes of each part that is read.
        ids: those of events that were read before, to which the new ones are added.
        with_texts: whether the events have their lines, too.
        without: lines that are left out: the name of the blob, and the number of the line.

    Raises:
        StoreUnavailableError: a blob cannot be read.
        DamagedLineError: the tally is strict, and something is skipped.
    """
    ids = KnownIds() if ids is None else ids
    pending: list[Events] = []
    size = 0
    for part in _parts(store, blobs, tally, progress, with_texts=with_texts):
        events = part.events if without == () else _others(part.events, without)
        if (events := selected(events, window, ids, tally)).envelopes:
            pending.append(events)
            size += part.size
        if size >= _BATCH_BYTES:
            yield _joined(pending)
            pending, size = [], 0
    if pending:
        yield _joined(pending)


@dataclass(frozen=True, slots=True)
class _Part:
    events: Events
    size: int


def _parts(
    store: StoreAccess,
    blobs: Sequence[StoredObject | LinesOfBlob],
    tally: Tally,
    progress: Callable[[int], object],
    *,
    with_texts: bool,
) -> Iterator[_Part]:
    """The events of each piece of a blob; a line belongs to the piece in which it ends."""
    lines_before = {(one.blob, one.start): one.before for one in blobs if isinstance(one, LinesOfBlob)}
    rest, before, too_long, is_first = b"", 0, False, True
    for piece in store.pieces([one.range if isinstance(one, LinesOfBlob) else one for one in blobs]):
        if is_first:
            rest, before, too_long = b"", lines_before.get((piece.blob, piece.start), 0), False
        is_first = piece.is_last
        content = rest + piece.content if rest else piece.content
        end = content.rfind(b"\n") + 1
        whole, rest = memoryview(content)[:end], content[end:]
        if too_long:  # its beginning is gone already
            cut = content.find(b"\n", 0, end) + 1
            before, whole, too_long = before + (cut > 0), whole[cut:], cut == 0
            rest = b"" if too_long else rest
        count = int(np.count_nonzero(np.frombuffer(whole, np.uint8) == ord("\n")))
        envelopes, numbers = _decoded(whole, count, piece, before, tally)
        texts = _texts(whole, numbers, before) if with_texts else []
        before += count
        if piece.is_last and rest:
            last = _last(rest, Place(blob=piece.blob, line=before + 1), tally)
            envelopes, numbers = [*envelopes, *last], [*numbers, *([before + 1] * len(last))]
            texts += [rest] * len(last) if with_texts else []
        elif len(rest) > _LONGEST_LINE:
            tally.skip("foreign", Place(blob=piece.blob, line=before + 1), "expected a line, got more than 64 MiB")
            rest, too_long = b"", True
        progress(len(piece.content))
        if envelopes:
            times = times_of(envelopes)
            yield _Part(
                Events(
                    envelopes=envelopes, times=times, blobs=[piece.blob] * len(envelopes), numbers=numbers, texts=texts
                ),
                len(content),
            )


def _texts(whole: memoryview, numbers: Sequence[int], before: int) -> list[bytes]:
    lines = bytes(whole).split(b"\n")
    return [lines[number - before - 1] for number in numbers]


def _decoded(
    whole: memoryview, count: int, piece: Piece, before: int, tally: Tally
) -> tuple[list[Envelope], Sequence[int]]:
    """The envelopes of `count` whole lines, and the numbers of these lines."""
    envelopes = decode_lines(whole) if is_utf8(whole) else None
    if envelopes is not None and len(envelopes) == count and not _has_empty(envelopes):
        return envelopes, range(before + 1, before + 1 + count)
    found: list[Envelope] = []
    numbers: list[int] = []
    for number, line in enumerate(bytes(whole).split(b"\n")[:-1], before + 1):
        text = line.removeprefix(_MARK) if number == 1 else line
        if not text.strip():
            continue
        place = Place(blob=piece.blob, line=number)
        envelope = decode_line(text) if is_utf8(text) else None
        if envelope is None:
            tally.skip("foreign", place, "expected a JSON object in UTF-8")
        elif _is_empty(envelope):
            tally.skip("foreign", place, "expected an event with rows")
        else:
            found.append(envelope)
            numbers.append(number)
    return found, numbers


def _last(rest: bytes, place: Place, tally: Tally) -> list[Envelope]:
    """The event of a last line without a line feed, if it is whole."""
    text = rest.removeprefix(_MARK) if place.line == 1 else rest
    if not text.strip():
        return []
    envelope = decode_line(text) if is_utf8(text) else None
    if envelope is None:
        tally.skip("torn", place, "expected a whole last line, got a torn one")
        return []
    if _is_empty(envelope):
        tally.skip("foreign", place, "expected an event with rows")
        return []
    return [envelope]


def _has_empty(envelopes: Sequence[Envelope]) -> bool:
    datas = list(map(_data, envelopes))
    return (not all(datas) or _NULL in datas) and any(map(_is_empty, envelopes))


def _is_empty(envelope: Envelope) -> bool:
    """Whether an envelope has no rows, neither in the line nor elsewhere."""
    return envelope.dataref is None and (not envelope.data or envelope.data == _NULL)


def _others(events: Events, without: Container[tuple[str, int]]) -> Events:
    places = enumerate(zip(events.blobs, events.numbers, strict=True))
    return events.chosen([index for index, place in places if place not in without])


def selected(events: Events, window: Window, ids: KnownIds, tally: Tally) -> Events:
    """The events of a folder that are inside of the window, each once; the others are counted."""
    if not events.envelopes:
        return events
    start, end = map(held, hours_of(date_of(events.blobs[0])))
    times = np.where(events.times == NO_TIME, start, events.times)
    tally.add("misplaced", int(np.count_nonzero((times < start) | (times >= end))))
    if not window.is_open:
        first, last = window.bounds
        inside = np.flatnonzero((times >= first) & (times < last))
        tally.add("outside", len(times) - len(inside))
        if len(inside) < len(times):
            events = events.chosen(inside.tolist())
    given = list(filter(None, map(_id, events.envelopes)))
    if ids.are_new(given):
        return events
    named = [index for index, one in enumerate(events.envelopes) if one.id]
    repeated = {index for index, is_new in zip(named, ids.new_ones(given), strict=True) if not is_new}
    for index in sorted(repeated):
        tally.skip(
            "duplicates", events.place(index), f"expected each id once, got {events.envelopes[index].id!r} again"
        )
    return events.chosen([index for index in range(len(events.envelopes)) if index not in repeated])


def _joined(parts: Sequence[Events]) -> Events:
    if len(parts) == 1:
        return parts[0]
    return Events(
        envelopes=[one for part in parts for one in part.envelopes],
        times=np.concatenate([part.times for part in parts]),
        blobs=[one for part in parts for one in part.blobs],
        numbers=[one for part in parts for one in part.numbers],
        texts=[one for part in parts for one in part.texts],
    )

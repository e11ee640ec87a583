"""Makes a mapped request durable: its lines, its large payloads, and the records that cannot become lines.

A folder that takes no lines does not fail a request: its lines are parked (`storage/parking/`), which is durable too.

Everything is stored concurrently, with one rule: an object is stored before the line that points to it. So a line
without an object never waits for an object, of its own request or of another one; the request is answered when
everything is durable. There is no other order between requests, or between lines with and without an object: the ids in
a blob are in time order only if no line among them has an object.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from msgspec.structs import replace

from ..exceptions import StoreError
from ..layout import partition
from ..line import Line
from ..mapping import quarantine as quarantine_line
from ..mapping.rejection import Identity, rejected_by_bug
from ..storage.folders.folder_names import tenant_of_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence

    from ..mapping.event import LargePayload
    from ..mapping.quarantine import Rejected
    from ..mapping.request import Mapped
    from ..storage.line_sink import LineSink

__all__ = ["Committed", "commit", "quarantine"]

_T = TypeVar("_T")

_FOLDERS_AT_ONCE: Final = 64
"""Folders of a request that are appended to at the same time: thousands of tasks at once would stop all others."""
_FOLDERS_WITHOUT_LINGER: Final = 8
"""The same for a store whose appends follow each other at once: more of them take more of the event loop, and a local
store appends to so many at a time."""
_SLOW_SECONDS: Final = 0.25
"""A folder that takes longer, perhaps because its place hangs, does not count among those."""
_LONG_DIGEST: Final = 256 * 1024
"""Above this size, computing a digest takes longer than passing the work to a thread."""


class Committed(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a commit: everything is durable now.

    Attributes:
        duplicates: lines that were stored already.
        parked: lines whose own place takes none at present; they are delivered later, see `storage/parking/`.
        rejected: records that are in quarantine instead of becoming lines.
        defects: internal errors that caused a rejection; the reasons contain only the names of their types.
    """

    duplicates: int = 0
    parked: int = 0
    rejected: tuple[Rejected, ...] = ()
    defects: tuple[Exception, ...] = ()


_ALL_STORED: Final = Committed()


async def commit(
    sink: LineSink, mapped: Mapped, arrival_ns: int, *, lingers: bool = False, callers: int = 1
) -> Committed:
    """Make `mapped` durable.

    Args:
        sink: where lines and objects are stored.
        mapped: the lines, large payloads and rejected records of a request.
        arrival_ns: when the request arrived, ns since the epoch.
        lingers: whether lines wait for others before an append.
        callers: how many requests it is.

    Raises:
        StoreError: the first failure, after everything else is resolved; the request may be sent again.
    """
    at_once = _FOLDERS_AT_ONCE if lingers else _FOLDERS_WITHOUT_LINGER
    if not mapped.large and not mapped.rejected and not mapped.defects:
        return await _append(sink, mapped.lines, at_once, callers)
    committed = await _all(
        _append(sink, mapped.lines, at_once),
        quarantine(sink, mapped.rejected, arrival_ns),
        *(_store_large(sink, large, arrival_ns) for large in mapped.large),
    )
    return replace(committed, defects=(*mapped.defects, *committed.defects))


async def quarantine(sink: LineSink, rejected: Sequence[Rejected], arrival_ns: int) -> Committed:
    """Make the bytes of rejected records durable; bytes that are too large for a line become objects first.

    Args:
        sink: where lines and objects are stored.
        rejected: records, or a whole request, that cannot become lines.
        arrival_ns: when the request arrived, ns since the epoch.

    Raises:
        StoreError: not everything is durable; the request may be sent again.
    """
    urls_by_part: dict[int, str] = {}  # records of one request share their resource; hashing it would take long
    lines: dict[str, list[Line]] = {}
    for one in rejected:
        folder = partition.quarantine_folder(one.time_ns or arrival_ns)
        urls: dict[str, str] = {}
        for key, part in one.large_parts.items():
            if id(part) not in urls_by_part:
                file = await _off_the_loop(partial(quarantine_line.object_name, part), len(part))
                name = f"{folder}/files/{file}"
                if await sink.is_superseded(folder, one.id, name):
                    break
                urls_by_part[id(part)] = await sink.put(name, part, quarantine_line.OTLP_CONTENT_TYPE)
            urls[key] = urls_by_part[id(part)]
        if len(urls) < len(one.large_parts):
            continue
        line = await _off_the_loop(partial(_quarantine_line, one, arrival_ns, urls), one.size)
        lines.setdefault(folder, []).append(line)
    return replace(await _append(sink, lines), duplicates=0, rejected=tuple(rejected))


def _quarantine_line(rejected: Rejected, arrival_ns: int, urls: dict[str, str]) -> Line:
    return Line(rejected.id, quarantine_line.encode(rejected, arrival_ns=arrival_ns, urls=urls))


async def _off_the_loop(work: Callable[[], _T], size: int) -> _T:
    """The result of `work` on `size` bytes: in a thread if there are many."""
    return await asyncio.to_thread(work) if size > _LONG_DIGEST else work()


async def _store_large(sink: LineSink, large: LargePayload, arrival_ns: int) -> Committed:
    """Store a payload, then the line that points to it."""
    is_long = len(large.content) > _LONG_DIGEST
    name = await asyncio.to_thread(large.object_name) if is_long else large.object_name()
    if await sink.is_superseded(large.event.folder, large.event.line.id, name):
        return Committed(duplicates=1)
    try:
        url = await sink.put(name, large.content, large.content_type)
    except ValueError as error:  # the name has other content: like an internal error, this affects only this record
        identity = Identity(large.event.collection, int(large.event.line.timens))
        rejected = rejected_by_bug(
            large.whole_record(), error, resource=large.resource, endpoint=large.endpoint, identity=identity
        )
        return replace(await quarantine(sink, (rejected,), arrival_ns), defects=(error,))
    line = Line(large.event.line.id, large.line_at(url))
    return await _append(sink, {large.event.folder: [line]})


async def _append(sink: LineSink, lines: Mapping[str, Sequence[Line]], at_once: int = 1, callers: int = 1) -> Committed:
    """Append to all folders concurrently, to some at a time."""
    if len(lines) == 1:
        ((folder, group),) = lines.items()
        _, duplicates, parked = await sink.append(folder, group, callers=callers)
        return Committed(duplicates=duplicates, parked=parked) if duplicates or parked else _ALL_STORED
    return await _append_to_many(sink, _in_turns(lines, at_once), min(len(lines), at_once))


async def _append_to_many(sink: LineSink, folders: Iterator[tuple[str, Sequence[Line]]], at_once: int) -> Committed:
    """Append to `at_once` folders at a time; one that takes long does not count, so that it delays no other."""
    loop = asyncio.get_running_loop()
    tasks: list[asyncio.Task[Committed]] = []

    def begin() -> None:
        if sum(not task.done() for task in tasks) < _FOLDERS_AT_ONCE:
            tasks.append(loop.create_task(_append_in_turn(sink, folders, begin)))

    for _ in range(at_once):
        begin()
    try:
        for task in tasks:  # further ones are added meanwhile
            await asyncio.wait({task})
    finally:
        for task in tasks:
            task.cancel()
        failures = [error for task in tasks if task.done() and not task.cancelled() and (error := task.exception())]
    if failures:
        raise failures[0]
    return _joined([task.result() for task in tasks])


def _in_turns(lines: Mapping[str, Sequence[Line]], at_once: int) -> Iterator[tuple[str, Sequence[Line]]]:
    """The folders, those of the tenants by turns: thousands of one tenant do not come before one of another."""
    if len(lines) <= at_once:
        return iter(lines.items())
    number: Counter[str] = Counter()
    turns: list[tuple[int, tuple[str, Sequence[Line]]]] = []
    for item in lines.items():
        tenant = tenant_of_folder(item[0])
        turns.append((number[tenant], item))
        number[tenant] += 1
    return (item for _, item in sorted(turns, key=itemgetter(0)))


async def _append_in_turn(
    sink: LineSink, folders: Iterator[tuple[str, Sequence[Line]]], when_slow: Callable[[], None]
) -> Committed:
    """Append to one folder after the other; several tasks share `folders`."""
    loop = asyncio.get_running_loop()
    committed: list[Committed] = []
    failures: list[StoreError] = []
    for folder, group in folders:
        timer = loop.call_later(_SLOW_SECONDS, when_slow)
        try:
            committed.append(await _append(sink, {folder: group}))
        except StoreError as error:  # the other folders do not wait for this one
            failures.append(error)
        finally:
            timer.cancel()
    if failures:
        raise failures[0]
    return _joined(committed)


async def _all(*parts: Coroutine[object, object, Committed]) -> Committed:
    """Wait until each of `parts` has ended, then raise the first error or return what they committed together."""
    committed: list[Committed] = []
    for outcome in await asyncio.gather(*parts, return_exceptions=True):
        if isinstance(outcome, BaseException):
            raise outcome
        committed.append(outcome)
    return _joined(committed)


def _joined(committed: Sequence[Committed]) -> Committed:
    return Committed(
        duplicates=sum(part.duplicates for part in committed),
        parked=sum(part.parked for part in committed),
        rejected=tuple(rejected for part in committed for rejected in part.rejected),
        defects=tuple(defect for part in committed for defect in part.defects),
    )

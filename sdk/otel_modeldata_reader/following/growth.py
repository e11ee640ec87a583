"""How far each blob of a collection has been read, and the whole lines that it has got since then.

A line is read when it is whole: with its line feed, or, at the end of a blob, when it is a whole JSON object. A torn
one waits. What is before the beginning of the following is not read, not even to find the last line feed in it; that is
done for a blob when it grows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..blobs.byte_ranges import ByteRange
from .line_slices import LineSlices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = ["Growth", "read_range", "whole_end"]

_READ_BYTES: Final = 4 << 20
_LONGEST_LINE: Final = 64 << 20
"""The receiver writes no line above 4 MiB."""
_STEP_BYTES: Final = 64 << 10
"""Step in which the beginning of a line is searched."""
_object: Final = msgspec.json.Decoder(dict[str, msgspec.Raw])


class Growth:
    """Reads what is appended to blobs; a blob that it does not know is read from its beginning.

    Args:
        store: has the blobs.
        ends: blobs of which only later lines are read.
    """

    def __init__(self, store: StoreAccess, ends: Iterable[StoredObject]) -> None:
        self._store = store
        self._positions = {blob.name: blob.size for blob in ends}
        self._unaligned = set(self._positions)
        self._too_long: set[str] = set()
        self._foreign = 0

    def take_foreign(self) -> int:
        """How many lines were left out since the last call because they are too long."""
        count, self._foreign = self._foreign, 0
        return count

    def keep(self, names: Iterable[str]) -> None:
        """Forget all blobs but these: one that is written again under its name later is read from its beginning."""
        for name in self._positions.keys() - set(names):
            del self._positions[name]
            self._unaligned.discard(name)
            self._too_long.discard(name)

    def slices(self, blobs: Iterable[StoredObject]) -> Iterator[LineSlices]:
        """The new lines of blobs, up to the sizes with which they were listed; a few megabytes at a time.

        Raises:
            StoreUnavailableError: a blob cannot be read.
        """
        contents: dict[str, bytes] = {}
        size = 0
        for blob in blobs:
            for content in self._lines(blob):
                if blob.name in contents or size + len(content) > _READ_BYTES:
                    if contents:
                        yield LineSlices(contents)
                    contents, size = {}, 0
                contents[blob.name] = content
                size += len(content)
        if contents:
            yield LineSlices(contents)

    def _lines(self, blob: StoredObject) -> Iterator[bytes]:
        """The new whole lines of one blob."""
        start = self._positions.get(blob.name, 0)
        if blob.size < start:  # it was written again, with lines that were read before
            self._positions[blob.name] = blob.size
            self._unaligned.add(blob.name)
            return
        if blob.size == start:
            return
        if blob.name in self._unaligned:
            self._unaligned.remove(blob.name)
            start = self._positions[blob.name] = self._line_start(blob.name, start)
        wanted = _READ_BYTES
        while start < blob.size:
            content = read_range(self._store, blob.name, start, min(start + wanted, blob.size))
            is_end = start + len(content) >= blob.size or len(content) < min(wanted, blob.size - start)
            if blob.name in self._too_long:
                cut = content.find(b"\n") + 1
                start = self._positions[blob.name] = start + (cut or len(content))
                if cut:
                    self._too_long.remove(blob.name)
                elif is_end:
                    return
                continue
            if end := whole_end(content, is_end=is_end):
                start = self._positions[blob.name] = start + end
                wanted = _READ_BYTES
                yield content[:end]
            elif len(content) >= _LONGEST_LINE:
                self._foreign += 1
                self._too_long.add(blob.name)
                start = self._positions[blob.name] = start + len(content)
                wanted = _READ_BYTES
            elif is_end:
                return
            else:
                wanted *= 4
            if is_end:
                return

    def _line_start(self, name: str, position: int) -> int:
        """The beginning of the line that `position` is in."""
        end = position
        while end > max(0, position - _LONGEST_LINE):
            start = max(0, end - _STEP_BYTES)
            if (cut := read_range(self._store, name, start, end).rfind(b"\n")) >= 0:
                return start + cut + 1
            end = start
        return end


def read_range(store: StoreAccess, name: str, start: int, end: int) -> bytes:
    """The bytes of a blob from `start` up to, not including, `end`; fewer if the blob is shorter.

    Raises:
        StoreUnavailableError: it cannot be read.
    """
    (content,) = store.read_ranges([ByteRange(name, start, end)])
    return content


def whole_end(content: bytes, *, is_end: bool) -> int:
    """The end of the whole lines in some bytes that begin with a line.

    Args:
        content: the bytes.
        is_end: whether the blob ends with them, so that a JSON object without a line feed is a whole line.
    """
    end = content.rfind(b"\n") + 1
    if is_end and content.endswith(b"}"):
        try:
            _object.decode(content[end:])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return end
        return len(content)
    return end

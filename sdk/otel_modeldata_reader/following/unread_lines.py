"""The lines of blobs that were not read yet, the last ones first: the newest lines of a blob are at its end.

What was not read of a blob is some spans of bytes: the one that it has got since it was listed before, and what is left
of earlier ones. Each call takes the end of a span of one or some blobs. Spans begin and end where lines do, but for the
end of a blob, where a line may be torn: it waits until the blob grows, as in `growth.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ..exceptions import StoreUnavailableError
from .growth import read_range, whole_end
from .line_slices import LineSlices

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from otel_modeldata_receiver.storage.store import StoredObject

    from ..blobs.store_access import StoreAccess

__all__ = ["UnreadLines"]

_READ_BYTES: Final = 4 << 20
_LEAST_BYTES: Final = 64 << 10
"""Of the end of a blob, where many have grown."""
_LONGEST_LINE: Final = 64 << 20
"""The receiver writes no line above 4 MiB."""


@dataclass(slots=True, kw_only=True)
class _Unread:
    """What was not read of a blob.

    Attributes:
        end: where the lines begin that it gets next.
        listed: its size as it was listed last.
        is_line: whether `end` is known to be the beginning of a line.
        is_too_long: whether `end` is in a line that is too long.
        spans: from where to where, in their order.
        is_fresh: whether nothing of the last span was read, so that its last line may be torn.
    """

    end: int
    listed: int
    is_line: bool
    is_too_long: bool = False
    spans: list[tuple[int, int]] = field(default_factory=list)
    is_fresh: bool = False


class UnreadLines:
    """Reads what blobs have, and what they get later; a blob that it does not know is read to its beginning.

    Args:
        store: has the blobs.
        starts: positions in blobs by name: no earlier line is read.
        read_bytes: about so many are read at once.
        longest_line: in bytes; longer ones are left out.
    """

    def __init__(
        self,
        store: StoreAccess,
        starts: Mapping[str, int],
        *,
        read_bytes: int = _READ_BYTES,
        longest_line: int = _LONGEST_LINE,
    ) -> None:
        self._store = store
        self._unread = {name: _Unread(end=start, listed=start, is_line=not start) for name, start in starts.items()}
        self._read_bytes = read_bytes
        self._longest_line = longest_line

    def take(self, blobs: Iterable[StoredObject]) -> LineSlices | None:
        """A few megabytes of lines of blobs, up to the sizes with which they were listed; None if no more are there.

        The ends of blobs that have grown come first, some of each; then what is left of the blob that changed last.

        Raises:
            StoreUnavailableError: a blob cannot be read, or is shorter than it was listed.
        """
        blobs = sorted(blobs, key=lambda one: (one.modified or 0.0, one.name), reverse=True)
        for blob in blobs:
            self._extend(blob)
        names = [one.name for one in blobs if self._unread[one.name].spans]
        fresh = [one for one in names if self._unread[one].is_fresh]
        share = max(self._read_bytes // max(1, len(fresh)), min(_LEAST_BYTES, self._read_bytes))
        contents = self._ends(fresh, share)
        return LineSlices(found) if (found := contents or self._ends(names, self._read_bytes)) else None

    def _ends(self, names: Iterable[str], share: int) -> dict[str, bytes]:
        """Some of the last lines of each blob, until there are enough."""
        contents: dict[str, bytes] = {}
        left = self._read_bytes
        for name in names:
            unread = self._unread[name]
            while unread.spans and name not in contents:
                if content := self._end(name, unread, share):
                    contents[name] = content
                    left -= len(content)
            if left < min(_LEAST_BYTES, share):
                break
        return contents

    def _extend(self, blob: StoredObject) -> None:
        """Take note of what a blob has got."""
        unread = self._unread.setdefault(blob.name, _Unread(end=0, listed=0, is_line=True))
        if blob.size <= unread.listed:
            return
        start, unread.listed = unread.end, blob.size
        if unread.is_too_long:
            start, has_ended = self._next_line(blob.name, start, blob.size)
            unread.is_too_long = not has_ended
        elif not unread.is_line:
            start = self._line_before(blob.name, 0, start, _LEAST_BYTES)
        unread.end, unread.is_line = blob.size, True
        if unread.is_fresh:
            start, _ = unread.spans.pop()
        if start < blob.size:
            unread.spans.append((start, blob.size))
            unread.is_fresh = True

    def _end(self, name: str, unread: _Unread, wanted: int) -> bytes:
        """The last lines of the last span of a blob; empty where there is only a part of a line, or one too long."""
        first, end = unread.spans.pop()
        is_fresh, unread.is_fresh = unread.is_fresh, False
        while True:
            start = max(first, end - wanted)
            content = self._range(name, start, end)
            begin = 0 if start == first else content.find(b"\n") + 1
            if start == first or 0 < begin < len(content):
                break
            if wanted >= self._longest_line:
                unread.is_too_long = is_fresh and not content.endswith(b"\n")
                if (before := self._line_before(name, first, start, self._read_bytes)) > first:
                    unread.spans.append((first, before))
                return b""
            wanted = min(4 * wanted, self._longest_line)
        if begin:
            unread.spans.append((first, start + begin))
        whole = len(content)
        if is_fresh:  # a torn line is read when it is whole
            whole = begin + whole_end(content[begin:], is_end=True)
            unread.end = start + whole
        return content[begin:whole]

    def _range(self, name: str, start: int, end: int) -> bytes:
        content = read_range(self._store, name, start, end)
        if len(content) < end - start:
            raise StoreUnavailableError(
                f"expected {end:,} bytes in {name!r:.200}, got {start + len(content):,}: it has changed, try again"
            )
        return content

    def _line_before(self, name: str, first: int, position: int, step: int) -> int:
        """The beginning of the line that a position is in, or `first`, where that is in it, too."""
        while position > first:
            start = max(first, position - step)
            if (cut := self._range(name, start, position).rfind(b"\n") + 1) > 0:
                return start + cut
            position = start
        return first

    def _next_line(self, name: str, start: int, end: int) -> tuple[int, bool]:
        """The end of the line that `start` is in, and whether it is there; `end` if it is not."""
        while start < end:
            content = self._range(name, start, min(end, start + self._read_bytes))
            if (cut := content.find(b"\n") + 1) > 0:
                return start + cut, True
            start += len(content)
        return end, False

"""The ids of the lines that were stored last in one folder, and the memory that the ids of all folders share.

A folder keeps its ids in generations; the oldest one is dropped when the others have enough. An id is kept as text,
which is fast and large (`TEXT_BYTES`), or packed (`PACKED_BYTES`), which costs about half a microsecond for each id. So
ids are text until the ids of all folders exceed their memory. Then those of the folders that were not used for the
longest time are packed first, a few at each call: no call takes long.

If everything is packed and it is still too much, idle folders are closed (`IdMemory.close_idle`); a folder that is
opened again reads the end of its blobs. If all folders are busy, each may keep its share, but never less than
`SinkLimits.least_ids`.

A packed id is exact if it is a UUID as `str(uuid)` writes it. Others are digests of 128 bits with a key of this
process.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections import OrderedDict, deque
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ..sink_limits import SinkLimits

__all__ = ["PACKED_BYTES", "TEXT_BYTES", "IdMemory", "IdWindow"]

TEXT_BYTES: Final = 150
"""Memory of an id as text in a set; measured with UUIDs."""
PACKED_BYTES: Final = 28
"""Memory of a packed id; measured."""

_KEY_BYTES: Final = 16
_UUID_CHARS: Final = 36
_HYPHENS: Final = (8, 13, 18, 23)
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.ASCII)
_LONG_CHARS: Final = 64
"""A longer id is packed at once: its text would take more than `TEXT_BYTES`."""
_MOST_IN_BUCKET: Final = 14
_GROWTH: Final = 2
_LEAST_PACKED: Final = 256
"""Ids that are packed at a call, at least: a window of few ids is packed whole."""
_PACKED_PER_ID: Final = 4
"""Ids that are packed for each id that is added while there are too many."""
_secret: Final = os.urandom(32)


def packed_keys(ids: Sequence[str]) -> list[bytes]:
    """16 bytes for each id: the same for the same id, and different ones for different ids."""
    text = "".join(ids)
    count = len(ids)
    hexadecimal = text.replace("-", "")
    if (
        len(hexadecimal) == 2 * _KEY_BYTES * count
        and set(map(len, ids)) == {_UUID_CHARS}
        and text.islower()
        and all(text[place::_UUID_CHARS] == "-" * count for place in _HYPHENS)
    ):
        try:
            keys = bytes.fromhex(hexadecimal)
        except ValueError:
            keys = b""
        if len(keys) == _KEY_BYTES * count:  # white space is skipped
            return [keys[start : start + _KEY_BYTES] for start in range(0, len(keys), _KEY_BYTES)]
    return [_packed_key(one) for one in ids]


def _packed_key(one: str) -> bytes:
    if _UUID.fullmatch(one) is not None:
        return bytes.fromhex(one.replace("-", ""))
    return hashlib.blake2b(one.encode("utf-8", "surrogatepass"), digest_size=_KEY_BYTES, key=_secret).digest()


class PackedIds:
    """A set of keys of 16 bytes: buckets of joined keys, chosen by Python's hash, which is keyed too."""

    __slots__ = ("_buckets", "count")

    def __init__(self) -> None:
        self._buckets = [b""]
        self.count = 0

    def __contains__(self, key: bytes) -> bool:
        buckets = self._buckets
        bucket = buckets[hash(key) & (len(buckets) - 1)]
        at = bucket.find(key)
        while at % _KEY_BYTES and at >= 0:  # across two keys
            at = bucket.find(key, at + 1)
        return at >= 0

    def add(self, keys: Sequence[bytes]) -> None:
        """Add keys that are not in it."""
        self.count += len(keys)
        if self.count > _MOST_IN_BUCKET * len(self._buckets):
            self._grow()
        buckets, mask = self._buckets, len(self._buckets) - 1
        for key in keys:
            buckets[hash(key) & mask] += key

    def _grow(self) -> None:
        size = len(self._buckets)
        while self.count > _MOST_IN_BUCKET * size:
            size *= _GROWTH
        buckets = [b""] * size
        mask = size - 1
        for bucket in self._buckets:
            for start in range(0, len(bucket), _KEY_BYTES):
                key = bucket[start : start + _KEY_BYTES]
                buckets[hash(key) & mask] += key
        self._buckets = buckets


class _Generation:
    """Ids of one age: as text, or packed."""

    __slots__ = ("packed", "texts")

    def __init__(self) -> None:
        self.texts: set[str] = set()
        self.packed: PackedIds | None = None

    @property
    def count(self) -> int:
        return len(self.texts) + (self.packed.count if self.packed is not None else 0)

    def pack(self, keys: Sequence[bytes]) -> None:
        if self.packed is None:
            self.packed = PackedIds()
        self.packed.add(keys)


class IdWindow:
    """The ids of the lines that were stored last.

    They are at least the latest `room` of `add`, and at most one and a half times as many and one block.
    """

    __slots__ = ("_generations", "size")

    def __init__(self) -> None:
        self._generations: deque[_Generation] = deque([_Generation()])  # the newest is the last
        self.size = 0
        """Its memory in bytes, as estimated."""

    @property
    def count(self) -> int:
        """How many ids it has."""
        return sum(one.count for one in self._generations)

    @property
    def texts(self) -> int:
        """How many of them are text."""
        return sum(len(one.texts) for one in self._generations)

    def __contains__(self, one: str) -> bool:
        return bool(self.known([one]))

    def has_any(self, ids: Sequence[str]) -> bool:
        """Whether any of `ids` is in it; faster than `known`."""
        packed = False
        for generation in self._generations:
            if not generation.texts.isdisjoint(ids):
                return True
            packed = packed or generation.packed is not None
        return packed and bool(self.known(ids))

    def known(self, ids: Sequence[str]) -> set[str]:
        """Those of `ids` that are in it."""
        found: set[str] = set()
        for generation in self._generations:
            found.update(generation.texts.intersection(ids))
        packs = [one.packed for one in self._generations if one.packed is not None]
        if packs:
            found.update(
                one for one, key in zip(ids, packed_keys(ids), strict=True) if any(key in pack for pack in packs)
            )
        return found

    def add(self, ids: Sequence[str], room: int) -> None:
        """Add ids that are not in it, and forget the oldest ones, so that about `room` remain."""
        newest = self._generations[-1]
        if newest.count >= max(1, room // 2):
            newest = _Generation()
            self._generations.append(newest)
        if sum(map(len, ids)) > _LONG_CHARS * len(ids):
            newest.pack(packed_keys(ids))
            self.size += PACKED_BYTES * len(ids)
        else:
            before = len(newest.texts)
            newest.texts.update(ids)
            self.size += TEXT_BYTES * (len(newest.texts) - before)
        count = self.count
        while len(self._generations) > 1 and count - self._generations[0].count >= room:
            oldest = self._generations.popleft()
            count -= oldest.count
            self.size -= TEXT_BYTES * len(oldest.texts) + PACKED_BYTES * (oldest.count - len(oldest.texts))

    def pack(self, most: int) -> int:
        """Pack up to `most` ids, the oldest first, and return how many were packed."""
        packed = 0
        for generation in self._generations:
            texts = generation.texts
            take = min(len(texts), most - packed)
            if not take:
                continue
            if take == len(texts):
                ids, generation.texts = list(texts), set()
            else:
                ids = [texts.pop() for _ in range(take)]
            generation.pack(packed_keys(ids))
            packed += take
        self.size -= (TEXT_BYTES - PACKED_BYTES) * packed
        return packed


class IdMemory:
    """The windows of all open folders, and how much memory they may take.

    Args:
        limits: see `SinkLimits`.
        close_idle: closes an idle folder, which is said by `forget`; returns whether there was one.
    """

    def __init__(self, limits: SinkLimits, close_idle: Callable[[], bool]) -> None:
        self._limits = limits
        self._close_idle = close_idle
        self._windows: set[IdWindow] = set()
        self._with_texts: OrderedDict[IdWindow, None] = OrderedDict()  # the least recently used first
        self.size = 0
        """Memory of all windows in bytes, as estimated."""

    def window(self) -> IdWindow:
        """A new window."""
        window = IdWindow()
        self._windows.add(window)
        return window

    def forget(self, window: IdWindow) -> None:
        """Drop a window."""
        if window in self._windows:
            self._windows.remove(window)
            self._with_texts.pop(window, None)
            self.size -= window.size

    def add(self, window: IdWindow, ids: Sequence[str]) -> None:
        """Add ids that are not in `window`."""
        if not ids:
            return
        self._resize(window, lambda: window.add(ids, self._room()))
        self._with_texts[window] = None
        self._with_texts.move_to_end(window)
        if self.size > self._limits.known_ids_bytes:
            self._relieve(_LEAST_PACKED + _PACKED_PER_ID * len(ids))

    def _room(self) -> int:
        """How many ids a folder may keep at present."""
        limits = self._limits
        if self.size <= limits.known_ids_bytes or self._with_texts:
            return limits.folder_ids
        share = limits.known_ids_bytes // (PACKED_BYTES * max(1, len(self._windows)))
        return min(limits.folder_ids, max(limits.least_ids, share))

    def _relieve(self, most: int) -> None:
        """Pack up to about `most` ids, or else close idle folders, until the windows fit."""
        budget = self._limits.known_ids_bytes
        while self.size > budget and most > 0 and self._with_texts:
            window = next(iter(self._with_texts))
            before = window.size
            most -= window.pack(most)
            self.size += window.size - before
            if not window.texts:
                del self._with_texts[window]
        while self.size > budget and not self._with_texts and self._close_idle():
            pass

    def _resize(self, window: IdWindow, change: Callable[[], None]) -> None:
        before = window.size
        change()
        if window in self._windows:
            self.size += window.size - before

"""Checks what arrived: every event once, with the rows that were collected."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


class Arrivals:
    """Compares the text of each event's rows with the values that its frame was made of.

    Events with the same frame must have the same text, which is decoded and compared once; then its checksum is enough.

    Args:
        rows: the rows of event `number` of a collection; equal for equal `variant`.
        variant: which of the different frames event `number` of a collection has.
        places: decimal places that must agree; None for every digit.
    """

    def __init__(
        self,
        rows: Callable[[str, int], list[dict[str, Any]]],
        variant: Callable[[str, int], int],
        places: int | None = None,
    ) -> None:
        self._rows = rows
        self._variant = variant
        self._places = places
        self._verified: dict[tuple[str, bytes], int] = {}
        self.counts: Counter[str] = Counter()

    def add(self, collection: str, text: bytes) -> None:
        """The next event of a collection."""
        number = self.counts[collection]
        variant, key = self._variant(collection, number), (collection, hashlib.blake2b(text, digest_size=16).digest())
        if key not in self._verified:
            _compare(msgspec.json.decode(text), self._rows(collection, number), self._places, f"{collection} {number}")
            self._verified[key] = variant
        assert self._verified[key] == variant, (collection, number, text[:500])
        self.counts[collection] += 1


def _compare(found: Any, expected: Any, places: int | None, place: str) -> None:
    """Both have the same names in the same order and the same values."""
    if isinstance(expected, list) and expected and all(type(one) is float for one in expected):
        assert len(found) == len(expected), (place, len(found), len(expected))
        assert np.allclose(found, expected, rtol=0, atol=10**-places if places else 0), (place, found, expected)
    elif isinstance(expected, list):
        assert isinstance(found, list), (place, found)
        assert len(found) == len(expected), (place, len(found), len(expected))
        for n, (one, other) in enumerate(zip(found, expected, strict=True)):
            _compare(one, other, places, f"{place}[{n}]")
    elif isinstance(expected, dict):
        assert list(found) == list(expected), (place, list(found))
        for name, other in expected.items():
            _compare(found[name], other, places, f"{place}.{name}")
    elif places is not None and isinstance(expected, float):
        assert math.isclose(found, expected, rel_tol=0, abs_tol=10**-places), (place, found, expected)
    else:
        assert found == expected, (place, found, expected)


class _Line(msgspec.Struct):
    type: str
    producersequence: str
    data: msgspec.Raw = msgspec.Raw()
    dataref: str = ""


class _Place(NamedTuple):
    collection: str
    sequence: int
    blob: Path
    start: int
    size: int


def add_store(arrivals: Arrivals, store: Path) -> None:
    """Every line of a receiver's store, by its sequence number, and the files that lines name.

    Two requests of a process are under way, so the lines of a blob may be in another order.
    """
    decode = msgspec.json.Decoder(_Line).decode
    for place in sorted(place for blob in store.rglob("*.jsonl") for place in _places(blob, decode)):
        assert place.sequence == arrivals.counts[place.collection], place
        with place.blob.open("rb") as lines:
            lines.seek(place.start)
            line = decode(lines.read(place.size))
        arrivals.add(place.collection, _file(store, line.dataref) if line.dataref else bytes(line.data))


def _places(blob: Path, decode: Callable[[bytes], _Line]) -> Iterator[_Place]:
    start = 0
    with blob.open("rb") as lines:
        for raw in lines:
            line = decode(raw)
            collection = line.type.removeprefix("azureml.inference.")
            yield _Place(collection, int(line.producersequence), blob, start, len(raw))
            start += len(raw)


def _file(store: Path, reference: str) -> bytes:
    (found,) = store.rglob(reference.rpartition("/")[2])
    return found.read_bytes()

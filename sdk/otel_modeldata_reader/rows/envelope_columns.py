"""The envelope's columns, which every row has before its own."""

from __future__ import annotations

import re
from functools import lru_cache
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..lines.erased_rows import kept_numbers
from ..lines.event_time import NO_TIME
from ..types.plain_arrays import numbers_array, text_scalar, texts_array

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from ..lines.event_stream import Events

__all__ = ["ENVELOPE", "envelope_columns", "free_name", "own_first"]

ENVELOPE: Final = pa.schema(
    [
        ("row_id", pa.string()),
        ("correlationid", pa.string()),
        ("time", pa.timestamp("ns", "UTC")),
        ("endpoint", pa.string()),
        ("deployment", pa.string()),
        ("collection", pa.string()),
        ("traceparent", pa.string()),
        ("modelversion", pa.string()),
        ("event_id", pa.string()),
    ]
)
"""The columns of the envelope, in their order. A value that a line does not have is null."""
_TYPE_PREFIX: Final = "azureml.inference."
_DEPLOYMENT: Final = re.compile(r"/(?:onlineEndpoints|endpoints)/([^/]+)/deployments/([^/]+)", re.IGNORECASE)


def own_first(names: Iterable[str]) -> list[str]:
    """Names of columns, those of the envelope at the end: who looks for a column looks for one of the model's."""
    return sorted(names, key=ENVELOPE.names.__contains__)


def envelope_columns(
    events: Events, counts: Sequence[int], names: tuple[str, str, str] | None, wanted: Container[str]
) -> dict[str, Any]:
    """The envelope's columns of the rows of some events.

    Args:
        events: in the order of the rows.
        counts: how many rows each event has.
        names: endpoint, deployment and collection where the folder names them; else each line does.
        wanted: the columns to make.
    """
    total = sum(counts)
    index = None if total == len(counts) and all(one == 1 for one in counts) else _repeated(counts)
    values = lru_cache(maxsize=None)(lambda name: _values(name, events))
    found: dict[str, Any] = {}
    for name in ENVELOPE.names:
        if name not in wanted:
            continue
        if name == "row_id":
            erased = [one.erasedrows for one in events.envelopes]
            numbers = None if not any(erased) else _kept_numbers(counts, erased)
            found[name] = _row_ids(values("correlationid"), counts, index, numbers)
        elif name in {"endpoint", "deployment", "collection"} and names is not None:
            found[name] = pa.repeat(text_scalar(names[_PLACES[name]]), total)
        else:
            found[name] = values(name) if index is None else values(name).take(index)
    return found


def free_name(name: str, taken: Container[str]) -> str:
    """The name of an own column in the result: `data.{name}` where the envelope has that name."""
    while name in taken:
        name = f"data.{name}"
    return name


_PLACES: Final = {"endpoint": 0, "deployment": 1, "collection": 2}
_KEYS: Final = {"event_id": "id"}


def _row_ids(correlation_ids: Any, counts: Sequence[int], index: Any, numbers: Any = None) -> Any:
    """As Azure ML's reader makes them: the correlation id and the number of the row in its event.

    Args:
        correlation_ids: of each event.
        counts: how many rows each event has.
        index: the event of each row; None if each event has one row.
        numbers: the number of each row, where some are erased.
    """
    if index is not None:
        correlation_ids = correlation_ids.take(index)
        if numbers is None:
            ends = np.cumsum(counts)
            numbers = np.arange(ends[-1] if len(ends) else 0) - np.repeat(ends - counts, counts)
    texts = text_scalar("0") if numbers is None else numbers_array(numbers).cast(pa.string())
    return pc.binary_join_element_wise(correlation_ids, texts, text_scalar("_"), null_handling="skip")


def _kept_numbers(counts: Sequence[int], erased: Sequence[str | None]) -> Any:
    """The number of each row in its event, some of whose rows are erased."""
    kept = [kept_numbers(count, text) for count, text in zip(counts, erased, strict=True)]
    return np.concatenate(kept) if kept else np.arange(0)


def _repeated(counts: Sequence[int]) -> Any:
    return numbers_array(np.repeat(np.arange(len(counts), dtype=np.int32), counts))


def _values(name: str, events: Events) -> Any:
    """One value for each event."""
    if name == "time":
        times = events.times
        return numbers_array(times, times == NO_TIME).cast(ENVELOPE.field("time").type)
    if name == "collection":
        return texts_array([_collection(one.type) for one in events.envelopes])
    if name in _PLACES:
        place = _PLACES[name]
        return texts_array([_deployment(one.source)[place] for one in events.envelopes])
    key = _KEYS.get(name, name)
    return texts_array(list(map(attrgetter(key), events.envelopes)))


@lru_cache(maxsize=1024)
def _deployment(source: str | None) -> tuple[str | None, str | None]:
    match = _DEPLOYMENT.search(source or "")
    return (None, None) if match is None else (match[1], match[2])


def _collection(event_type: str | None) -> str | None:
    return None if event_type is None else event_type.removeprefix(_TYPE_PREFIX)

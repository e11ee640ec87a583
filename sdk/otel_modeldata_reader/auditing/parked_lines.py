"""Summarizes the lines that are parked: they are events of the deployment whose folder they wait for.

The folder of a datastore names no deployment. There it is that of the source of each line, as it is for `erase`.
"""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.blob_path import parse_blob_path
from otel_modeldata_receiver.storage.mounts import mount_of
from otel_modeldata_receiver.storage.parking import parked_names

from . import stored_line
from .summaries.blob_lines import read_lines
from .summaries.summary_maker import SummaryMaker, tenant_of_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from otel_modeldata_receiver.layout.blob_path import BlobPath
    from otel_modeldata_receiver.storage.store import Store, StoredObject

    from .selection import Selection

__all__ = ["ParkedLines", "final_path", "read_parked"]


@dataclass(slots=True)
class ParkedLines:
    """The parked lines of one place.

    Attributes:
        is_elsewhere: whether the place is in a datastore, so that the events before these are not in this store.
        selected: those of the audited part.
        other_hours: those of the audited part outside of its hours.
    """

    is_elsewhere: bool
    selected: SummaryMaker = field(default_factory=SummaryMaker)
    other_hours: SummaryMaker = field(default_factory=SummaryMaker)


async def read_parked(
    store: Store,
    blobs: Sequence[StoredObject],
    selection: Selection,
    stored: Mapping[str, NDArray[np.int64]],
) -> dict[str, ParkedLines]:
    """Summarize parked lines.

    Args:
        store: has them.
        blobs: with parked lines; those of the quarantine are left out.
        selection: the audited part.
        stored: hashes of ids that are stored already by place, ascending: their lines count as duplicates.

    Returns:
        The lines by the place that does not take them.

    Raises:
        StoreError: a blob cannot be read.
    """
    found: dict[str, ParkedLines] = {}
    lines = [one for one in blobs if not final_path(one.name).quarantine]
    async with aclosing(read_lines(store, lines)) as parts:
        async for part in parts:
            path = final_path(part.blob)
            place = parked_names.place_of(path.folder)
            if place not in found:
                found[place] = ParkedLines(mount_of(path.folder) is not None, SummaryMaker(stored=stored.get(place)))
            await asyncio.to_thread(_add, found[place], path, part.before, part.lines, selection)
    return found


def final_path(parked: str) -> BlobPath:
    """Where the lines of a parked blob are delivered."""
    return parse_blob_path(parked.removeprefix(f"{parked_names.PARKED}/"))


def _add(parked: ParkedLines, path: BlobPath, before: int, lines: Sequence[bytes], selection: Selection) -> None:
    """A line that is left out becomes a blank one, so that the others keep their numbers."""
    selected, other_hours = [], []
    for raw in lines:
        is_selected, is_within = _is_selected(path, raw, selection)
        selected.append(raw if is_selected and is_within else b"")
        other_hours.append(raw if is_selected and not is_within else b"")
    parked.selected.add(path.name, before, b"\n".join([*selected, b""]))
    parked.other_hours.add(path.name, before, b"\n".join([*other_hours, b""]))


def _is_selected(path: BlobPath, raw: bytes, selection: Selection) -> tuple[bool, bool]:
    try:
        line = stored_line.decode(raw)
    except (ValueError, RecursionError):
        return True, True  # a torn line may be of any part
    tenant = tenant_of_line(path, line.source)
    is_named = selection.names(*tenant, line.type.removeprefix(semconv.EVENT_TYPE_PREFIX))
    return is_named, selection.hours(line.time[:13].replace("-", "/").replace("T", "/"))

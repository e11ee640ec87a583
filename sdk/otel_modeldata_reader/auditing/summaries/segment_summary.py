"""Reads the lines of a segment and summarizes them."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING

from otel_modeldata_receiver.storage.local import LocalStore

from .blob_blocks import read_blocks
from .summary_maker import SummaryMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from otel_modeldata_receiver.storage.store import Store

    from .hour_summary import Summarized
    from .line_decoder import LineDecoder
    from .segments import Segment

__all__ = ["summarize"]


async def summarize(
    store: Store,
    segment: Segment,
    decoder: LineDecoder,
    stored: NDArray[np.int64] | None,
    progress: Callable[[int], object] = lambda _size: None,
) -> Summarized:
    """Summarize a segment.

    Args:
        store: has its blobs.
        segment: the lines.
        decoder: learns from them.
        stored: hashes of ids that are stored elsewhere, ascending: their lines are duplicates.
        progress: called with the bytes of each part that is read.

    Raises:
        StoreError: a blob cannot be read.
    """
    maker = SummaryMaker(decoder, stored)
    is_local = isinstance(store, LocalStore)  # files are read in threads, which need no answers meanwhile
    current, before = "", 0
    async with aclosing(read_blocks(store, segment.ranges)) as blocks:
        async for block in blocks:
            if block.blob != current:
                current, before = block.blob, 0
            if not block.content:
                pass
            elif is_local:
                before += maker.add(block.blob, before, block.content)
            else:
                before += await asyncio.to_thread(maker.add, block.blob, before, block.content)
            progress(block.size)
    return maker.made()

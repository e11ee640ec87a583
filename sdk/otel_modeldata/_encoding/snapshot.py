"""Copies of frames that are encoded later, and that no later change of the frame reaches.

Only of frames of which no cell can be refused, because a refusal has to be known while `collect` runs: text is checked
for lone surrogates here. Immutable parts are shared, not copied: cells that are text, Arrow arrays, categories.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd

from .cells import SCALARS
from .columns import MASKED, block_cells, blocks_of, cells_of, place

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_HARMLESS_KINDS: Final = "fiubmM"
"""NumPy kinds whose values all have a JSON form."""
_HARMLESS_TYPES: Final = SCALARS - {int}
"""Of cells. An integer of more than 4,300 digits is refused."""


class _Kept(NamedTuple):
    """A part of a frame.

    Attributes:
        cells: makes the lists of its columns.
        text_bytes: of all its text, as UTF-8.
    """

    cells: Callable[[], list[list[Any]]]
    text_bytes: int = 0


class Snapshot:
    """A copy of a frame.

    Attributes:
        nbytes: what it holds, about.
    """

    __slots__ = ("_kept", "_width", "nbytes")

    def __init__(self, frame: pd.DataFrame, kept: list[tuple[Any, _Kept]]) -> None:
        self._kept = kept
        self._width = len(frame.columns)
        self.nbytes = frame.size * 8 + sum(part.text_bytes for _, part in kept)

    def lists(self) -> list[list[Any]]:
        """The cells of every column, in the order of the columns."""
        lists: list[list[Any]] = [[]] * self._width
        for positions, part in self._kept:
            place(part.cells(), positions, lists)
        return lists


def snapshot_of(frame: pd.DataFrame, max_bytes: int) -> Snapshot | None:
    """A copy of a frame; None when a cell could be refused, or the copy is too large."""
    kept: list[tuple[Any, _Kept]] = []
    for positions, values in blocks_of(frame):
        try:
            part = _keep(values)
        except ValueError:  # text that UTF-8 cannot carry: encoding now names the cell
            return None
        if part is None:
            return None
        kept.append((positions, part))
    snapshot = Snapshot(frame, kept)
    return snapshot if snapshot.nbytes <= max_bytes else None


def _keep(values: Any) -> _Kept | None:  # noqa: PLR0911 - one line per family of types reads best
    dtype = values.dtype
    if isinstance(dtype, np.dtype):
        if dtype.kind in _HARMLESS_KINDS:
            return _Kept(partial(block_cells, values.copy()))
        return _keep_objects(values.tolist()) if dtype.kind == "O" and isinstance(values, np.ndarray) else None
    if isinstance(dtype, (pd.DatetimeTZDtype, pd.PeriodDtype)) or isinstance(values, MASKED):
        return _Kept(partial(block_cells, values.copy()))
    if isinstance(dtype, pd.StringDtype):
        if dtype.storage != "python":
            return _keep_arrow(values)
        return _keep_objects([values.to_numpy(dtype=object, na_value=None).tolist()])
    if isinstance(dtype, pd.CategoricalDtype):
        return _keep_categories(values)
    return None


def _keep_objects(lists: list[list[Any]]) -> _Kept | None:
    if not all(_HARMLESS_TYPES.issuperset(map(type, cells)) for cells in lists):
        return None
    return _Kept(lambda: lists, sum(_text_bytes(cells) for cells in lists))


def _text_bytes(cells: Iterable[Any]) -> int:
    """The bytes of all text as UTF-8.

    Raises:
        UnicodeEncodeError: a text has a lone surrogate.
    """
    return len("".join([cell for cell in cells if type(cell) is str]).encode())


def _keep_arrow(values: Any) -> _Kept:
    import pyarrow.compute as pc  # type: ignore[import-untyped]  # noqa: PLC0415 - this column has loaded it

    array = values.__arrow_array__()
    for chunk in getattr(array, "chunks", (array,)):
        chunk.validate(full=True)  # Arrow can hold bytes that are not UTF-8
    return _Kept(partial(block_cells, values.copy()), pc.sum(pc.binary_length(array)).as_py() or 0)


def _keep_categories(values: Any) -> _Kept | None:
    categories = values.categories
    if len(categories) > len(values):
        return None
    cells = [*cells_of(categories.array), None]
    if not _HARMLESS_TYPES.issuperset(map(type, cells)) and categories.dtype.kind not in _HARMLESS_KINDS:
        return None
    codes = values.codes.copy()
    sizes = np.array([len(cell.encode()) if type(cell) is str else 0 for cell in cells])
    return _Kept(lambda: [[cells[code] for code in codes.tolist()]], int(sizes[codes].sum()))

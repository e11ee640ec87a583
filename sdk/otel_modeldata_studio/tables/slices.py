"""Which rows of pieces a query reads: even samples, and what is near to other rows in time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.joining.window_edges import EDGE_NS

from .piece import Slice

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from otel_modeldata_reader.window import Window

    from .piece import Group, Piece

__all__ = ["CLOCK_NS", "EDGE_NS", "NEAR_OUTPUTS", "even_slices", "slices_near", "spans_of", "spans_of_times"]

_MINUTE: Final = 60 * 1_000_000_000

CLOCK_NS: Final = 2 * _MINUTE
"""An output may be so much before its input, because clocks differ."""
NEAR_OUTPUTS: Final = (CLOCK_NS, EDGE_NS)
"""Where the outputs of some inputs are: before them, and after them, as in a reading of joined rows."""

_SLICES: Final = 24
"""Places of a window at which a sample looks."""


def even_slices(pieces: Sequence[Piece], window: Window, most: int) -> tuple[list[Piece | Slice], float]:
    """A sample of about `most` rows, from places that are evenly spread over the rows, and its share of them.

    All pieces if they have no more rows. A slice begins where a row group begins, so that no others are unpacked.
    """
    groups = [
        (piece, group) for piece in pieces for group in piece.groups if window.overlaps(group.first, group.last + 1)
    ]
    total = sum(group.rows for _, group in groups)
    if total <= most:
        return list(pieces), 1.0
    count = min(len(groups), max(_SLICES, most // 16_384))
    each = -(-most // count)
    chosen: list[Piece | Slice] = []
    taken = 0
    for number in range(count):
        piece, group = groups[number * len(groups) // count]
        rows = min(each, group.rows)
        taken += rows
        chosen.append(Slice(piece=piece, start=group.start, rows=rows, first=group.first, last=group.last))
    return chosen, taken / total


def spans_of(rows: Iterable[Piece | Slice]) -> list[tuple[int, int]]:
    """The spans of time in which rows are, in their order, none of which overlap."""
    return _merged((one.first, one.last) for one in rows)


def spans_of_times(times: Iterable[int]) -> list[tuple[int, int]]:
    """The spans of moments, each with the others of the same minute."""
    return _merged((time // _MINUTE * _MINUTE, (time // _MINUTE + 1) * _MINUTE) for time in times)


def _merged(every: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    for first, last in sorted(every):
        if spans and first <= spans[-1][1]:
            spans[-1] = (spans[-1][0], max(last, spans[-1][1]))
        else:
            spans.append((first, last))
    return spans


def slices_near(
    pieces: Sequence[Piece], spans: Sequence[tuple[int, int]], margins: tuple[int, int]
) -> list[Piece | Slice]:
    """The row groups that may have rows near to some spans of time; whole pieces where all are near.

    Args:
        pieces: files.
        spans: the first and the last moment of each.
        margins: how long before a span, and how long after it, a row is near.
    """
    found: list[Piece | Slice] = []
    for piece in pieces:
        near = [group for group in piece.groups if _is_near(group, spans, margins)]
        if len(near) == len(piece.groups):
            found.append(piece)
            continue
        run: list[Group] = []
        for group in near:
            if run and run[-1].start + run[-1].rows != group.start:
                found.append(_slice(piece, run))
                run = []
            run.append(group)
        if run:
            found.append(_slice(piece, run))
    return found


def _slice(piece: Piece, run: Sequence[Group]) -> Slice:
    return Slice(
        piece=piece,
        start=run[0].start,
        rows=sum(group.rows for group in run),
        first=min(group.first for group in run),
        last=max(group.last for group in run),
    )


def _is_near(group: Group, spans: Sequence[tuple[int, int]], margins: tuple[int, int]) -> bool:
    before, after = margins
    return any(group.first <= last + after and group.last >= first - before for first, last in spans)

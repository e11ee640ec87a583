"""The collections of a deployment as sides of joined rows: the rows are those of the first side."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.collection_names import is_tabular
from otel_modeldata_reader.window import Window

from .column import columns_of
from .slices import EDGE_NS

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from .column import Column
    from .piece import Piece, Slice
    from .row_bits import RowBits
    from .tables import Tables

__all__ = ["LABELS", "DeploymentRows", "Side", "deployment_rows", "with_outcomes_of"]

INPUTS: Final = "inputs"
OUTPUTS: Final = "outputs"
LABELS: Final = "labels"
_ROLES: Final = {"model_inputs": INPUTS, "model_outputs": OUTPUTS, "ground_truth": LABELS}
_OUTCOMES: Final = ("response", "app_traces", "app_spans")
_MOST_SIDES: Final = 8
_MARGIN: Final = 600 * 1_000_000_000
"""So long before a window an output is looked for: clocks differ. After it, it is as long as in a reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """A collection in joined rows.

    Attributes:
        role: prefix of its columns.
        root: the collection.
        pieces: its files.
        columns: its columns, also those that only another window has.
        since: of labels: no earlier one is joined, as in a reading; None for all.
        slices: no other rows can be partners; None is all. They are not used of labels.
    """

    role: str
    root: str
    pieces: tuple[Piece, ...]
    columns: Mapping[str, Column]
    since: int | None = None
    slices: tuple[Slice, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DeploymentRows:
    """What a window of a deployment has.

    Attributes:
        sides: the first one has the rows, the others are joined by row id.
        outcomes: the responses or the spans of the requests, if they were asked for and are there.
        pending: about how many bytes of lines are not in the pieces yet.
        bits: the rows of the first side that filters of other sides chose; None is all.
    """

    sides: tuple[Side, ...]
    outcomes: Side | None = None
    pending: int = 0
    bits: RowBits | None = None

    @property
    def base(self) -> Side:
        """The side that has the rows."""
        return self.sides[0]

    @property
    def rows(self) -> int:
        """How many rows the pieces of the first side have."""
        return sum(piece.rows for piece in self.base.pieces)

    def of_side(self, side: Side, bits: RowBits | None = None) -> DeploymentRows:
        """The rows of one side alone, of another one than the first those of some bits."""
        return replace(self, sides=(side,), outcomes=None, bits=self.bits if side is self.base else bits)

    def alone(self, roles: Collection[str]) -> DeploymentRows:
        """The rows of one side alone, if no other one is needed: that is read without a join.

        Args:
            roles: of the columns that are wanted or filtered. Labels belong to rows, so they are never alone.
        """
        (role, *others) = {one for one in roles if one} or {self.base.role}
        side = self.side(role)
        is_chosen = self.bits is not None and side is not self.base
        return self if others or side is None or role == LABELS or is_chosen else self.of_side(side)

    def with_slices(self, role: str, slices: Sequence[Slice]) -> DeploymentRows:
        """The same rows, of another side than the first only those that can be partners."""
        new = tuple(replace(one, slices=tuple(slices)) if one.role == role else one for one in self.sides)
        return replace(self, sides=new)

    def side(self, role: str) -> Side | None:
        """The side of a role."""
        return next((one for one in self.sides if one.role == role), None)


def deployment_rows(
    tables: Tables,
    deployment: str,
    window: Window,
    *,
    with_outcomes: bool = False,
    windows: Mapping[str, Window] | None = None,
) -> DeploymentRows:
    """The sides of a window; labels are also those that came later, and up to an hour before it, as in a reading.

    Args:
        tables: have the rows.
        deployment: `endpoint/deployment`.
        window: of event time.
        with_outcomes: whether to read the responses or spans, too.
        windows: others for some collections, by their folders: their rows do not belong together then.

    Raises:
        UnknownNameError: the store has no such deployment.
        ReaderError: the store cannot be read.
    """
    roots = {root.rpartition("/")[2]: root for root in tables.roots(deployment)}
    names = [name for name in _ROLES if name in roots]
    names += sorted(name for name in roots if name not in _ROLES and is_tabular(name))
    names = [name for name in names if name != "ground_truth"][: _MOST_SIDES - 1] + [
        name for name in names if name == "ground_truth"
    ]
    sides, pending, end = [], 0, tables.deadline()
    for number, name in enumerate(names):
        role = _ROLES.get(name, name)
        own = _window_of(window, is_base=number == 0, is_labels=role == LABELS)
        own = own if windows is None else windows.get(roots[name], own)
        found = tables.pieces(roots[name], own, end=end)
        columns = tables.with_known(roots[name], columns_of(found.pieces))
        since = own.since if role == LABELS else None
        sides.append(Side(role=role, root=roots[name], pieces=found.pieces, columns=columns, since=since))
        pending += found.pending
    rows = DeploymentRows(sides=tuple(sides), pending=pending)
    return with_outcomes_of(tables, deployment, rows, window) if with_outcomes else rows


def with_outcomes_of(tables: Tables, deployment: str, rows: DeploymentRows, window: Window) -> DeploymentRows:
    """The same rows with the outcomes of a window: of the lines of payload logging, else of spans.

    Raises:
        ReaderError: the store cannot be read.
    """
    roots = {root.rpartition("/")[2]: root for root in tables.roots(deployment)}
    name = next((one for one in _OUTCOMES if one in roots), None)
    if name is None:
        return rows
    own = _window_of(window, is_base=False, is_labels=False)
    found = tables.pieces(roots[name], own, first=window)  # most requests end soon after their rows
    side = Side(role=name, root=roots[name], pieces=found.pieces, columns=columns_of(found.pieces))
    return replace(rows, outcomes=side, pending=rows.pending + found.pending)


def _window_of(window: Window, *, is_base: bool, is_labels: bool) -> Window:
    if is_base:
        return window
    first, last = window.bounds
    return Window(
        since=None if window.since is None else first - (EDGE_NS if is_labels else _MARGIN),
        until=None if window.until is None or is_labels else last + EDGE_NS,
    )

"""Scored rows with their labels, in parts of bounded size: predictions, labels, scores, slices, and how long it took.

Inputs and outputs are read an interval of hours at a time, only the columns that are needed, and joined by row id. Of
very many rows a fixed sample is kept; the counts are of all.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ...exceptions import UnknownNameError
from ...joining import LABEL_ROW_ID, LABEL_TIME, join
from ...joining.columns import own_columns
from ...joining.label_rows import RENAMED_ROW_ID
from ...joining.window_edges import EDGE_NS, rows_of_window
from ...nearest import nearest
from ...progress import step
from ...rows.envelope_columns import ENVELOPE
from .intervals import moments_of
from .row_sample import RowSample

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ...reading import Reading
    from ...window import Window

__all__ = ["Roles", "ScoredRows", "label_of", "read_scored", "roles_of"]

MOST_ROWS: Final = 1_000_000
_SEED: Final = 29
_NEEDED: Final = ("row_id", "correlationid", "time", "traceparent")
_OUTPUT_TIME: Final = "\x00output time"
_SECOND_NS: Final = 10**9
_PREDICTIONS: Final = (
    *("prediction", "predictions", "predicted", "predicted_label", "predicted_class", "y_pred", "class", "label"),
    *("target", "output", "y", "score", "probability"),
)
"""Names by which a column of outputs is taken for the prediction, if the output has several."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Roles:
    """The columns of a comparison.

    Attributes:
        label: of the labels; None if there are none.
        prediction: of the outputs; None if it is not known.
        score: of the outputs: of the positive class; None without one.
        by: of the inputs or outputs: the slices; None without.
        note: why one is not known.
    """

    label: str | None = None
    prediction: str | None = None
    score: str | None = None
    by: str | None = None
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoredRows:
    """Scored rows of a window.

    Attributes:
        rows: the sample, with the columns `label`, `prediction`, `score` and `by` as far as they are known.
        roles: which columns they are.
        scored: rows that have inputs and outputs.
        labeled: scored rows with a label, in the whole window.
        named: different rows that labels name, of all labels since the beginning of the window.
        ambiguous: rows that labels name and whose row id repeats.
        latencies: milliseconds from the inputs to the outputs, where both have a time with nanoseconds.
    """

    rows: pa.Table
    roles: Roles
    scored: int = 0
    labeled: int = 0
    named: int = 0
    ambiguous: int = 0
    latencies: RowSample


def read_scored(  # noqa: PLR0913 (where, when, and which columns)
    read: Callable[..., Reading],
    deployment: str,
    intervals: Sequence[Window],
    *,
    own: tuple[Sequence[str], Sequence[str]],
    labels: str | None,
    named: Roles,
) -> ScoredRows:
    """The scored rows of a deployment.

    Args:
        read: `Store.read`.
        deployment: `endpoint/deployment`.
        intervals: the window in parts, see `intervals_of`.
        own: the own columns of inputs and of outputs.
        labels: the collection of labels, its whole name; None without.
        named: the columns that are named; the others are found by their names.

    Raises:
        ReaderError: as for `Store.read`; UnknownNameError for a column that is named and missing.
    """
    inputs, outputs = f"{deployment}/model_inputs", f"{deployment}/model_outputs"
    roles = roles_of(own, named)
    of_by = "inputs" if roles.by in own[0] else "outputs"
    wanted = [one for one in (roles.prediction, roles.score) if one is not None]
    sliced = [] if roles.by is None else [roles.by]
    sample = _TableSample(MOST_ROWS)
    latencies = RowSample(1)
    scored = labeled = named_rows = ambiguous = 0
    for number, window in enumerate(intervals, 1):
        with step(f"{deployment}, joined rows, part {number} of {len(intervals)}"):
            # Labels come late, so their window has no end.
            of_labels = None if labels is None else read(labels, moments_of(window, EDGE_NS)[0]).to_arrow()
            if of_labels is not None and of_labels.num_rows and roles.label is None:
                roles = _with_label(roles, of_labels, named.label)
            of_inputs = _read(read, inputs, moments_of(window, EDGE_NS), sliced if of_by == "inputs" else [])
            more = [] if of_by == "inputs" else sliced
            of_outputs = _read(read, outputs, moments_of(window, 0, EDGE_NS), [*wanted, *more])
            of_outputs = of_outputs.append_column(_OUTPUT_TIME, of_outputs["time"].cast(pa.int64()))
            tables = rows_of_window(of_inputs, of_outputs, window)
            joined = join(
                *tables, None if of_labels is None else _label_columns(of_labels, roles), envelope=ENVELOPE.names
            )
            names = {(one.side, one.column): one.name for one in joined.report.renamed}
            sample.add(_picked(joined.table, roles, names, of_by))
            scored += joined.report.joined
            labeled += _labeled(joined.table, roles, names)
            named_rows = max(named_rows, joined.report.labels.rows)  # the first part reads all of them
            ambiguous += joined.report.labels.ambiguous
            found = _latencies(joined.table)
            latencies.add([found], len(found))
    return ScoredRows(
        rows=sample.table(),
        roles=roles,
        scored=scored,
        labeled=labeled,
        named=named_rows,
        ambiguous=ambiguous,
        latencies=latencies,
    )


def _read(read: Callable[..., Reading], name: str, ends: tuple[Any, Any], own: Sequence[str]) -> pa.Table:
    """Rows with the columns of the envelope that a join needs, and own ones; nulls where these rows lack one."""
    own = list(dict.fromkeys(own))
    try:
        return read(name, *ends, columns=[*_NEEDED, *own]).to_arrow()
    except UnknownNameError:
        table = read(name, *ends).to_arrow()
    there = table.select([*_NEEDED, *(one for one in own if one in table.column_names)])
    for one in own:
        if one not in there.column_names:
            there = there.append_column(one, pa.nulls(there.num_rows))
    return there


def roles_of(own: tuple[Sequence[str], Sequence[str]], named: Roles) -> Roles:
    """Which column is what, where it is not named; the label is known when labels are read.

    Raises:
        UnknownNameError: a column that is named is missing.
    """
    of_inputs, outputs = own
    for name in (named.prediction, named.score):
        if name is not None and name not in outputs:
            raise UnknownNameError(f"expected a column of the outputs, got {name!r}: {nearest(name, list(outputs))}")
    every = [*of_inputs, *outputs]
    if named.by is not None and named.by not in every:
        raise UnknownNameError(
            f"expected a column of inputs or outputs for the slices, got {named.by!r}: {nearest(named.by, every)}"
        )
    found = named.prediction or _prediction_of(outputs)
    note = None
    if found is None:
        note = f"the outputs have the columns {', '.join(outputs[:8]) or 'none'}: name that of the prediction"
    return replace(named, label=None, prediction=found, note=note)


def _with_label(roles: Roles, labels: pa.Table, named: str | None) -> Roles:
    """The roles with the column of labels."""
    label, note = label_of(own_columns(labels, ENVELOPE.names), named)
    notes = [one for one in (note, roles.note) if one is not None]
    return replace(roles, label=label, note="; ".join(notes) or None)


def label_of(columns: Sequence[str], label: str | None) -> tuple[str | None, str | None]:
    """The column of labels, or why it is not known.

    Args:
        columns: the own columns of labels.
        label: the one that is named.

    Raises:
        UnknownNameError: the one that is named is missing.
    """
    own = [one for one in columns if one not in {LABEL_ROW_ID, RENAMED_ROW_ID, LABEL_TIME}]
    if label is not None and label not in own:
        raise UnknownNameError(f"expected a column of the labels, got {label!r}: they have {', '.join(own)}")
    if label is not None:
        return label, None
    if "label" in own or len(own) == 1:
        return "label" if "label" in own else own[0], None
    return None, f"the labels have the columns {', '.join(own[:8]) or 'none'}: name that of the label"


def _prediction_of(own: Sequence[str]) -> str | None:
    if len(own) == 1:
        return own[0]
    lowered = {name.lower(): name for name in reversed(own)}
    return next((lowered[name] for name in _PREDICTIONS if name in lowered), None)


def _label_columns(labels: pa.Table, roles: Roles) -> pa.Table:
    """The columns of labels that a join needs."""
    wanted = [*ENVELOPE.names, LABEL_ROW_ID, RENAMED_ROW_ID, LABEL_TIME, roles.label]
    found = labels.select(list(dict.fromkeys(one for one in wanted if one in labels.column_names)))
    return found if labels.num_rows else pa.table({LABEL_ROW_ID: []})


def _picked(table: pa.Table, roles: Roles, names: Any, of_by: str) -> pa.Table:
    """The columns by their roles."""
    sides: dict[str, tuple[str, str | None]] = {
        "label": ("labels", roles.label),
        "prediction": ("outputs", roles.prediction),
        "score": ("outputs", roles.score),
        "by": (of_by, roles.by),
    }
    columns = {}
    for role, (side, own) in sides.items():
        found = None if own is None else names.get((side, own), own)
        columns[role] = table[found] if found in table.column_names else pa.nulls(table.num_rows)
    return pa.table(columns)


def _labeled(table: pa.Table, roles: Roles, names: Any) -> int:
    if roles.label is None:
        return 0
    name = names.get(("labels", roles.label), roles.label)
    return len(table) - table[name].null_count if name in table.column_names else 0


def _latencies(table: pa.Table) -> Any:
    """Milliseconds from inputs to outputs of each request; only of times that have more than whole seconds."""
    is_first = pc.fill_null(pc.ends_with(table["row_id"], "_0"), False)
    first = table.filter(is_first)
    starts, ends = (pc.fill_null(first[name].cast(pa.int64()), 0).to_numpy() for name in ("time", _OUTPUT_TIME))
    known = (starts % _SECOND_NS != 0) & (ends % _SECOND_NS != 0) & (ends >= starts)
    return (ends[known] - starts[known]) / 1e6


class _TableSample:
    """A sample of the rows of tables, as `RowSample` is one of arrays."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._random = np.random.Generator(np.random.PCG64(_SEED))
        self._parts: list[pa.Table] = []
        self._keys: list[Any] = []

    def add(self, table: pa.Table) -> None:
        """Add rows."""
        self._parts.append(table)
        self._keys.append(self._random.random(table.num_rows))
        if sum(map(len, self._keys)) > self._most:
            keys = np.concatenate(self._keys)
            chosen = np.sort(np.argpartition(keys, self._most - 1)[: self._most])
            self._parts = [self.table().take(pa.array(chosen))]
            self._keys = [keys[chosen]]

    def table(self) -> pa.Table:
        """The rows; a column whose type differs between parts has texts."""
        if not self._parts:
            return pa.table({name: pa.nulls(0) for name in ("label", "prediction", "score", "by")})
        columns = {}
        for name in self._parts[0].column_names:
            found = [one[name] for one in self._parts]
            types = {one.type for one in found if not pa.types.is_null(one.type)}
            target = next(iter(types)) if len(types) == 1 else pa.string() if types else pa.null()
            chunks = [chunk.cast(target) for one in found for chunk in one.chunks]
            columns[name] = pa.chunked_array(chunks, target)
        return pa.table(columns)

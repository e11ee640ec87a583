"""The table of a join: which rows it keeps, and their columns side by side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .columns import COLLECTION, Renamed, names_of, own_columns
from .label_rows import LABEL_HISTORY, LABEL_TIME, nullable

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from typing import Any

    from .label_rows import LabelRows
    from .row_keys import Codes, Mask

How = Literal["inner", "left", "outer"]


def rows_alone(partners: Codes, outputs: int) -> Mask:
    """Which output rows have no input."""
    alone = np.ones(outputs, dtype=np.bool_)
    alone[partners[partners >= 0]] = False
    return alone


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRows:
    """The input and the output row of each row of the table, -1 for none."""

    inputs: Codes
    outputs: Codes

    @classmethod
    def of(cls, how: How, partners: Codes, outputs: int) -> KeptRows:
        """The rows that `how` keeps.

        Args:
            how: see `join`.
            partners: the output of each input row, -1 without one.
            outputs: how many output rows there are.
        """
        if how == "inner":
            rows = np.flatnonzero(partners >= 0)
            return cls(inputs=rows, outputs=partners[rows])
        rows = np.arange(len(partners))
        if how == "left":
            return cls(inputs=rows, outputs=partners)
        alone = np.flatnonzero(rows_alone(partners, outputs))
        return cls(
            inputs=np.concatenate([rows, np.full(len(alone), -1)]),
            outputs=np.concatenate([partners, alone]),
        )


def joined_table(  # noqa: PLR0913 - three tables, and their rows
    inputs: pa.Table,
    outputs: pa.Table,
    labels: LabelRows | None,
    kept: KeptRows,
    labeled: Codes,
    *,
    envelope: Collection[str],
    history: bool,
) -> tuple[pa.Table, tuple[Renamed, ...]]:
    """The envelope, then the columns of inputs, outputs and labels, and the time and history of the label.

    Args:
        inputs: as given to `join`.
        outputs: as given to `join`.
        labels: of the rows.
        kept: the rows of the table.
        labeled: the number of the label of each row of the table, -1 without one.
        envelope: names of the columns that describe the event.
        history: whether all labels of a row are added.

    Returns:
        The table, and the columns that have another name there.
    """
    of_inputs, of_outputs = _taken(inputs, kept.inputs), _taken(outputs, kept.outputs)
    sides = [
        ("inputs", of_inputs.select(own_columns(inputs, envelope))),
        ("outputs", of_outputs.select(own_columns(outputs, envelope))),
    ]
    described = list(_envelope(of_inputs, of_outputs, envelope, has_input=kept.inputs >= 0))
    last: list[tuple[pa.Field, Any]] = []
    if labels is not None:
        of_labels = labels.last().take(nullable(labeled))
        sides.append(("labels", of_labels.drop_columns([LABEL_TIME])))
        last.append((of_labels.schema.field(LABEL_TIME), of_labels[LABEL_TIME]))
        if history:
            column = labels.history().take(nullable(labeled))
            last.append((pa.field(LABEL_HISTORY, column.type), column))
    names, renamed = names_of(
        [(side, table.column_names) for side, table in sides], [field.name for field, _ in (*described, *last)]
    )
    own = [
        (field.with_name(name), column)
        for (_, table), of_side in zip(sides, names, strict=True)
        for name, field, column in zip(of_side, table.schema, table.columns, strict=True)
    ]
    columns = (*described, *own, *last)
    schema = pa.schema([field.with_nullable(True) for field, _ in columns])
    return pa.Table.from_arrays([column for _, column in columns], schema=schema), tuple(renamed)


def _taken(table: pa.Table, rows: Codes) -> pa.Table:
    """Rows of a table; all nulls for -1. The table itself if these are its rows: a copy takes as much memory."""
    if len(rows) == len(table) and np.array_equal(rows, np.arange(len(rows))):
        return table
    return table.take(nullable(rows))


def _envelope(
    inputs: pa.Table, outputs: pa.Table, envelope: Collection[str], *, has_input: Mask
) -> Iterator[tuple[pa.Field, Any]]:
    """The columns that describe the event: the input's, and the output's where there is no input."""
    for name in dict.fromkeys((*inputs.column_names, *outputs.column_names)):
        if name not in envelope or name == COLLECTION:
            continue
        first, *others = (table for table in (inputs, outputs) if name in table.column_names)
        field, column = first.schema.field(name), first[name]
        if others and not has_input.all():
            other = others[0][name]
            if pa.types.is_null(field.type):  # of a table without rows, or without any value
                field = field.with_type(other.type)
            column = pc.if_else(pa.array(has_input), column.cast(field.type), other.cast(field.type))
        yield field, column

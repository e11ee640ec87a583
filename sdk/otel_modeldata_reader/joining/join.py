"""`join`: one row per scored row, made of inputs, outputs and labels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

import pyarrow as pa

from ..exceptions import ReaderError
from .columns import CORRELATION_ID, ENVELOPE, TIME, check_columns
from .join_report import JoinReport, RepeatedId, coverage, repeated_ids
from .joined_table import How, KeptRows, joined_table, rows_alone
from .label_rows import LabelRows
from .labeled_rows import LabeledRows
from .repeated_ids import Rows, certain_partners, nanoseconds
from .row_keys import groups_of, one_array, row_keys, unique_partners

if TYPE_CHECKING:
    from collections.abc import Collection

    from .row_keys import Codes, RowKeys

_HOWS: Final = get_args(How)


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The result of a join.

    Attributes:
        table: one row per scored row, in the order of the inputs; outputs without an input are at the end.
        report: what has no partner, which ids repeat, and how much of each day is joined and labeled.
    """

    table: pa.Table
    report: JoinReport


def join(  # noqa: PLR0913 - three tables, and how to join them
    inputs: pa.Table,
    outputs: pa.Table,
    labels: pa.Table | None = None,
    *,
    how: How = "inner",
    history: bool = False,
    label_id: str | None = None,
    envelope: Collection[str] = ENVELOPE,
) -> Joined:
    """Join what was collected of the same rows, by row id.

    The columns are those of the envelope, once, with the input's values (the output's where there is no input), then
    those of inputs, outputs and labels, then `label_time`. The envelope's `collection` is left out. A name that two
    tables have is prefixed in each: `inputs.x`, `outputs.x`, `labels.x`.

    Args:
        inputs: rows with the envelope's columns, as the reader returns them: at least `row_id`, `correlationid` and
            `time`. `endpoint`, `deployment` and `traceparent` are used if they are there.
        outputs: the same of the outputs.
        labels: rows of a collection of labels; `label_rows.py` has their columns. Every row gets the last one.
        how: `inner` keeps rows that have both, `left` also inputs without an output, `outer` also outputs without an
            input. Labels never add or remove a row.
        history: add the column `label_history`: all labels of the row, the earliest first, each with its time.
        label_id: the column of labels that has the row id, if it is not `row_id`.
        envelope: names of the columns that describe the event.

    Returns:
        The table, and a report that counts every row given, also those that are left out.

    Raises:
        ReaderError: `how` is none of these; UnknownNameError if a column is missing.
    """
    if how not in _HOWS:
        raise ReaderError(f"expected how= one of {', '.join(_HOWS)}, got {how!r}: choose one of them")
    check_columns("inputs", inputs)
    check_columns("outputs", outputs)
    keys = row_keys(inputs, outputs)
    partners, repeats = _partners(inputs, outputs, keys)
    of_rows = None if labels is None else LabelRows.of(labels, envelope, label_id)
    labeled = LabeledRows.of(of_rows, inputs, outputs, keys, partners)
    kept = KeptRows.of(how, partners, len(outputs))
    table, renamed = joined_table(
        inputs, outputs, of_rows, kept, labeled.of_kept(kept), envelope=envelope, history=history
    )
    alone = rows_alone(partners, len(outputs))
    report = JoinReport(
        inputs=len(inputs),
        outputs=len(outputs),
        joined=int((partners >= 0).sum()),
        labeled=int((labeled.inputs >= 0).sum() + (labeled.outputs >= 0).sum()),
        labels=labeled.counts,
        repeated_ids=repeats.count,
        repeated=repeats.largest,
        uncertain_inputs=int((keys.input_repeats & (partners < 0)).sum()),
        uncertain_outputs=int((keys.output_repeats & alone).sum()),
        coverage=coverage(
            inputs=nanoseconds(inputs[TIME]),
            outputs=nanoseconds(outputs[TIME]),
            partners=partners,
            labeled_inputs=labeled.inputs >= 0,
            labeled_outputs=labeled.outputs >= 0,
        ),
        renamed=renamed,
    )
    return Joined(table=table, report=report)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeats:
    """Correlation ids that repeat: how many there are, and the largest."""

    count: int = 0
    largest: tuple[RepeatedId, ...] = ()


def _partners(inputs: pa.Table, outputs: pa.Table, keys: RowKeys) -> tuple[Codes, _Repeats]:
    """The output row of each input row, -1 without one."""
    partners = unique_partners(keys)
    if not (keys.input_repeats.any() or keys.output_repeats.any()):
        return partners, _Repeats()
    (groups_in, groups_out), _ = groups_of(inputs, outputs, by_deployment=keys.by_deployment)
    of_inputs = Rows.of(inputs, keys.input_repeats, keys.inputs, groups_in)
    of_outputs = Rows.of(outputs, keys.output_repeats, keys.outputs, groups_out)
    joined, their_outputs = certain_partners(of_inputs, of_outputs)
    ids = [table[CORRELATION_ID].take(rows.number) for table, rows in ((inputs, of_inputs), (outputs, of_outputs))]
    count, largest = repeated_ids(
        keys=(of_inputs.key, of_outputs.key),
        groups=(of_inputs.group, of_outputs.group),
        joined=groups_in[joined],
        names=pa.chunked_array([one_array(column) for column in ids]),
    )
    found = partners.copy()
    found[joined] = their_outputs
    return found, _Repeats(count=count, largest=largest)

"""Which rows have a label: a row whose correlation id repeats has none, because a label names its row by the row id."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.compute as pc

from .columns import ROW_ID
from .joined_table import rows_alone
from .label_rows import LabelCounts
from .row_keys import one_array

if TYPE_CHECKING:
    import pyarrow as pa

    from .joined_table import KeptRows
    from .label_rows import LabelRows
    from .row_keys import Codes, RowKeys


@dataclass(frozen=True, slots=True, kw_only=True)
class LabeledRows:
    """The number of the label of each row, -1 without one.

    Attributes:
        inputs: of each input row.
        outputs: of each output row that has no input.
        counts: what became of the labels.
    """

    inputs: Codes
    outputs: Codes
    counts: LabelCounts

    @classmethod
    def of(
        cls, labels: LabelRows | None, inputs: pa.Table, outputs: pa.Table, keys: RowKeys, partners: Codes
    ) -> LabeledRows:
        """The labels of rows whose outputs are known (`partners`)."""
        of_inputs, of_outputs = np.full(len(inputs), -1), np.full(len(outputs), -1)
        if labels is None:
            return cls(inputs=of_inputs, outputs=of_outputs, counts=LabelCounts())
        of_inputs = _numbers(inputs[ROW_ID], labels.row_ids)
        alone = np.flatnonzero(rows_alone(partners, len(outputs)))
        of_outputs[alone] = _numbers(outputs[ROW_ID].take(alone), labels.row_ids)
        named = np.zeros(len(labels.row_ids), dtype=np.bool_)
        ambiguous = named.copy()
        for numbers, repeats in ((of_inputs, keys.input_repeats), (of_outputs, keys.output_repeats)):
            named[numbers[numbers >= 0]] = True
            ambiguous[numbers[(numbers >= 0) & repeats]] = True
        return cls(
            inputs=np.where(keys.input_repeats, -1, of_inputs),
            outputs=np.where(keys.output_repeats, -1, of_outputs),
            counts=replace(labels.counts, unknown=int((~named).sum()), ambiguous=int(ambiguous.sum())),
        )

    def of_kept(self, kept: KeptRows) -> Codes:
        """The number of the label of each row of the table."""
        found = np.full(len(kept.inputs), -1)
        for numbers, rows in ((self.inputs, kept.inputs), (self.outputs, kept.outputs)):
            there = rows >= 0
            found[there] = np.maximum(found[there], numbers[rows[there]])
        return found


def _numbers(row_ids: Any, known: pa.Array) -> Codes:
    """The position of each row id among those known, which all differ; -1 for others."""
    found = pc.fill_null(pc.index_in(one_array(row_ids), value_set=known, skip_nulls=True), -1)
    numbers: Codes = found.to_numpy(zero_copy_only=False).astype(np.int64)
    return numbers

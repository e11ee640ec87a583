"""Row ids of two tables as small integers, and which rows have one that repeats.

Row ids are compared as text, exactly. Where both tables hold the same several deployments, a row joins only within its
own: mirrored requests have the same id in each deployment.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .columns import CORRELATION_ID, DEPLOYMENT, ENDPOINT, ROW_ID

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    Codes = npt.NDArray[np.int64]
    Mask = npt.NDArray[np.bool_]


_SLASH: Final = "/"
"""No name of an endpoint or deployment has one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RowKeys:
    """The keys of the rows of two tables.

    Attributes:
        inputs: the key of each input row: rows with equal row ids have equal keys; -1 without a row id.
        outputs: the same of the output rows.
        count: keys are below this number.
        input_repeats: whether a row's correlation id has a row id that repeats in one of the tables.
        output_repeats: the same of the output rows.
        by_deployment: rows of different deployments have different keys.
    """

    inputs: Codes
    outputs: Codes
    count: int
    input_repeats: Mask
    output_repeats: Mask
    by_deployment: bool


def row_keys(inputs: pa.Table, outputs: pa.Table) -> RowKeys:
    """The keys of two tables with the envelope's columns."""
    tables = (inputs, outputs)
    by_deployment = _share_deployments(*tables)
    (of_inputs, of_outputs), count = encode(
        [_texts(table, _column(table, ROW_ID), by_deployment=by_deployment) for table in tables]
    )
    repeats = np.zeros(count, dtype=np.bool_)
    for codes in (of_inputs, of_outputs):
        repeats |= np.bincount(codes[codes >= 0], minlength=count) > 1
    masks = [np.zeros(len(codes), dtype=np.bool_) for codes in (of_inputs, of_outputs)]
    if repeats.any():
        groups, number = groups_of(inputs, outputs, by_deployment=by_deployment)
        in_group = np.zeros(number, dtype=np.bool_)
        for group, codes in zip(groups, (of_inputs, of_outputs), strict=True):
            known = codes >= 0
            in_group[group[known][repeats[codes[known]]]] = True
        masks = [in_group[group] for group in groups]
    return RowKeys(
        inputs=of_inputs,
        outputs=of_outputs,
        count=count,
        input_repeats=masks[0],
        output_repeats=masks[1],
        by_deployment=by_deployment,
    )


def unique_partners(keys: RowKeys) -> Codes:
    """The output row of each input row whose correlation id has no row id that repeats; -1 without one."""
    row_of_key = np.full(keys.count + 1, -1, dtype=np.int64)  # the last one is the partner of key -1
    rows = np.flatnonzero(~keys.output_repeats & (keys.outputs >= 0))
    row_of_key[keys.outputs[rows]] = rows
    partners: Codes = row_of_key[keys.inputs]
    partners[keys.input_repeats | (keys.inputs < 0)] = -1
    return partners


def groups_of(inputs: pa.Table, outputs: pa.Table, *, by_deployment: bool) -> tuple[list[Codes], int]:
    """The correlation id of each row as a number, in both tables, and how many numbers there are.

    Rows without a correlation id have one number, or one in each deployment.
    """
    tables = (inputs, outputs)
    return encode([_texts(table, _marked_ids(table), by_deployment=by_deployment) for table in tables])


def encode(columns: Sequence[Any]) -> tuple[list[Codes], int]:
    """Equal texts of all columns as equal numbers from 0; -1 for null; and how many numbers there are."""
    encoded = pa.concat_arrays([one_array(column) for column in columns]).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    return np.split(codes, np.cumsum([len(column) for column in columns])[:-1]), len(encoded.dictionary)


def one_array(column: Any) -> pa.Array:
    """A column of texts as one array with 64 bit offsets."""
    array = column.cast(pa.large_string())
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _column(table: pa.Table, name: str) -> Any:
    return table[name].cast(pa.large_string())


def _marked_ids(table: pa.Table) -> Any:
    """The correlation ids as texts of which none is null: without an id it is empty, as with no other id."""
    ids = _column(table, CORRELATION_ID)
    nothing = _text("")
    return pc.fill_null(pc.binary_join_element_wise(_text("="), ids, nothing), nothing)


def _texts(table: pa.Table, texts: Any, *, by_deployment: bool) -> Any:
    return pc.binary_join_element_wise(_deployments(table), texts, _text(_SLASH)) if by_deployment else texts


def _deployments(table: pa.Table) -> Any:
    names = [pc.fill_null(_column(table, name), _text("")) for name in (ENDPOINT, DEPLOYMENT)]
    return pc.binary_join_element_wise(*names, _text(_SLASH))


def _text(value: str) -> pa.Scalar:
    """Not made at the import: pyarrow imports pandas for its first value."""
    return pa.scalar(value, pa.large_string())


def _share_deployments(inputs: pa.Table, outputs: pa.Table) -> bool:
    tables = (inputs, outputs)
    if not all({ENDPOINT, DEPLOYMENT} <= set(table.column_names) for table in tables):
        return False
    if all(len(pc.unique(table[name])) <= 1 for table in tables for name in (ENDPOINT, DEPLOYMENT)):
        return False
    of_inputs, of_outputs = (set(pc.unique(_deployments(table)).to_pylist()) for table in tables)
    return len(of_inputs | of_outputs) > 1 and bool(of_inputs & of_outputs)

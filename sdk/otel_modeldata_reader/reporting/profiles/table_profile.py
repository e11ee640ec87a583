"""The profile of some rows: counts, moments, categories and a sample of each column, from one pass over batches."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec
import numpy as np

from ..figures.column import ColumnSummary
from ..measures.bins import bin_counts
from .kinds import are_rounded, category_counts, is_without_values, kind_of, numbers_of
from .row_sample import RowSample

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import pyarrow as pa

    from ..figures.column import Kind
    from ..measures.bins import Counts, Floats

__all__ = ["ColumnProfile", "TableProfile", "are_free_texts", "profile_of"]

MOST_CATEGORIES: Final = 10_000
"""A column with more different texts is text."""
MOST_TEXTS: Final = 500_000
"""Of all columns together, so that a table with very many columns of texts takes no more memory."""
_FEW_CATEGORIES: Final = 100
_ROWS_PER_CATEGORY: Final = 10
"""A column with more than 100 different texts, and more than one for 10 values, is text: ids, names, days."""
_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnProfile:
    """One column of some rows.

    Attributes:
        kind: what is measured of it.
        is_empty: whether its type has no values at all.
        summary: counts and moments.
        values: finite values in the sample; empty for others than numbers and times.
        are_rounded: whether it has whole numbers or decimals that floats do not hold apart.
        categories: counts by text; empty for others than categories.
        binned: counts for each set of edges that was given, over all rows.
    """

    kind: Kind
    is_empty: bool
    summary: ColumnSummary
    values: Floats
    are_rounded: bool = False
    categories: Mapping[str, int] = field(default_factory=dict)
    binned: Sequence[Counts] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TableProfile:
    """Some rows.

    Attributes:
        rows: how many.
        sampled: how many of them are in the sample.
        columns: by name.
    """

    rows: int = 0
    sampled: int = 0
    columns: Mapping[str, ColumnProfile] = field(default_factory=dict)


def profile_of(
    batches: Iterable[pa.RecordBatch],
    schema: pa.Schema,
    names: Sequence[str],
    edges: Mapping[str, Sequence[Floats]],
    most_rows: int | None = None,
) -> TableProfile:
    """The profile of rows.

    Args:
        batches: the rows, of one schema.
        schema: theirs.
        names: the columns to look at.
        edges: of columns of numbers: the inner edges of bins in which all values are counted.
        most_rows: of the sample.
    """
    kinds = {name: kind_of(schema.field(name).type) for name in names}
    numbers = {name: _Numbers(edges.get(name, ())) for name in names if kinds[name] in {"number", "time"}}
    of_texts = [name for name in names if kinds[name] == "category"]
    texts = {name: _Texts(min(MOST_CATEGORIES, MOST_TEXTS // len(of_texts))) for name in of_texts}
    nulls = dict.fromkeys(names, 0)
    sample = RowSample(len(numbers), most_rows)
    for batch in batches:
        arrays = {}
        for name in names:
            column = batch.column(name)
            nulls[name] += column.null_count
            if name in numbers:
                arrays[name] = numbers_of(column)
                # NaN is no value either; nor is an infinity, which a line has as a null.
                nulls[name] += int(np.count_nonzero(~np.isfinite(arrays[name]))) - column.null_count
                numbers[name].add(arrays[name])
                numbers[name].are_rounded |= are_rounded(column, arrays[name])
            elif name in texts:
                texts[name].add(column)
        sample.add(list(arrays.values()), batch.num_rows)
    sampled = dict(zip(numbers, sample.columns(), strict=True))
    columns = {}
    for name in names:
        summary = ColumnSummary(type=str(schema.field(name).type), rows=sample.seen, nulls=nulls[name])
        columns[name] = ColumnProfile(
            kind="text" if name in texts and texts[name].is_text else kinds[name],
            is_empty=is_without_values(schema.field(name).type) or nulls[name] == sample.seen,
            summary=_summary(summary, numbers.get(name), texts.get(name), sampled.get(name)),
            values=_finite(sampled[name]) if name in sampled else np.empty(0),
            are_rounded=name in numbers and numbers[name].are_rounded,
            categories={} if name not in texts else texts[name].counts,
            binned=() if name not in numbers else numbers[name].binned,
        )
    return TableProfile(rows=sample.seen, sampled=sample.rows, columns=columns)


def are_free_texts(different: int, values: int) -> bool:
    """Whether texts are no categories, such as ids and names: too many of them differ.

    Args:
        different: how many different texts there are.
        values: how many texts there are.
    """
    return different > MOST_CATEGORIES or (different > _FEW_CATEGORIES and different * _ROWS_PER_CATEGORY > values)


def _finite(values: Floats) -> Floats:
    return values[np.isfinite(values)]


def _summary(
    summary: ColumnSummary, numbers: _Numbers | None, texts: _Texts | None, sampled: Floats | None
) -> ColumnSummary:
    if texts is not None:
        return msgspec.structs.replace(summary, distinct=None if texts.is_full else len(texts.counts))
    if numbers is None or sampled is None or not numbers.count:
        return msgspec.structs.replace(summary, infinite=0 if numbers is None else numbers.infinite)
    return msgspec.structs.replace(
        summary,
        infinite=numbers.infinite,
        least=numbers.least,
        largest=numbers.largest,
        mean=_held(numbers.mean),
        deviation=_held(numbers.deviation),
        quantiles=tuple(float(one) for one in np.quantile(_finite(sampled), _QUANTILES))
        if len(_finite(sampled))
        else (),
    )


def _held(value: float) -> float | None:
    """None for a moment that no float holds."""
    return value if math.isfinite(value) else None


class _Numbers:
    """Counts and moments of one column of numbers, by Chan's update of the variance.

    The first value is taken from all others, so that times, which are far from zero, keep their digits.
    """

    def __init__(self, edges: Sequence[Floats]) -> None:
        self.count = self.infinite = 0
        self.are_rounded = False
        self._shift: float | None = None
        self._mean = self._squares = 0.0
        self.least, self.largest = math.inf, -math.inf
        self._edges = edges
        self.binned: list[Any] = [np.zeros(len(one) + 1, dtype=np.int64) for one in edges]

    @property
    def deviation(self) -> float:
        """The standard deviation of a sample; 0 of one value."""
        return math.sqrt(self._squares / (self.count - 1)) if self.count > 1 else 0.0

    @property
    def mean(self) -> float:
        """The mean."""
        return self._mean + (self._shift or 0.0)

    def add(self, values: Floats) -> None:
        """Add values."""
        finite = _finite(values)
        self.infinite += int(np.isinf(values).sum())
        self.binned = [counts + bin_counts(one, finite) for counts, one in zip(self.binned, self._edges, strict=True)]
        if len(finite):
            if self._shift is None:
                self._shift = float(finite[0])
            with np.errstate(over="ignore", invalid="ignore"):
                shifted = finite - self._shift
                mean = float(shifted.mean())
                squares = float(np.sum((shifted - mean) ** 2))
            total = self.count + len(finite)
            away = mean - self._mean
            self._mean += away * len(finite) / total
            self._squares += squares + away * away * (self.count * len(finite) / total)
            self.count = total
            self.least = min(self.least, float(finite.min()))
            self.largest = max(self.largest, float(finite.max()))


class _Texts:
    """How often each text of a column is there, while there are not too many."""

    def __init__(self, most: int) -> None:
        self.counts: dict[str, int] = {}
        self.is_full = False
        self._most = most

    @property
    def is_text(self) -> bool:
        """Whether the values are no categories."""
        return self.is_full or are_free_texts(len(self.counts), sum(self.counts.values()))

    def add(self, column: Any) -> None:
        """Add the texts of a column."""
        if self.is_full:
            return
        for text, count in category_counts(column).items():
            self.counts[text] = self.counts.get(text, 0) + count
        if len(self.counts) > self._most:
            self.is_full = True
            self.counts = {}

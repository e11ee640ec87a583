"""The figures of one column, in the window and in the baseline."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

__all__ = ["CategoryCount", "ColumnFigures", "ColumnSummary", "Drift", "Histogram", "Kind"]

Kind: TypeAlias = Literal["number", "time", "category", "text", "other"]
"""`time` is measured as seconds since 1970. `text` has too many different values to compare (more than
10,000, or more than 100 and one for 10 rows), `other` is nested, binary, or null in every row: of both, nulls are
counted."""


class ColumnSummary(msgspec.Struct, frozen=True, kw_only=True):
    """One column of some rows.

    Attributes:
        type: as Arrow names it.
        rows: rows.
        nulls: rows without a value; NaN and infinities, which lines have as nulls, are none.
        infinite: those of them that are plus or minus infinity.
        distinct: different values; None for numbers, and where there are too many.
        least: the least value.
        largest: the largest value.
        mean: the mean.
        deviation: the standard deviation of a sample.
        quantiles: the 5 %, 25 %, 50 %, 75 % and 95 % quantiles.
    """

    type: str
    rows: int
    nulls: int
    infinite: int = 0
    distinct: int | None = None
    least: float | None = None
    largest: float | None = None
    mean: float | None = None
    deviation: float | None = None
    quantiles: tuple[float, ...] = ()

    @property
    def null_share(self) -> float:
        """The share of rows without a value; 0 without rows."""
        return self.nulls / self.rows if self.rows else 0.0


class Histogram(msgspec.Struct, frozen=True, kw_only=True):
    """How many values are in each bin.

    Attributes:
        edges: the inner edges: the first bin is below the first one, the last bin from the last one on.
        window: counts in the window, one more than there are edges.
        baseline: counts in the baseline; None without one.
    """

    edges: tuple[float, ...]
    window: tuple[int, ...]
    baseline: tuple[int, ...] | None = None


class CategoryCount(msgspec.Struct, frozen=True, kw_only=True):
    """How often one category is there.

    Attributes:
        value: its text.
        window: rows in the window.
        baseline: rows in the baseline; None without one.
    """

    value: str
    window: int
    baseline: int | None = None


class Drift(msgspec.Struct, frozen=True, kw_only=True):
    """How far the window is from the baseline. None is a measure that the column's kind does not have.

    Attributes:
        psi: population stability index, with the bins of the baseline.
        psi_p_value: how likely an index as large is, if nothing has changed.
        ks_statistic: Kolmogorov-Smirnov.
        ks_p_value: its p-value.
        wasserstein: in the unit of the column.
        normalized_wasserstein: in standard deviations of the baseline.
        jensen_shannon: distance with base 2, in the bins of the baseline.
        chi_square: Pearson's statistic; None also where the baseline lacks a category, which makes it infinite.
        chi_square_p_value: its p-value.
        azure: the measures of Azure ML's monitors, by their names and formulas: those of bins have Azure's bins, which
            depend on the window, too.
        baseline_values: values of the baseline that were compared.
        window_values: values of the window that were compared.
    """

    psi: float | None = None
    psi_p_value: float | None = None
    ks_statistic: float | None = None
    ks_p_value: float | None = None
    wasserstein: float | None = None
    normalized_wasserstein: float | None = None
    jensen_shannon: float | None = None
    chi_square: float | None = None
    chi_square_p_value: float | None = None
    azure: dict[str, float] = {}
    baseline_values: int = 0
    window_values: int = 0


class ColumnFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a collection.

    Attributes:
        name: its name.
        kind: what is measured of it.
        window: its values in the window; None for a column that only the baseline has.
        baseline: its values in the baseline; None without a baseline, or for a column that it lacks.
        histogram: of numbers and times, in equally wide bins of the baseline.
        categories: the most frequent categories of both.
        other_categories: rows of all other categories.
        new_categories: how many categories of the window the baseline lacks.
        new_category_rows: rows that have them.
        new_examples: the most frequent of them.
        drift: None where there is nothing to compare.
        type_change: that window and baseline have values of different kinds, so that nothing can be compared.
        note: why there is no drift otherwise, if that needs words.
    """

    name: str
    kind: Kind
    window: ColumnSummary | None
    baseline: ColumnSummary | None = None
    histogram: Histogram | None = None
    categories: tuple[CategoryCount, ...] = ()
    other_categories: CategoryCount | None = None
    new_categories: int = 0
    new_category_rows: int = 0
    new_examples: tuple[str, ...] = ()
    drift: Drift | None = None
    type_change: str | None = None
    note: str | None = None

"""The ranks of whole numbers in a baseline, where floats do not hold its numbers apart."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from otel_modeldata_reader.reporting.profiles.baselines import WindowBaseline, baseline_of
from otel_modeldata_reader.window import window_of

from ..queries.joined_rows import joined_rows, own_column
from ..queries.lookups import ranks
from ..tables.deployment_rows import deployment_rows

if TYPE_CHECKING:
    from collections.abc import Mapping

    from ..tables.tables import Tables

__all__ = ["Rank", "ranks_in"]


class Rank(NamedTuple):
    """Where a number is among others.

    Attributes:
        lower: how many are lower.
        equal: how many are equal.
        of: how many there are.
    """

    lower: int
    equal: int
    of: int


def ranks_in(tables: Tables, deployment: str, baseline: str, values: Mapping[str, int]) -> dict[str, Rank]:
    """The rank of each value among those of its column; none in a baseline that is a file.

    Args:
        tables: have the rows.
        deployment: `endpoint/deployment`.
        baseline: as for `BaselineProfiles.profiles`.
        values: by columns with their role; each column has whole numbers in the baseline.

    Raises:
        ReaderError: the baseline cannot be read.
    """
    given = baseline_of(baseline) if values else None
    if not isinstance(given, WindowBaseline):
        return {}
    window = window_of(given.since, given.until)
    rows = deployment_rows(tables, deployment, window)
    columns = [own_column(rows, name) for name in values]
    whole = [one for one in columns if one.kind == "integer"]
    if not whole:
        return {}
    chosen = joined_rows(rows, whole, [], window)
    text = ranks(chosen, {chosen.aliases[one.name]: values[one.name] for one in whole})
    (found,) = tables.database.rows(text.text, text.parameters)
    counts = iter(found)
    return {one.name: Rank(next(counts), next(counts), next(counts)) for one in whole}

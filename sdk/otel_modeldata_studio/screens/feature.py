"""One column: how its values are spread in the window and in the baseline, and over time, beside other deployments."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence  # noqa: TC003 (msgspec reads the annotations)
from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata_reader.exceptions import ReaderError, UnknownNameError

from ..profiles.baseline_profiles import profile
from ..profiles.facet import Facet  # noqa: TC001 (likewise)
from ..profiles.sample import SAMPLE_ROWS, sample_of
from ..queries.filters import parse_filters
from ..queries.joined_rows import own_column
from .column_spread import NO_QUANTILES, ColumnBins, ColumnRows, Quantiles, Spread, spread_of, with_same_bins
from .explored import explored
from .steps import Steps, steps_of

if TYPE_CHECKING:
    from otel_modeldata_reader.reporting.profiles.table_profile import ColumnProfile

    from ..queries.filters import Filter
    from ..queries.joined_rows import OwnColumn
    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["FeatureAnswer", "OtherDeployment", "Quantiles", "feature"]

_BUCKETS: Final = 48
_MOST_OTHERS: Final = 4


class OtherDeployment(msgspec.Struct, frozen=True, kw_only=True):
    """The same column of another deployment, in the same bins and steps of time; `note` says why it has no facet."""

    name: str
    facet: Facet | None
    quantiles: Quantiles = NO_QUANTILES
    null_rate: Sequence[float | None] = ()
    psi: Sequence[float | None] = ()
    note: str = ""


class FeatureAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        column: with its role, such as `inputs.age`.
        kind: of its values.
        facet: of all rows of the window; of a column of very many different texts, of a sample.
        times: the beginnings of steps of time, ISO 8601 in UTC.
        step_seconds: their length.
        quantiles: of numbers, and of times in seconds since the epoch, by step.
        null_rate: the share of rows without a value, by step.
        psi: population stability index against the baseline, by step; empty without a baseline.
        shares: of the most frequent categories, by step.
        deployments: others beside it.
        baseline: what the window is compared with; None without one.
        pending: bytes of lines that are not read yet: ask again in a second.
    """

    column: str
    kind: str
    facet: Facet
    times: list[str]
    step_seconds: float
    quantiles: Quantiles
    null_rate: Sequence[float | None]
    psi: Sequence[float | None]
    shares: Mapping[str, Sequence[float | None]]
    deployments: Sequence[OtherDeployment]
    baseline: str | None
    pending: int = 0


def feature(  # noqa: PLR0913 (keywords: the query of the URL)
    studio: Studio,
    *,
    deployment: str,
    column: str,
    since: str | None = None,
    until: str | None = None,
    f: str | None = None,
    baseline: str | None = None,
    others: tuple[str, ...] = (),
) -> FeatureAnswer:
    """What the screen shows.

    Args:
        studio: has the store.
        deployment: `endpoint/deployment`.
        column: with its role, such as `inputs.age`.
        since: as for `Store.read`.
        until: likewise.
        f: filters as a JSON list, which all must hold.
        baseline: a window; by default that of Studio, which may be a file.
        others: deployments beside it.

    Raises:
        UnknownNameError: there is no such deployment or column.
        ReaderError: a wrong argument, or the store cannot be read.
    """
    if len(others) > _MOST_OTHERS:
        raise ReaderError(f"expected at most {_MOST_OTHERS} deployments beside one, got {len(others)}: choose fewer")
    filters = parse_filters(f or "")
    found, window = explored(studio, deployment, since, until, (column, *(one.column for one in filters)))
    own = own_column(found, column)
    found, left = studio.chosen.by(deployment, found, filters, window)
    found = _alone(found, own, left)
    steps = steps_of(found.base.pieces, window, _BUCKETS)
    profiles = studio.baselines.profiles(deployment, found, baseline or studio.baseline, [own])
    known = profiles.columns.get(own.name)
    sample = sample_of(studio.tables.database, found, [own], left, window)
    sampled = profile(sample.table, [own.name])[own.name]
    bins = ColumnBins.of(sampled, known)
    rows = ColumnRows(studio, found, own, left, window)
    spread = spread_of(rows, sampled, known, sample.share, steps, bins)
    looked = [_other(studio, name, own, filters, (since, until), known, steps, bins) for name in others]
    beside = [one for one, _ in looked]
    spreads = [spread, *(one for one in beside if isinstance(one, Spread))]
    facet, *facets = with_same_bins(spreads, bins, known)
    of_others = iter(facets)
    return FeatureAnswer(
        column=own.name,
        kind=spread.facet.kind,
        facet=facet,
        times=steps.texts,
        step_seconds=steps.seconds,
        quantiles=spread.quantiles,
        null_rate=spread.null_rate,
        psi=spread.psi,
        shares=spread.shares,
        deployments=[_shown(name, one, of_others) for name, one in zip(others, beside, strict=True)],
        baseline=(baseline or studio.baseline) if known is not None else None,
        pending=found.pending + profiles.pending + sum(pending for _, pending in looked),
    )


def _alone(found: DeploymentRows, own: OwnColumn, filters: Sequence[Filter]) -> DeploymentRows:
    if found.rows <= SAMPLE_ROWS:  # so few are joined, as by Explore
        return found
    return found.alone([own.role, *(own_column(found, one.column).role for one in filters)])


def _other(  # noqa: PLR0913, PLR0917 (what the first deployment is compared with)
    studio: Studio,
    name: str,
    own: OwnColumn,
    filters: Sequence[Filter],
    window: tuple[str | None, str | None],
    baseline: ColumnProfile | None,
    steps: Steps,
    bins: ColumnBins | None,
) -> tuple[Spread | str, int]:
    """The spread of the column in another deployment, or why it has none; and how many bytes are not read yet."""
    names = (own.name, *(one.column for one in filters))
    found, bounds = explored(studio, name, *window, names)
    try:
        of_other = own_column(found, own.name)
        found = _alone(found, of_other, filters)
        sample = sample_of(studio.tables.database, found, [of_other], filters, bounds)
    except UnknownNameError as error:
        return str(error), found.pending
    sampled = profile(sample.table, [own.name])[own.name]
    rows = ColumnRows(studio, found, of_other, filters, bounds)
    return spread_of(rows, sampled, baseline, sample.share, steps, bins), found.pending


def _shown(name: str, spread: Spread | str, facets: Iterator[Facet]) -> OtherDeployment:
    if isinstance(spread, str):
        return OtherDeployment(name=name, facet=None, note=spread)
    return OtherDeployment(
        name=name, facet=next(facets), quantiles=spread.quantiles, null_rate=spread.null_rate, psi=spread.psi
    )

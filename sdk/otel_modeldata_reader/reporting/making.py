"""Makes the figures of a report: reads the collections of a deployment, each in bounded memory, and compares them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Final

import msgspec

from otel_modeldata import semconv
from otel_modeldata_receiver.layout.canary_collection import CANARY_COLLECTION

from ..collection_names import BESIDE_ROWS
from ..compacted.part_file import DamagedPartError
from ..datasets.origin import window_texts
from ..exceptions import ReaderError, UnknownNameError
from ..index.every_event import every_event
from ..lines.tally import Tally
from ..nearest import nearest
from ..progress import Progress, step
from ..rows.envelope_columns import ENVELOPE
from .figures.findings import with_findings
from .figures.report import CollectionFigures, Errors, Figures, Latency, Performance, Thresholds, Traffic
from .profiles.baselines import FileBaseline, baseline_of
from .profiles.comparison import column_figures, edges_of
from .profiles.intervals import intervals_of, moments_of
from .profiles.outcomes import SPAN_COLUMNS, Outcomes, latency_of, of_responses, of_spans
from .profiles.performances import performance_of
from .profiles.scored_rows import Roles, read_scored
from .profiles.table_profile import TableProfile, profile_of
from .profiles.volumes import Volumes
from .report import Report

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..reading import Reading
    from ..window import Moment, Window
    from .figures.column import ColumnFigures
    from .profiles.baselines import Baseline

__all__ = ["MOST_COLUMNS", "Asked", "Source", "figures_of", "report_of"]

MOST_COLUMNS: Final = 500
"""Columns of a collection that are measured; the others are counted."""
GROUND_TRUTH: Final = "ground_truth"
_INPUTS, _OUTPUTS = "model_inputs", "model_outputs"
_SKIPPED: Final = ("torn", "foreign", "mismatched", "missing_payloads", "quarantined", "parked")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where the rows are from.

    Attributes:
        store: opened.
        collections: all collections of the store, by name.
        read: `Store.read`.
    """

    store: StoreAccess
    collections: Mapping[str, CollectionBlobs]
    read: Callable[..., Reading]


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a report is about; see `Store.report`."""

    name: str
    window: Window
    baseline: Baseline | None = None
    roles: Roles
    labels: str | bool = True
    thresholds: Thresholds


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compared:
    """One collection that was read."""

    figures: CollectionFigures
    volumes: Volumes
    own: tuple[str, ...] = ()


def report_of(  # noqa: PLR0913, PLR0917 (as `Store.report` has them)
    source: Source,
    name: str,
    window: Window,
    baseline: str | os.PathLike[str] | tuple[Moment, Moment] | None,
    roles: Roles,
    labels: bool | str,
    thresholds: Thresholds | None,
) -> Report:
    """The report that `Store.report` is asked for.

    Raises:
        ReaderError: as for `figures_of`.
    """
    asked = Asked(
        name=name,
        window=window,
        baseline=None if baseline is None else baseline_of(baseline),
        roles=roles,
        labels=labels,
        thresholds=thresholds or Thresholds(),
    )
    return Report(figures=figures_of(source, asked))


def figures_of(source: Source, asked: Asked) -> Figures:
    """The figures.

    Raises:
        UnknownNameError: no such deployment, collection or column.
        ReaderError: as for `Store.read`, and for a baseline that cannot be read.
    """
    name = asked.name.strip("/")
    names = _collections(source, name)
    read = {one: _compared(source, one, asked) for one in names}
    main = next((one for one in names if one.endswith(f"/{_INPUTS}")), names[0])
    is_deployment = name not in source.collections
    deployment = name if is_deployment else None
    scored: _Scored = _scored(source, asked, deployment, read)
    outcomes = _outcomes(source, asked, name if is_deployment else name.rpartition("/")[0])
    latency = outcomes.latency or scored.latency
    collections = tuple(one.figures for one in read.values())
    ends = window_texts(asked.window)
    return with_findings(
        Figures(
            name=name,
            store=source.store.shown,
            since=ends.get("since"),
            until=ends.get("until"),
            made=f"{datetime.now(timezone.utc):%Y-%m-%dT%H:%M:%SZ}",
            thresholds=asked.thresholds,
            baseline=None if asked.baseline is None else asked.baseline.figures,
            traffic=_traffic(read[main].volumes, main),
            latency=latency,
            latency_note=None if latency is not None else _NO_LATENCY,
            errors=outcomes.errors,
            errors_note=None if outcomes.errors is not None else _NO_ERRORS,
            collections=_with_missing(collections, asked.baseline),
            performance=scored.performance,
            performance_note=scored.note,
            labels=scored.labels,
            other_labels=scored.other_labels,
            ambiguous_labels=scored.ambiguous_labels,
        )
    )


_NO_LATENCY: Final = (
    "not known: there is neither a collection response, nor a span of a server, nor are there inputs and outputs whose "
    "times have nanoseconds"
)
_NO_ERRORS: Final = "not known: there is neither a collection response nor a span of a server"


def _collections(source: Source, name: str) -> list[str]:
    """The collections to read: the one of this name, or the tabular ones of the deployment but that of `doctor`."""
    if name in source.collections:
        return [name]
    found = [one for one in source.collections if one.rpartition("/")[0] == name]
    if not found or name.count("/") != 1:
        deployments = sorted({one.rpartition("/")[0] for one in source.collections if one.count("/") == 2})
        raise UnknownNameError(
            f"expected a deployment or a collection of {source.store.shown}, got {name!r}: "
            f"{nearest(name, [*deployments, *source.collections])}"
        )
    tabular = [one for one in found if one.rpartition("/")[2] not in BESIDE_ROWS | {CANARY_COLLECTION}]
    if not tabular:
        raise ReaderError(
            f"expected a collection of frames in {name}, got only {', '.join(sorted(found))}: name one of them"
        )
    order = {f"{name}/{_INPUTS}": 0, f"{name}/{_OUTPUTS}": 1}
    return sorted(tabular, key=lambda one: (order.get(one, 2), one))


def _traffic(volumes: Volumes, collection: str) -> Traffic:
    return volumes.traffic(collection)


def _compared(source: Source, name: str, asked: Asked) -> _Compared:
    """One collection in the window, beside the baseline."""
    volumes = Volumes()
    reading = source.read(name, *moments_of(asked.window))
    batches = volumes.of(reading.batches())
    first = next(batches, None)
    if first is None:
        return _Compared(figures=_empty(name, reading), volumes=volumes)
    own = [one for one in first.schema.names if one not in ENVELOPE.names]
    measured = own[:MOST_COLUMNS]
    baseline = None
    if asked.baseline is not None:
        with step(f"{name}, baseline"):
            baseline = asked.baseline.profile(source.read, name, first.schema)
    of_baseline = {} if baseline is None else baseline.columns
    edges = {one: edges_of(of_baseline[one]) for one in measured if one in of_baseline}
    profile = profile_of(
        _all(first, batches), first.schema, measured, {one: both for one, both in edges.items() if both is not None}
    )
    with step(f"{name}, figures"):
        columns = tuple(_columns(measured, profile, baseline))
    figures = CollectionFigures(
        name=name,
        rows=profile.rows,
        baseline_rows=None if asked.baseline is None else 0 if baseline is None else baseline.rows,
        columns=columns,
        sampled_rows=profile.sampled,
        baseline_sampled_rows=0 if baseline is None else baseline.sampled,
        type_changes=_type_changes(reading),
        skipped=_skipped(reading),
        missing_columns=tuple(one for one in of_baseline if one not in own),
        new_columns=() if baseline is None else tuple(one for one in measured if one not in of_baseline),
        left_out=len(own) - len(measured),
    )
    return _Compared(figures=figures, volumes=volumes, own=tuple(own))


def _all(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _columns(names: Sequence[str], window: TableProfile, baseline: TableProfile | None) -> Iterator[ColumnFigures]:
    for name in names:
        yield column_figures(name, window.columns[name], None if baseline is None else baseline.columns.get(name))


def _empty(name: str, reading: Reading) -> CollectionFigures:
    return CollectionFigures(name=name, rows=0, skipped=_skipped(reading))


def _type_changes(reading: Reading) -> tuple[str, ...]:
    """The first change of each column."""
    changes: dict[str, str] = {}
    for one in reading.report.type_changes:
        changes.setdefault(one.column, str(one))
    return tuple(changes.values())


def _skipped(reading: Reading) -> dict[str, int]:
    return {one: count for one in _SKIPPED if (count := getattr(reading.report, one))}


def _with_missing(collections: tuple[CollectionFigures, ...], baseline: Baseline | None) -> tuple[Any, ...]:
    """The collections, the first one with the columns of a file that none of them has."""
    if not isinstance(baseline, FileBaseline) or not collections:
        return collections
    names = {column.name for one in collections for column in one.columns}
    known = names | {f"{side}{name}" for side in ("inputs.", "outputs.") for name in names}
    missing = baseline.unknown_columns(known)
    is_whole = all(not one.left_out for one in collections)
    if not missing or not is_whole or not any(one.rows for one in collections):
        return collections
    return (msgspec.structs.replace(collections[0], missing_columns=missing), *collections[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scored:
    """What joined rows say."""

    latency: Latency | None = None
    performance: Performance | None = None
    note: str | None = None
    labels: tuple[int, int] | None = None
    other_labels: int = 0
    ambiguous_labels: int = 0


def _scored(source: Source, asked: Asked, deployment: str | None, read: Mapping[str, _Compared]) -> _Scored:
    if deployment is None:
        return _Scored(note="not known: a report of a deployment has it")
    inputs, outputs = (f"{deployment}/{one}" for one in (_INPUTS, _OUTPUTS))
    if inputs not in read or outputs not in read:
        return _Scored(note="not known: the deployment has not both model_inputs and model_outputs")
    if not read[inputs].figures.rows or not read[outputs].figures.rows:
        return _Scored(note="not known: no row in the window")
    labels = f"{deployment}/{GROUND_TRUTH}" if asked.labels is True else asked.labels or None
    if asked.labels is True and labels not in source.collections:
        labels = None
    scored = read_scored(
        source.read,
        deployment,
        intervals_of(read[inputs].volumes.hours, asked.window),
        own=(read[inputs].own, read[outputs].own),
        labels=labels or None,
        named=asked.roles,
    )
    latency = latency_of("from the event of the inputs to that of the outputs", scored.latencies)
    if labels is None:
        return _Scored(latency=latency, note="not known: there are no labels for these rows")
    with step(f"{deployment}, performance"):
        found = performance_of(scored)
    is_known = isinstance(found, Performance)
    return _Scored(
        latency=latency,
        performance=found if isinstance(found, Performance) else None,
        note=None if is_known else f"not known: {found}",
        labels=(scored.labeled, scored.scored),
        other_labels=max(scored.named - scored.labeled, 0),
        ambiguous_labels=scored.ambiguous,
    )


def _outcomes(source: Source, asked: Asked, deployment: str) -> Outcomes:
    """The first source that knows something: responses, else spans."""
    latency: Latency | None = None
    errors: Errors | None = None
    for name in (f"{deployment}/response", f"{deployment}/{semconv.SPAN_COLLECTION}", _traces(deployment)):
        if name not in source.collections or (latency is not None and errors is not None):
            continue
        is_response = name.endswith("/response")
        with step(f"{name}, errors and latencies"):
            found = _of_responses(source, name, asked.window) if is_response else _of_spans(source, name, asked)
        latency, errors = latency or found.latency, errors or found.errors
    return Outcomes(latency=latency, errors=errors)


def _traces(deployment: str) -> str:
    return f"{deployment}/{semconv.TRACE_COLLECTION}"


def _of_responses(source: Source, name: str, window: Window) -> Outcomes:
    collection = source.collections[name]
    progress = Progress(name, sum(blob.size for blob in collection.within(window)))
    try:
        return of_responses(every_event(source.store, collection, window, Tally(strict=False), progress=progress.add))
    except DamagedPartError as error:
        raise ReaderError(
            f"expected lines of {name} that a compaction has dropped, got {error}: choose a window without them"
        ) from None


def _of_spans(source: Source, name: str, asked: Asked) -> Outcomes:
    try:
        return of_spans(source.read(name, *moments_of(asked.window), columns=list(SPAN_COLUMNS)).batches())
    except UnknownNameError:  # lines of a stranger in that collection
        return Outcomes()

"""The figures of a report: of a deployment or a collection in a window of time."""

from __future__ import annotations

import msgspec

from .column import ColumnFigures  # noqa: TC001 (msgspec reads the types of fields)

__all__ = [
    "BaselineFigures",
    "CollectionFigures",
    "Errors",
    "Figures",
    "Finding",
    "Latency",
    "Measure",
    "Performance",
    "Slice",
    "Thresholds",
    "Traffic",
    "Volume",
]


class Thresholds(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which value on a figure is a finding.

    Attributes:
        psi: population stability index of a column; 0.2 is the custom of credit scoring, 0.1 a moderate change.
        normalized_wasserstein: of a column, in standard deviations; None looks at no column by it.
        jensen_shannon: of a column; None likewise.
        ks_statistic: of a column; None likewise.
        nulls: growth of the share of nulls against the baseline, or the share without a baseline.
        new_categories: categories that the baseline lacks.
        type_changes: columns that changed their type.
        skipped: lines that could not be read.
        errors: share of requests with an error.
    """

    psi: float | None = 0.2
    normalized_wasserstein: float | None = None
    jensen_shannon: float | None = None
    ks_statistic: float | None = None
    nulls: float | None = 0.05
    new_categories: float | None = 1
    type_changes: float | None = 1
    skipped: float | None = 1
    errors: float | None = 0.05


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """Something that needs eyes.

    Attributes:
        measure: which figure, such as `psi`; a field of `Thresholds`, or `rows`, `baseline` or `columns` for what is
            missing.
        text: the sentence.
        collection: of the store; None for the whole deployment.
        column: of the collection; None for all of it.
        value: the figure.
        threshold: from which value on it is a finding.
    """

    measure: str
    text: str
    collection: str | None = None
    column: str | None = None
    value: float = 0.0
    threshold: float | None = None


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """Requests and rows from one moment up to the next one in the list.

    Attributes:
        time: the beginning in UTC, in ISO 8601.
        requests: events.
        rows: rows of these events.
    """

    time: str
    requests: int
    rows: int


class Traffic(msgspec.Struct, frozen=True, kw_only=True):
    """What came in.

    Attributes:
        collection: where it is counted.
        requests: events in the window.
        rows: rows of these events.
        unit: `hour`, or `day` for a window of more than a month.
        volumes: in the order of time, without empty hours in front and behind.
        untimed: requests without a time.
    """

    collection: str
    requests: int
    rows: int
    unit: str = "hour"
    volumes: tuple[Volume, ...] = ()
    untimed: int = 0


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """How long requests took, in milliseconds.

    Attributes:
        source: what it is measured by.
        requests: requests that were measured.
        p50: median.
        p90: 90 % quantile.
        p99: 99 % quantile.
        largest: the longest.
        edges: the inner edges of bins, in milliseconds.
        counts: requests in each bin.
    """

    source: str
    requests: int
    p50: float
    p90: float
    p99: float
    largest: float
    edges: tuple[float, ...] = ()
    counts: tuple[int, ...] = ()


class Errors(msgspec.Struct, frozen=True, kw_only=True):
    """Requests that failed.

    Attributes:
        source: what it is measured by.
        requests: requests that were looked at.
        failed: those with an error.
        interval: of the share, 95 % by Wilson.
        kinds: how often each kind of error came, such as a status code, the most frequent first.
    """

    source: str
    requests: int
    failed: int
    interval: tuple[float, float] | None = None
    kinds: tuple[tuple[str, int], ...] = ()


class Measure(msgspec.Struct, frozen=True, kw_only=True):
    """One measure of performance.

    Attributes:
        value: None where it is not defined.
        low: the lower end of the interval of 95 %; None where none is known.
        high: its upper end.
        method: `wilson`, `bootstrap` or `delong`.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    method: str | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """The performance of some rows.

    Attributes:
        name: the value of the column, or its range.
        rows: scored rows.
        labeled: those with a label and a prediction, which the measures are of.
        measures: by name.
    """

    name: str
    rows: int
    labeled: int
    measures: dict[str, Measure]


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Predictions against labels.

    Attributes:
        kind: `classes` or `numbers`.
        label: the column of labels.
        prediction: the column of predictions.
        score: the column of scores of the positive class, if there is one.
        positive: the class that precision, recall and F1 are of; None for their mean over all classes.
        note: what was assumed, such as the threshold of a score.
        every: all rows.
        by: the column of the slices.
        slices: the most frequent values of that column.
        compared: labeled rows whose values were compared: fewer than there are where there are very many.
        without_prediction: labeled rows, of those that were looked at, that have no prediction: they are left out.
    """

    kind: str
    label: str
    prediction: str
    score: str | None = None
    positive: str | None = None
    note: str | None = None
    every: Slice
    by: str | None = None
    slices: tuple[Slice, ...] = ()
    compared: int = 0
    without_prediction: int = 0


class CollectionFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One collection in the window.

    Attributes:
        name: `endpoint/deployment/collection`.
        rows: rows in the window.
        baseline_rows: rows of the baseline; None without one.
        columns: the figures of each column, in the order of the rows.
        sampled_rows: rows of the window that KS and Wasserstein compare: all, or a fixed sample.
        baseline_sampled_rows: the same of the baseline.
        type_changes: sentences, one for each column whose type changes within the window.
        skipped: lines that could not be read, by the names of `ReadReport`.
        missing_columns: columns of the baseline that no row of the window has.
        new_columns: columns that the baseline lacks.
        left_out: columns beyond the number that is measured.
    """

    name: str
    rows: int
    baseline_rows: int | None = None
    columns: tuple[ColumnFigures, ...] = ()
    sampled_rows: int = 0
    baseline_sampled_rows: int = 0
    type_changes: tuple[str, ...] = ()
    skipped: dict[str, int] = {}
    missing_columns: tuple[str, ...] = ()
    new_columns: tuple[str, ...] = ()
    left_out: int = 0


class BaselineFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the window is compared with.

    Attributes:
        kind: `file` or `window`.
        name: of the file, or the times of the window.
    """

    kind: str
    name: str


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """All figures of a report.

    Attributes:
        name: the deployment or the collection.
        store: its URL, without secrets.
        since: the beginning of the window, ISO 8601; None if it is open.
        until: the moment after it.
        made: when the report was made.
        thresholds: from which value on a figure is a finding.
        findings: what needs eyes, the most important first.
        baseline: None without one.
        traffic: None if no collection of requests was read.
        latency: None if it is not known.
        latency_note: why it is not known.
        errors: None if they are not known.
        errors_note: why they are not known.
        collections: that were read.
        performance: None if it is not known.
        performance_note: why it is not known.
        labels: labeled and all scored rows; None if no labels were looked for.
        other_labels: rows that labels since the beginning of the window name, and that are no scored rows of it.
        ambiguous_labels: those of them whose row id repeats, so that it is not known which row is meant.
    """

    name: str
    store: str
    since: str | None
    until: str | None
    made: str
    thresholds: Thresholds
    findings: tuple[Finding, ...] = ()
    baseline: BaselineFigures | None = None
    traffic: Traffic | None = None
    latency: Latency | None = None
    latency_note: str | None = None
    errors: Errors | None = None
    errors_note: str | None = None
    collections: tuple[CollectionFigures, ...] = ()
    performance: Performance | None = None
    performance_note: str | None = None
    labels: tuple[int, int] | None = None
    other_labels: int = 0
    ambiguous_labels: int = 0

"""Everything about one request: its values and their places in the baseline, labels, bodies, spans and lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import msgspec

from otel_modeldata_reader.exceptions import ReaderError, UnknownNameError
from otel_modeldata_reader.index.line_ids import id_of_row
from otel_modeldata_reader.spans import is_of_spans
from otel_modeldata_reader.window import Window

from ..profiles.baseline_profiles import KnownProfiles
from ..profiles.ranks import ranks_in
from ..queries.cells import cell_of
from ..queries.joined_rows import LABEL_ROW, LABEL_TIME, joined_rows, own_column
from ..queries.lookups import neighbor
from ..queries.moments import iso
from ..queries.pages import cells_of_rows
from ..tables.deployment_rows import LABELS, deployment_rows
from .found_request import found_request
from .request_values import RowValue, exact_values, row_cells, row_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from otel_modeldata_reader.found_id import FoundEvent, FoundId

    from ..studio import Studio
    from ..tables.deployment_rows import DeploymentRows

__all__ = ["Body", "RequestAnswer", "RequestLine", "RequestRow", "RequestSpan", "request"]

_ROLES: Final = {"model_inputs": "inputs", "model_outputs": "outputs", "ground_truth": LABELS}
_BODIES: Final = ("request", "response")
_MOST_TEXT: Final = 64 << 10
_MOST_ROWS: Final = 1_000
_MOST_SPANS: Final = 1_000
_MOST_LINES: Final = 20
"""Of 64 KiB each: an answer has at most 4 MiB."""
_MOST_PROFILED: Final = 200
"""Columns of a side whose place in the baseline is looked for."""
_MOST_NAME: Final = 500
_MOST_ATTRIBUTES: Final = 64
_MINUTE_NS: Final = 60 * 1_000_000_000
_HOUR_NS: Final = 60 * _MINUTE_NS
_DAY_NS: Final = 24 * _HOUR_NS


class RequestRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the request."""

    row_id: str
    time: str | None


class Body(msgspec.Struct, frozen=True, kw_only=True):
    """What was sent or answered; `text` is at most 64 KiB of it, and `size` all of its bytes."""

    collection: str
    status: str | None
    content_type: str | None
    text: str
    size: int


class RequestSpan(msgspec.Struct, frozen=True, kw_only=True):
    """A span; `start_ms` is since the first one of the request."""

    name: str
    service: str
    start_ms: float
    duration_ms: float
    depth: int
    status: str
    attributes: dict[str, str]


class RequestLine(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the store; `text` is at most 64 KiB of it."""

    collection: str
    blob: str
    line: int
    text: str


class RequestAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The screen.

    Attributes:
        id: the row id of the shown row; the id that was asked for, if the request has no rows.
        deployment: `endpoint/deployment`.
        rows: all rows of the request, at most 1,000.
        values: of the inputs of the row.
        outputs: of the row.
        labels: of the row, the last value of each column.
        bodies: of the request and its response.
        spans: in the order of a waterfall.
        trace_id: 32 hexadecimal digits; empty outside of a trace.
        trace_url: in a tracing backend.
        lines: at most 20 of the request.
        previous: the row before in time; None for the first one, or where none is near.
        next: the row after.
        baseline: what the values are compared with.
        notes: what the search left out, such as damaged lines.
        pending: bytes of lines of the baseline that are not read yet: ask again in a second.
    """

    id: str
    deployment: str
    rows: tuple[RequestRow, ...]
    values: tuple[RowValue, ...]
    outputs: tuple[RowValue, ...]
    labels: tuple[RowValue, ...]
    bodies: tuple[Body, ...]
    spans: tuple[RequestSpan, ...]
    trace_id: str
    trace_url: str | None
    lines: tuple[RequestLine, ...]
    previous: str | None
    next: str | None
    baseline: str | None
    notes: tuple[str, ...]
    pending: int = 0


def request(
    studio: Studio,
    *,
    id: str,  # noqa: A002 (the name in the URL)
    deployment: str | None = None,
    baseline: str | None = None,
    at: str | None = None,
) -> RequestAnswer:
    """What the screen shows.

    Args:
        studio: has the store.
        id: a row id, correlation id, event id or trace id.
        deployment: only of this one.
        baseline: what values are compared with; by default that of Studio, or else the day before the request.
        at: about when it happened: then only these hours are searched.

    Raises:
        UnknownNameError: no line has the id.
        ReaderError: a wrong argument, or the store cannot be read.
    """
    found = found_request(studio, id, deployment, at)
    first = _first(found)
    if first.correlation_id and first.time_ns is not None and not _names_request(id, first.correlation_id):
        # An event id or a trace id: everything about the request has its correlation id.
        found = found_request(studio, first.correlation_id, first.collection.rpartition("/")[0], iso(first.time_ns))
    name = first.collection.rpartition("/")[0]
    events = [one for one in found.events if one.collection.rpartition("/")[0] == name]
    by_role = {role: [one for one in events if _role(one) == role] for role in _ROLES.values()}
    shown = _shown_row(id, by_role)
    row_id = id if shown is None else f"{shown.correlation_id}_{shown.row or 0}"
    moment = first.time_ns or 0
    rows = _near(studio, name, moment)
    chosen = baseline or studio.baseline or _day_before(moment)
    known = _profiles(studio, name, rows, chosen)
    number = None if shown is None else shown.row
    cells = {role: _cells(by_role[role], number, is_label=role == LABELS, row_id=row_id) for role in by_role}
    exact: dict[str, int] = {}
    for role, own in cells.items():
        exact |= exact_values(role, own, known.columns)
    ranks = ranks_in(studio.tables, name, chosen, exact)

    def values(role: str) -> tuple[RowValue, ...]:
        own_side = None if rows is None else rows.side(role)
        return tuple(row_values(role, cells[role], own_side, known.columns, ranks))

    previous, later = (None, None) if rows is None or shown is None else _neighbors(studio, rows, row_id, moment)
    labels = values(LABELS)
    if not labels and rows is not None and shown is not None:
        labels = _labels_in_tables(studio, rows, row_id, moment)
    trace_id = next((one.trace_id for one in events if one.trace_id), "")
    return RequestAnswer(
        id=row_id,
        deployment=name,
        rows=tuple(_rows_of(shown)),
        values=values("inputs"),
        outputs=values("outputs"),
        labels=labels,
        bodies=tuple(_body(one) for one in events if one.collection.rpartition("/")[2] in _BODIES)[:4],
        spans=tuple(_spans(found)),
        trace_id=trace_id,
        trace_url=_trace_url(studio.trace_url, trace_id),
        lines=tuple(
            RequestLine(
                collection=one.collection,
                blob=one.place.blob,
                line=one.place.line,
                text=one.line.decode(errors="replace"),
            )
            for one in events[:_MOST_LINES]
        ),
        previous=previous,
        next=later,
        baseline=chosen if known.columns else None,
        notes=found.notes[:10],
        pending=known.pending,
    )


def _names_request(wanted: str, correlation_id: str) -> bool:
    """Whether an id is that of a request, or of one of its rows."""
    row = id_of_row(wanted)
    return wanted == correlation_id or (row is not None and row[0] == correlation_id)


def _role(event: FoundEvent) -> str:
    return _ROLES.get(event.collection.rpartition("/")[2], "")


def _first(found: FoundId) -> FoundEvent:
    """The event that says of which deployment the request is, and when it was."""
    order = {"model_inputs": 0, "model_outputs": 1}
    return min(found.events, key=lambda one: (order.get(one.collection.rpartition("/")[2], 2), one.time_ns or 0))


def _shown_row(wanted: str, by_role: Mapping[str, Sequence[FoundEvent]]) -> FoundEvent | None:
    """The event whose row is shown: the one of this event id, or the first one."""
    tabular = [*by_role["inputs"], *by_role["outputs"]]
    return next((one for one in tabular if one.event_id == wanted), tabular[0] if tabular else None)


def _rows_of(shown: FoundEvent | None) -> Iterator[RequestRow]:
    if shown is None:
        return
    time = None if shown.time_ns is None else iso(shown.time_ns)
    try:
        count = len(msgspec.json.decode(shown.content, type=list[msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        count = 1
    for number in range(min(count, _MOST_ROWS)):
        yield RequestRow(row_id=f"{shown.correlation_id}_{number}", time=time)


def _cells(events: Sequence[FoundEvent], number: int | None, *, is_label: bool, row_id: str) -> dict[str, msgspec.Raw]:
    """The cells of a row; of labels the last value of each column."""
    if not is_label:
        return row_cells(events[0].content, number) if events else {}
    cells: dict[str, msgspec.Raw] = {}
    for event in events:
        cells |= row_cells(event.content, event.row if event.row is not None else number)
    named = cells.get("row_id")
    return {} if named is not None and bytes(named) != msgspec.json.encode(row_id) else cells


def _near(studio: Studio, name: str, moment: int) -> DeploymentRows | None:
    """The rows around a request; None for a deployment without rows."""
    try:
        found = deployment_rows(studio.tables, name, Window(since=moment - _HOUR_NS, until=moment + _HOUR_NS))
    except UnknownNameError:
        return None
    return found if found.sides else None


def _day_before(moment: int) -> str:
    hour = moment - moment % _HOUR_NS
    return f"{iso(hour - _DAY_NS)}..{iso(hour)}"


def _profiles(studio: Studio, name: str, rows: DeploymentRows | None, baseline: str) -> KnownProfiles:
    """The profiles of inputs and outputs in the baseline; none where it has no rows."""
    if rows is None:
        return KnownProfiles()
    columns = [
        own_column(rows, f"{side.role}.{column}")
        for side in rows.sides
        if side.role != LABELS
        for column in list(side.columns)[:_MOST_PROFILED]
    ]
    found = studio.baselines.profiles(name, rows, baseline, columns)
    return found if any(one is not None for one in found.columns.values()) else KnownProfiles(pending=found.pending)


def _neighbors(studio: Studio, rows: DeploymentRows, row_id: str, moment: int) -> tuple[str | None, str | None]:
    """The rows before and after in time, within an hour."""
    return _neighbor(studio, rows, row_id, moment, is_before=True), _neighbor(
        studio, rows, row_id, moment, is_before=False
    )


def _neighbor(studio: Studio, rows: DeploymentRows, row_id: str, moment: int, *, is_before: bool) -> str | None:
    for width in (_MINUTE_NS, _HOUR_NS):  # most rows have a neighbor within a minute, which is found sooner
        chosen = joined_rows(rows, [], [], Window(since=moment - width, until=moment + width))
        text = neighbor(chosen, moment, row_id, is_before=is_before)
        for (found,) in studio.tables.database.rows(text.text, text.parameters):
            return str(found)
    return None


def _labels_in_tables(studio: Studio, rows: DeploymentRows, row_id: str, moment: int) -> tuple[RowValue, ...]:
    """The labels of a row as joined rows have them: also those that are in Parquet files only."""
    side = rows.side(LABELS)
    if side is None:
        return ()
    names = [name for name in side.columns if name not in {LABEL_ROW, LABEL_TIME}]
    columns = [own_column(rows, f"{LABELS}.{name}") for name in names[:_MOST_PROFILED]]
    window = Window(since=moment, until=moment + 1)
    pieces = [one for one in rows.base.pieces if one.first <= moment <= one.last]
    text = cells_of_rows(rows, columns, [row_id], window, pieces)
    for _, _, _, _, *cells in studio.tables.database.rows(text.text, text.parameters):
        values = [
            cell_of(value, size, one.kind) for value, size, one in zip(cells[::2], cells[1::2], columns, strict=True)
        ]
        if any(value is not None for value in values):
            return tuple(
                RowValue(column=one.name, kind=one.kind, value=value)
                for one, value in zip(columns, values, strict=True)
            )
    return ()


def _body(event: FoundEvent) -> Body:
    content = event.content
    try:
        text = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        text = None
    shown = text if isinstance(text, str) else content[: 4 * _MOST_TEXT].decode(errors="replace")
    return Body(
        collection=event.collection.rpartition("/")[2],
        status=event.status_code,
        content_type=event.content_type,
        text=shown[:_MOST_TEXT],
        size=len(content),
    )


def _spans(found: FoundId) -> Iterator[RequestSpan]:
    """The spans, with what `FoundId.spans` leaves out of their rows."""
    rows: dict[tuple[str, str], dict[str, Any]] = {}
    for event in found.events:
        decoded = event.rows if is_of_spans(event.collection) else None
        for row in decoded if isinstance(decoded, list) else ():
            if isinstance(row, dict) and isinstance(context := row.get("context"), dict):
                ids = (str(context.get("trace_id")), str(context.get("span_id")))
                rows.setdefault((ids[0].removeprefix("0x"), ids[1].removeprefix("0x")), row)
    spans = found.spans[:_MOST_SPANS]
    begin = min((one.start for one in spans), default=None)
    for span in spans:
        row = rows.get((span.trace_id, span.span_id), {})
        yield RequestSpan(
            name=span.name[:_MOST_NAME],
            service=_service(row),
            start_ms=(span.start - (begin or span.start)).total_seconds() * 1000,
            duration_ms=(span.end - span.start).total_seconds() * 1000,
            depth=min(span.depth, 100),
            status=span.status,
            attributes=_attributes(row.get("attributes")),
        )


def _attributes(found: Any) -> dict[str, str]:
    if not isinstance(found, dict):
        return {}
    return {
        name[:_MOST_NAME]: value[:_MOST_NAME]
        if isinstance(value, str)
        else msgspec.json.encode(value).decode()[:_MOST_NAME]
        for name, value in list(found.items())[:_MOST_ATTRIBUTES]
    }


def _service(row: dict[str, Any]) -> str:
    resource = row.get("resource")
    attributes = resource.get("attributes") if isinstance(resource, dict) else None
    name = attributes.get("service.name") if isinstance(attributes, dict) else None
    return name[:_MOST_NAME] if isinstance(name, str) else ""


def _trace_url(template: str | None, trace_id: str) -> str | None:
    if not template or not trace_id:
        return None
    if "{trace_id}" not in template:
        raise ReaderError(f"expected a URL with {{trace_id}} for traces, got {template!r:.200}: correct --trace-url")
    return template.replace("{trace_id}", quote(trace_id, safe=""))

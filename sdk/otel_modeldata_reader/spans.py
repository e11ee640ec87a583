"""The spans of a trace, in the order of a waterfall: each below its parent, siblings by their start.

The receiver stores a span as one row in the form of `ReadableSpan.to_json()` of OpenTelemetry (`app_traces`,
`app_spans`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from .collection_names import OF_SPANS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .report import Place

__all__ = ["Span", "is_of_spans", "tree_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """One span of a trace.

    Attributes:
        name: as its program named it.
        trace_id: 32 hex digits.
        span_id: 16 hex digits.
        parent_id: the span around it; None for the first one of a trace.
        start: in UTC.
        end: in UTC.
        status: `UNSET`, `OK` or `ERROR`.
        place: its blob and line.
        depth: how many of the spans around it are in the store.
    """

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: datetime
    end: datetime
    status: str
    place: Place
    depth: int = 0


def is_of_spans(root: str) -> bool:
    """Whether a collection has spans."""
    return root.rpartition("/")[2] in OF_SPANS


def tree_of(rows: Iterable[tuple[Any, Place]]) -> tuple[Span, ...]:
    """The spans among rows, each below its parent; what is no span is left out.

    Args:
        rows: decoded rows of collections of spans, each with its place.
    """
    spans: dict[tuple[str, str], Span] = {}
    for row, place in rows:
        if (span := _span_of(row, place)) is not None:
            spans.setdefault((span.trace_id, span.span_id), span)
    children: dict[tuple[str, str | None], list[Span]] = {}
    for span in sorted(spans.values(), key=lambda one: (one.start, one.end, one.span_id)):
        parent = span.parent_id if (span.trace_id, span.parent_id) in spans else None
        children.setdefault((span.trace_id, parent), []).append(span)
    first = [(span, 0) for (_, parent), found in children.items() if parent is None for span in found]
    ordered = _below(first, children)
    reached = {(one.trace_id, one.span_id) for one in ordered}
    return (*ordered, *(span for key, span in spans.items() if key not in reached))  # those that are in a circle


def _below(waiting: list[tuple[Span, int]], children: dict[tuple[str, str | None], list[Span]]) -> list[Span]:
    """Spans and all below them."""
    ordered = []
    waiting = sorted(waiting, key=lambda one: one[0].start, reverse=True)
    while waiting:
        span, depth = waiting.pop()
        ordered.append(replace(span, depth=depth))
        waiting += [(one, depth + 1) for one in reversed(children.get((span.trace_id, span.span_id), []))]
    return ordered


def _span_of(row: Any, place: Place) -> Span | None:
    try:
        status = row["status"]
        return Span(
            name=str(row["name"]),
            trace_id=_hex(row["context"]["trace_id"]),
            span_id=_hex(row["context"]["span_id"]),
            parent_id=None if row["parent_id"] is None else _hex(row["parent_id"]),
            start=_moment(row["start_time"]),
            end=_moment(row["end_time"]),
            status=str(status["status_code"]),
            place=place,
        )
    except (KeyError, TypeError, ValueError, AttributeError):
        return None


def _hex(text: str) -> str:
    return text.removeprefix("0x")


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    if moment.tzinfo is None:
        raise ValueError(text)
    return moment

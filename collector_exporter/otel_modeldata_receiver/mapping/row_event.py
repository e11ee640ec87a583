"""The event of a span or of a GenAI record: its line has one row, and no attribute of the sender is a key of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec
from msgspec import UNSET

from otel_modeldata import semconv

from ..layout import partition
from . import cloudevent
from .event import Event

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .scope import ScopeContext

_encoder: Final = msgspec.json.Encoder()


class RowIds(NamedTuple):
    """The ids of a line."""

    event: str
    correlation: str
    request: str
    traceparent: str | None


def row_event(row: Mapping[str, object], scope: ScopeContext, collection: str, ids: RowIds, time_ns: int) -> Event:
    """The event whose line has `row`, in the folder of `time_ns`."""
    data = _encoder.encode([row])
    destination = scope.destinations[collection]
    return Event(
        collection=collection,
        folder=partition.folder(destination.root, time_ns, destination.rolling_rate),
        line=cloudevent.CloudEvent(
            id=ids.event,
            source=scope.resource.source,
            type=semconv.event_type(collection),
            datacontenttype=semconv.JSON_CONTENT_TYPE,
            time=cloudevent.time_text(time_ns),
            data=msgspec.Raw(data),
            contentrange=cloudevent.content_range(len(data)),
            correlationid=ids.correlation,
            xrequestid=ids.request,
            modelversion=semconv.DEFAULT_MODEL_VERSION,
            collectdatatype=semconv.DATAFRAME_TYPE,
            agent=scope.agent,
            timens=str(time_ns),
            producer=scope.resource.producer or UNSET,
            traceparent=ids.traceparent or UNSET,
        ),
        extensions={},
        content=data,
    )

"""Which ids a row names: by the columns that labels and spans have for them, never by any other value.

A value of another column may be equal to an id by chance: correlation ids may be order numbers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from ...index.line_ids import plain_id, span_ids_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CORRELATION_ID", "EVENT_ID", "ROW_ID", "TRACE_ID", "named_ids", "texts_in"]

ROW_ID: Final = "row id"
CORRELATION_ID: Final = "correlation id"
EVENT_ID: Final = "event id"
TRACE_ID: Final = "trace id"
_PARENT: Final = "traceparent"
_KINDS: Final = {
    "rowid": ROW_ID,
    "correlationid": CORRELATION_ID,
    "eventid": EVENT_ID,
    "traceid": TRACE_ID,
    _PARENT: _PARENT,
}


def named_ids(row: Any) -> Iterator[tuple[str, str]]:
    """The kind and the text of each id that a decoded row names.

    A column names an id if its name is `row_id`, `correlation_id`, `event_id`, `trace_id` or `traceparent`; case,
    hyphens, underscores and what is before a dot do not matter. In objects within a row, as spans have them, keys count
    likewise. In lists they do not: a span links to spans of other requests there.
    """
    pending = [row]
    while pending:
        one = pending.pop()
        if not isinstance(one, dict):
            continue
        for key, value in one.items():
            if isinstance(value, dict):
                pending.append(value)
            elif isinstance(value, str) and value and (kind := _kind_of(key)):
                if kind == _PARENT:
                    yield TRACE_ID, span_ids_of(value)[0]
                else:
                    yield kind, plain_id(value)


def texts_in(value: Any) -> Iterator[str]:
    """The texts that are values anywhere in a decoded row."""
    pending = [value]
    while pending:
        one = pending.pop()
        if isinstance(one, str):
            yield plain_id(one)
        elif isinstance(one, dict):
            pending.extend(one.values())
        elif isinstance(one, list):
            pending.extend(one)


def _kind_of(key: Any) -> str | None:
    if not isinstance(key, str):
        return None
    plain = key.lower().replace("_", "").replace("-", "")
    found = _KINDS.get(plain.rpartition(".")[2])
    if found is None and plain.endswith(".id"):  # azureml.correlation.id
        found = _KINDS.get("".join(plain.split(".")[-2:]))
    return found

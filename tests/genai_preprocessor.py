"""What Azure's GenAI preprocessor makes of lines of `app_traces`, by the rules that were measured on the real one.

Not its code: its rules. Spark reads all lines of the window into one table, spans are put together by trace, and each
span whose parent is not in the window is the root of a trace of its own.
"""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

KEYS = [
    "name", "context", "kind", "parent_id", "start_time", "end_time", "status", "attributes", "events", "links",
    "resource",
]  # fmt: skip
"""Of `ReadableSpan.to_json()`, in its order."""
MOST_DROPPED = 0.33


class JobFailedError(Exception):
    """The whole window is lost to the monitor."""


def preprocess(lines: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """One row for each trace that is kept: `trace_id`, `input`, `output`, `root`.

    Raises:
        JobFailedError: the job would fail.
    """
    spans = [span for line in lines for span in _array(line)]
    _one_table(spans)
    known = {span["context"]["span_id"] for span in spans}
    roots = [span for span in spans if span["parent_id"] not in known]
    rows = [_row(root) for root in roots]
    kept = [row for row in rows if row["input"] is not None and row["output"] is not None]
    if roots and 1 - len(kept) / len(roots) > MOST_DROPPED:
        raise JobFailedError(f"{len(roots) - len(kept)} of {len(roots)} traces have no input or no output")
    return kept


def _array(line: dict[str, Any]) -> list[dict[str, Any]]:
    data = line["data"]
    if not isinstance(data, list) or not all(isinstance(span, dict) for span in data):
        raise JobFailedError(f"data is no array of objects: {data!r}")
    return data


def _one_table(spans: list[dict[str, Any]]) -> None:
    """What the columns of Spark's table demand of all spans together."""
    for span in spans:
        for moment in (span["start_time"], span["end_time"]):
            if not isinstance(moment, str) or datetime.fromisoformat(moment).tzinfo is None:
                raise JobFailedError(f"no time of ISO 8601: {moment!r}")
        for attributes in _maps(span):
            if len({key.lower() for key in attributes}) < len(attributes):
                raise JobFailedError(f"COLUMN_ALREADY_EXISTS: {sorted(attributes)}")
    for column in ("span_type", "framework"):
        if spans and all(span["attributes"].get(column) is None for span in spans):
            raise JobFailedError(f"a column without any value cannot be written: {column}")


def _maps(span: dict[str, Any]) -> Iterable[dict[str, Any]]:
    yield from (span["attributes"], span["resource"]["attributes"])
    yield from (event["attributes"] for event in span["events"])
    yield from (link["attributes"] for link in span["links"])


def _row(root: dict[str, Any]) -> dict[str, Any]:
    payloads = {event["name"]: event["attributes"].get("payload") for event in root["events"]}
    attributes = root["attributes"]
    return {
        "trace_id": root["context"]["trace_id"],
        "input": payloads.get("promptflow.function.inputs", attributes.get("inputs")),
        "output": payloads.get("promptflow.function.output", attributes.get("output")),
        "root": root["name"],
    }

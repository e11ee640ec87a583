"""The oracle for a stored line, and for a line of quarantine: what readers rely on, without the code under test."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from typing import Any, TypeAlias

__all__ = ["check_line", "check_quarantine_line", "json_of", "top_level"]

MOST_BYTES = 4 * 1024 * 1024
FIRST_KEYS = ["specversion", "id", "source", "type", "datacontenttype", "time"]
PREFIX = "azureml.inference."
ANY_JSON = {"request", "response"}
_NAME = r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?![./])){0,127}"
_FOLDER = re.compile(rf"({_NAME})/({_NAME})/({_NAME})/(\d{{4}}/\d\d/\d\d/\d\d)(/\d\d)?")
_SOURCE = re.compile(r"[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]+")
_RANGE = re.compile(r"bytes (?:0-(\d+)|\*)/(\d+|\*)")
_PARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_QUARANTINE = re.compile(r"_quarantine/\d{4}/\d\d/\d\d/\d\d")
Pairs: TypeAlias = "list[tuple[str, Any]]"


class _Object(list[tuple[str, Any]]):
    """The keys and values of a JSON object, in order; repeated keys are kept."""


def json_of(text: str | bytes) -> Any:
    """Strict JSON: objects as pairs, numbers as their text, neither NaN nor infinities.

    Raises:
        ValueError: it is not JSON.
    """
    return json.loads(text, object_pairs_hook=_Object, parse_int=str, parse_float=str, parse_constant=_refuse)


def _refuse(constant: str) -> Any:
    raise ValueError(constant)


def top_level(text: str | bytes) -> dict[str, Any]:
    """The keys and values of a JSON object, each key once."""
    pairs = json_of(text)
    assert isinstance(pairs, _Object), f"no object: {text[:80]!r}"
    keys = [key.lower() for key, _ in pairs]
    assert len(set(keys)) == len(keys), f"keys that are equal up to case: {keys}"
    return dict(pairs)


def check_line(folder: str, data: bytes, known_id: str | None = None) -> dict[str, Any]:
    """The keys of a line, after every check."""
    assert data.endswith(b"}\n"), f"no end: {data[-20:]!r}"
    assert data.count(b"\n") == 1, "more than one line feed"
    assert b"\r" not in data, "a carriage return"
    assert len(data) <= MOST_BYTES, f"{len(data)} bytes"
    event = top_level(data.decode("utf-8"))
    keys = list(event)
    assert keys[:6] == FIRST_KEYS, keys[:7]
    assert keys[6] in {"data", "dataref"}, keys[6]
    assert all(isinstance(value, str) for key, value in event.items() if key != "data"), "a key that is no text"
    assert known_id is None or event["id"] == known_id, (event["id"], known_id)
    placed = _FOLDER.fullmatch(folder)
    assert placed is not None, f"a folder outside the allow-list: {folder!r}"
    assert event["type"] == PREFIX + placed[3], (event["type"], folder)
    assert _SOURCE.fullmatch(event["source"]), event["source"]
    _check_time(event, placed[4])
    size = _RANGE.fullmatch(event["contentrange"])
    assert size is not None, event["contentrange"]
    assert "traceparent" not in event or _PARENT.fullmatch(event["traceparent"]), event["traceparent"]
    if placed[3] not in ANY_JSON and "data" in event:
        rows = event["data"]
        assert type(rows) is list, "rows that are no array"
        assert all(isinstance(row, _Object) for row in rows), "a row that is no object"
    return event


def _check_time(event: dict[str, Any], hour: str) -> None:
    seconds = int(event["timens"]) // 10**9
    when = datetime.fromtimestamp(seconds, UTC)
    assert event["time"] == f"{when:%Y-%m-%dT%H:%M:%SZ}", (event["time"], event["timens"])
    assert hour == f"{when:%Y/%m/%d/%H}", (hour, event["timens"])


def check_quarantine_line(folder: str, data: bytes) -> dict[str, Any]:
    """The keys of a line of quarantine, with `record`, `resource` and `request` as bytes."""
    assert _QUARANTINE.fullmatch(folder), folder
    assert data.endswith(b"}\n"), data[-20:]
    assert data.count(b"\n") == 1, "more than one line feed"
    assert len(data) <= MOST_BYTES, f"{len(data)} bytes"
    line = top_level(data.decode("utf-8"))
    assert re.match(r"[a-zA-Z ]+: ", line["reason"]), line["reason"]
    for key in ("record", "resource", "request"):
        if key in line:
            line[key] = base64.b64decode(line[key], validate=True)
    return line

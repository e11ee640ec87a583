"""The attributes of an HTTP exchange whose payload a record has: the line keys of payload logging.

Only the collections `request` and `response` have these keys, each only where it was sent. A client may send any value,
so nothing here rejects a record: an invalid value is left out, and the payload is kept.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from otel_modeldata import semconv

from ..exceptions import BadRecordError
from . import otlp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.proto.common.v1.common_pb2 import AnyValue

UNKNOWN_TOTAL: Final = "*"
"""RFC 9110 section 14.4: the body is longer, its length is unknown."""
ATTRIBUTES: Final = frozenset(
    {
        semconv.HTTP_REQUEST_METHOD,
        semconv.URL_PATH,
        semconv.URL_QUERY,
        semconv.HTTP_RESPONSE_STATUS_CODE,
        semconv.AZUREML_RESPONSE_LATENCY_MS,
        semconv.AZUREML_DATA_TOTAL_BYTES,
        semconv.AZUREML_DATA_CONTENT_TYPE,
    }
)
_CONTROL_CHARACTER: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_STATUS_CODE: Final = re.compile(r"[1-9][0-9]{2}", re.ASCII)
_SIZE: Final = re.compile(r"[0-9]{1,18}", re.ASCII)


def text_of(key: str, value: AnyValue) -> str | None:
    """An attribute of `ATTRIBUTES` as text without control characters; None where it has no text."""
    text = value.string_value  # "" for other kinds
    if text:
        return text if text.isprintable() else _CONTROL_CHARACTER.sub(lambda found: quote(found[0]), text)
    try:
        return otlp.text_of(key, value)
    except BadRecordError:
        return None


def line_keys(texts: Mapping[str, str]) -> dict[str, str]:
    """The values that were sent for the line keys `path`, `method`, `statuscode` and `latencyms`.

    Args:
        texts: attributes by name, see `text_of`.
    """
    keys = {
        "path": _path(texts),
        "method": texts.get(semconv.HTTP_REQUEST_METHOD),
        "statuscode": _status_code(texts.get(semconv.HTTP_RESPONSE_STATUS_CODE, "")),
        "latencyms": _latency(texts.get(semconv.AZUREML_RESPONSE_LATENCY_MS, "")),
    }
    return {key: text for key, text in keys.items() if text}


def total_bytes(texts: Mapping[str, str], size: int) -> int | str | None:
    """The size of a whole body, given that `size` bytes of it were collected.

    Returns:
        bytes; `*` where this is unknown; None where all of it was collected, or where the value is impossible.
    """
    text = texts.get(semconv.AZUREML_DATA_TOTAL_BYTES, "")
    if text == UNKNOWN_TOTAL:
        return text
    return int(text) if _SIZE.fullmatch(text) and int(text) >= size else None


def _path(texts: Mapping[str, str]) -> str | None:
    path, query = texts.get(semconv.URL_PATH), texts.get(semconv.URL_QUERY)
    return f"{path}?{query}" if path and query else path


def _status_code(text: str) -> str | None:
    return text if _STATUS_CODE.fullmatch(text) else None


def _latency(text: str) -> str | None:
    try:
        milliseconds = float(text)
    except ValueError:
        return None
    return text if milliseconds >= 0 and math.isfinite(milliseconds) else None

"""Values of screens as JSON that a browser reads without a loss, and errors as one sentence."""

from __future__ import annotations

import math
from typing import Any, Final

import msgspec
from starlette.responses import Response

__all__ = ["answer", "encoded", "failure"]

_EXACT: Final = 2**53
"""JavaScript's numbers hold every integer up to here."""
_NOT_FINITE: Final = {math.inf: "Infinity", -math.inf: "-Infinity"}
_FRESH: Final = {"cache-control": "no-store"}


def answer(content: bytes) -> Response:
    """The answer with a value that `encoded` made."""
    return Response(content, media_type="application/json", headers=_FRESH)


def failure(status: int, sentence: str) -> Response:
    """The answer that says what is wrong."""
    return Response(
        msgspec.json.encode({"error": _text(sentence)}),
        status_code=status,
        media_type="application/json",
        headers=_FRESH,
    )


def encoded(value: Any) -> bytes:
    """A value of Structs, dates, numbers and texts as JSON.

    Numbers that are not finite are the texts `NaN`, `Infinity` and `-Infinity`, and integers above 2^53 are texts.
    """
    return msgspec.json.encode(_readable(msgspec.to_builtins(value, str_keys=True)))


def _readable(value: Any) -> Any:
    kind = type(value)
    if kind is float:
        return value if math.isfinite(value) else _NOT_FINITE.get(value, "NaN")
    if kind is int:
        return value if -_EXACT <= value <= _EXACT else str(value)
    if kind is str:
        return _text(value)
    if kind is dict:
        return {_text(name): _readable(one) for name, one in value.items()}
    if kind is list or kind is tuple:
        return [_readable(one) for one in value]
    return value


def _text(text: str) -> str:
    """`text` without halves of surrogate pairs, which are in no UTF-8."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()

"""One HTTP message: the headers that describe its body, and the beginning of the body.

It takes the chunks of a body as they pass; above the limit, bytes are only counted. This module does not depend on
servers or records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import semconv
from .._encoding.log_record import PayloadBody

if TYPE_CHECKING:
    from .captured_headers import Header

_OCTETS: Final = "application/octet-stream"
"""The type of a body without `Content-Type` (RFC 9110 section 8.3)."""
_MAX_TYPE_CHARS: Final = 256
_ENCODING: Final = semconv.CLOUDEVENTS_EXTENSION_PREFIX + "contentencoding"
_MAX_ENCODING_CHARS: Final = 64
_MAX_CHARACTER_BYTES: Final = 4
"""Of UTF-8 (RFC 3629)."""


class HttpMessage:
    """A request, or a response.

    Args:
        header: its headers.
        max_bytes: kept of its body.
    """

    def __init__(self, header: Header, max_bytes: int) -> None:
        self.content_type = (header("content-type") or _OCTETS).strip()[:_MAX_TYPE_CHARS] or _OCTETS
        self.declared_bytes = _length(header("content-length"))
        self.size = 0
        self._encoding = (header("content-encoding") or "identity").strip().lower()
        self._kept = bytearray()
        self._max_bytes = max_bytes

    def take(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the body."""
        self.size += len(chunk)
        room = self._max_bytes - len(self._kept)
        if room > 0:
            self._kept += chunk[:room]

    def payload(self, total_bytes: int | None) -> tuple[PayloadBody, dict[str, str | int]]:
        """The bytes that were kept, and the attributes that describe them.

        Args:
            total_bytes: of the whole body; None if unknown.
        """
        content = bytes(self._kept)
        is_cut = total_bytes is None or total_bytes > len(content)
        text = self._text(content, is_cut=is_cut)
        attributes: dict[str, str | int] = {semconv.AZUREML_DATA_CONTENT_TYPE: self.content_type}
        if self._encoding != "identity":
            attributes[_ENCODING] = self._encoding[:_MAX_ENCODING_CHARS]
        kept = content if text is None else text
        if total_bytes is None:
            attributes[semconv.AZUREML_DATA_TOTAL_BYTES] = "*"
        elif total_bytes > len(kept):
            attributes[semconv.AZUREML_DATA_TOTAL_BYTES] = total_bytes
        return PayloadBody(kept, is_text=text is not None), attributes

    def _text(self, content: bytes, *, is_cut: bool) -> bytes | None:
        """The part of `content` that is text; None if it is not text, or its headers declare another type."""
        if not content:
            return content
        if self._encoding != "identity" or not _is_text_type(self.content_type):
            return None
        return _whole_characters(content, is_cut=is_cut)


def _whole_characters(content: bytes, *, is_cut: bool) -> bytes | None:
    """UTF-8 up to its last whole character; None if it is not UTF-8, or ends in half a character without being cut."""
    if content.isascii():
        return content
    try:
        content.decode()
    except UnicodeDecodeError as error:
        is_half = error.reason == "unexpected end of data" and len(content) - error.start < _MAX_CHARACTER_BYTES
        return content[: error.start] if is_cut and is_half else None
    return content


def _is_text_type(content_type: str) -> bool:
    """Whether it is `text/*`, `*/json` or `*/*+json`."""
    main, _, subtype = content_type.partition(";")[0].strip().lower().partition("/")
    return main == "text" or subtype == "json" or subtype.endswith("+json")


def _length(text: str | None) -> int | None:
    """A `Content-Length` (RFC 9110 section 8.6); None if there is no valid one."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

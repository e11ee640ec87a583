"""One HTTP message: the headers that describe its body, and the beginning of the body.

It takes the chunks of a body as they pass; above the limit, bytes are only counted. This module does not depend on
servers or records.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .. import semconv
from .._encoding.log_record import PayloadBody
from ..validation.media_type import BOM, parse, type_of_body, utf8_of

if TYPE_CHECKING:
    from .captured_headers import Header

_OCTETS: Final = "application/octet-stream"
"""The type of a body without `Content-Type` (RFC 9110 section 8.3)."""
_MAX_TYPE_CHARS: Final = 256
_ENCODING: Final = semconv.CLOUDEVENTS_EXTENSION_PREFIX + "contentencoding"
_MAX_ENCODING_CHARS: Final = 64


class HttpMessage:
    """A request, or a response.

    Args:
        header: its headers.
        max_bytes: kept of its body.
    """

    def __init__(self, header: Header, max_bytes: int) -> None:
        self._declared_type = _one_type((header("content-type") or "").strip())[:_MAX_TYPE_CHARS]
        self.declared_bytes = _length(header("content-length"))
        self.size = 0
        self._encoding = (header("content-encoding") or "").strip().lower() or "identity"
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
        content_type, text = self._text(content, is_cut=is_cut, is_beginning=is_cut and total_bytes is not None)
        attributes: dict[str, str | int] = {semconv.AZUREML_DATA_CONTENT_TYPE: content_type}
        if self._encoding != "identity":
            attributes[_ENCODING] = self._encoding[:_MAX_ENCODING_CHARS]
        kept = content if text is None else text
        if not content.startswith(kept):  # from another charset, or without its mark: sizes are those of the text
            total_bytes = None if is_cut else len(kept)
        if total_bytes is None:
            attributes[semconv.AZUREML_DATA_TOTAL_BYTES] = "*"
        elif total_bytes > len(kept):
            attributes[semconv.AZUREML_DATA_TOTAL_BYTES] = total_bytes
        return PayloadBody(kept, is_text=text is not None), attributes

    def _text(self, content: bytes, *, is_cut: bool, is_beginning: bool) -> tuple[str, bytes | None]:
        """The type of the body, and what of `content` is text; None if it is not text.

        Args:
            content: what was kept.
            is_cut: whether bytes may be missing.
            is_beginning: whether bytes are missing.
        """
        declared = self._declared_type
        if not content or self._encoding != "identity":
            return declared or _OCTETS, None if content else content
        if not is_beginning and self.size <= self._max_bytes:
            declared = type_of_body(declared, content)
        media_type = parse(declared)
        text = utf8_of(content, media_type, is_cut=is_cut)
        if text is not None and media_type is not None and media_type.is_json:
            text = text.removeprefix(BOM)  # with it the receiver could not store JSON as JSON
        return declared or _OCTETS, text


def _one_type(declared: str) -> str:
    """The last valid one of several types (RFC 9110 section 8.3); a header that was sent twice arrives as a list."""
    if "," in declared and parse(declared) is None:
        valid = [part.strip() for part in declared.split(",") if parse(part.strip()) is not None]
        return valid[-1] if valid else declared
    return declared


def _length(text: str | None) -> int | None:
    """A `Content-Length` (RFC 9110 section 8.6); None if there is no valid one."""
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None

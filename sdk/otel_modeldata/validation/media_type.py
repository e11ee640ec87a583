"""What a `Content-Type` says about a body: JSON, text or bytes. SDK and receiver share these rules.

| type | a body is |
|---|---|
| `*/json`, `*/*+json` | JSON; text if it does not parse |
| `text/*`, JSON lines, XML, YAML, CSV, GraphQL, JavaScript and forms under `application/` | text |
| `application/x-www-form-urlencoded` whose body is JSON: `curl -d` sends this type by default | JSON |
| none, or one that is not a media type, whose body is a JSON object or array | JSON |
| everything else, and text that is not in the declared charset | bytes |

The charset is UTF-8 if no other one is declared (RFC 8259 section 8.1 for JSON).
"""

from __future__ import annotations

import codecs
import re
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
BOM: Final = codecs.BOM_UTF8
"""May begin a text; JSON texts do not have it, and parsers may ignore it (RFC 8259 section 8.1)."""

_MAX_CHARS: Final = 256
_MEDIA_TYPE: Final = re.compile(r"([\w!#$&^.+-]+/[\w!#$&^.+-]+)\s*(;[ -~]*)?", re.ASCII)
"""RFC 2045 section 5.1, without control characters in the parameters."""
_TEXT: Final = frozenset(
    {
        *("x-ndjson", "ndjson", "jsonlines", "x-jsonlines", "jsonl", "x-jsonl", "json-lines", "json-seq", "x-json"),
        *("x-ldjson", "ldjson", "x-json-stream", "json-stream", "x-amz-json-1.0", "x-amz-json-1.1"),
        *("json5", "xml", "xml-dtd", "yaml", "x-yaml", "yml", "x-yml", "csv", "x-csv", "graphql", "javascript"),
        *("x-javascript", "ecmascript", "toml", "sql", "x-www-form-urlencoded"),
    }
)
"""Subtypes of `application/` that are text although the type does not say so."""
_TEXT_SUFFIXES: Final = ("+json", "+json-seq", "+xml", "+yaml")
"""RFC 6839, RFC 8091 and RFC 9512: the structured syntaxes that are text."""
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([\w.:+-]{1,40})', re.ASCII | re.IGNORECASE)
_UTF_8: Final = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})
_DECODABLE: Final = re.compile(
    r"(iso-?8859-?\d+|latin-?\d+|windows-?125\d|cp(125\d|437|850|852|866|932|949|950)|koi8-?[ru]|utf-?(16|32)-?([lb]e)?"
    r"|gbk|gb2312|gb18030|big5(hkscs)?|euc-?(jp|kr)|(x-)?(shift-?jis|sjis)|iso-?2022-?(jp|kr)|mac-?roman)",
    re.ASCII,
)
"""Charsets that are decoded. An allow-list: Python's codecs include ones that are no charsets, such as `punycode`."""
_MAX_CHARACTER_BYTES: Final = 4
"""Of UTF-8 (RFC 3629)."""
_decoder: Final = msgspec.json.Decoder(msgspec.Raw)


class MediaType(NamedTuple):
    """A parsed `Content-Type`.

    Attributes:
        name: `application/json`, in lower case and without parameters.
        charset: the declared one in lower case; empty if none is declared.
    """

    name: str
    charset: str

    @property
    def is_json(self) -> bool:
        """Whether it is `*/json` or `*/*+json` (CloudEvents JSON format 3.1)."""
        return self.name.endswith(("/json", "+json"))

    @property
    def is_text(self) -> bool:
        """Whether it is JSON or another type of text."""
        main, _, subtype = self.name.partition("/")
        if main == "application":
            return self.is_json or subtype in _TEXT or subtype.endswith(_TEXT_SUFFIXES)
        return main == "text" or self.is_json


@lru_cache(maxsize=256)
def parse(content_type: str) -> MediaType | None:
    """The media type in a `Content-Type`; None if it is not one."""
    match = _MEDIA_TYPE.fullmatch(content_type) if len(content_type) <= _MAX_CHARS else None
    if match is None:
        return None
    charset = _CHARSET.search(match[2] or "")
    return MediaType(match[1].lower(), charset[1].lower() if charset else "")


def type_of_body(declared: str, body: bytes) -> str:
    """`declared`, or JSON where the body is JSON and `declared` is a form, or is not a media type.

    Args:
        declared: the `Content-Type`; empty if there is none.
        body: the whole body; a part of JSON is not JSON.
    """
    media_type = parse(declared)
    if media_type is None:
        is_json = _is_json(body) and body.removeprefix(BOM).lstrip()[:1] in (b"{", b"[")
    else:
        is_json = media_type.name == FORM and _is_json(body)
    return JSON if is_json else declared


def _is_json(body: bytes) -> bool:
    try:
        _decoder.decode(body.removeprefix(BOM))
        body.decode()  # the decoder does not look into texts
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return False
    return True


def utf8_of(body: bytes, media_type: MediaType | None, *, is_cut: bool = False) -> bytes | None:
    """The text of a body in UTF-8; None if its type is not text, or the body is not in its charset.

    Args:
        body: not compressed.
        media_type: of the body.
        is_cut: whether the body is only the beginning of one, and may end inside of a character.
    """
    if media_type is None or not media_type.is_text:
        return None
    codec = _codec(media_type.charset)
    if codec is None:
        return _whole_characters(body, is_cut=is_cut)
    if media_type.is_json and b"\0" not in body[:4]:  # JSON is UTF-8, whatever its parameters say
        text = _whole_characters(body, is_cut=is_cut)
        if text is not None:
            return text
    try:
        return codec.incrementaldecoder("strict").decode(body, not is_cut).encode()
    except UnicodeError:  # not in that charset; or a surrogate, which UTF-8 cannot carry
        return None


@lru_cache(maxsize=256)
def _codec(charset: str) -> codecs.CodecInfo | None:
    """How a charset is decoded; None for UTF-8 and for unknown charsets, which most often are UTF-8 as well."""
    if not charset or charset in _UTF_8 or _DECODABLE.fullmatch(charset.replace("_", "-")) is None:
        return None
    try:
        return codecs.lookup(charset.removeprefix("x-"))
    except LookupError:
        return None


def _whole_characters(body: bytes, *, is_cut: bool) -> bytes | None:
    """UTF-8 up to its last whole character; None if it is not UTF-8, or ends in half a character without being cut."""
    if body.isascii():
        return body
    try:
        body.decode()
    except UnicodeDecodeError as error:
        is_half = error.reason == "unexpected end of data" and len(body) - error.start < _MAX_CHARACTER_BYTES
        return body[: error.start] if is_cut and is_half else None
    return body

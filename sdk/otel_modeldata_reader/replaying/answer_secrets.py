"""Takes the credentials of a replay out of answers: a debug page or an echo service repeats what it was sent."""

from __future__ import annotations

import base64
import binascii
import html
import json
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, quote, urlsplit

from otel_modeldata_receiver.config.secret_name import is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["secrets_of_query", "without_secrets"]

_SHORTEST: Final = 8
"""Characters. Shorter texts are in answers by chance."""
_REPLACEMENT: Final = b"REDACTED"


def secrets_of_query(url: str) -> list[str]:
    """The credentials in the query of a URL."""
    return [value for name, value in parse_qsl(urlsplit(url).query) if is_secret_name(name)]


def without_secrets(content: bytes, secrets: Iterable[str]) -> bytes:
    """An answer in which credentials, and their parts, are `REDACTED`, also as JSON, HTML and URLs write them.

    Args:
        content: of an answer.
        secrets: values of headers and parameters; what is shorter than 8 characters is left.
    """
    forms = {form for value in secrets for part in _parts(value) for form in _forms(part)}
    for form in sorted(forms, key=len, reverse=True):
        if form in content:
            content = content.replace(form, _REPLACEMENT)
    return content


def _parts(value: str) -> set[str]:
    """A value, and what is secret alone: a token after its scheme, a cookie, the user and password of `Basic`."""
    scheme, _, rest = value.strip().partition(" ")
    parts = {value.strip(), rest.strip()}
    for one in rest.split(",") if "=" in rest else []:  # Signature keyId="...", signature="..."
        parts.add(one.partition("=")[2].strip().strip('"'))
    for one in value.split(";"):
        parts.add(one.partition("=")[2].strip())
    if scheme.lower() == "basic":
        try:
            pair = base64.b64decode(rest, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        parts |= {pair, pair.partition(":")[2]}
    return {one for one in parts if len(one) >= _SHORTEST}


def _forms(text: str) -> set[bytes]:
    """How texts, JSON, HTML and URLs write a text."""
    escaped = json.dumps(text)[1:-1]
    plain = json.dumps(text, ensure_ascii=False)[1:-1]
    written = {text, escaped, plain, escaped.replace("/", "\\/"), html.escape(text), quote(text), quote(text, safe="")}
    return {one.encode(charset, errors="replace") for one in written for charset in ("utf-8", "latin-1")}

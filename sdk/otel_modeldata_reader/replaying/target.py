"""Where a replay sends requests: the URL and the headers, with values of files that are read again when they change."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from otel_modeldata_receiver.config.secret_name import is_secret_name

from ..exceptions import ReplayError
from .answer_secrets import secrets_of_query, without_secrets

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["Target", "target_of"]

_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+", re.ASCII)
"""A token (RFC 9110 section 5.6.2)."""
_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
_MOST_VALUE: Final = 1 << 16
_PATH: Final = re.compile(r"/[\x21-\x7e]*", re.ASCII)
_OWN: Final = frozenset(
    {"host", "content-length", "transfer-encoding", "connection", "content-encoding", "traceparent"}
)


class HeaderFiles:
    """Headers whose values are in files; a file is read again when it changes, as credentials do in a long replay.

    Args:
        files: the path of each header's file.
    """

    def __init__(self, files: Mapping[str, str]) -> None:
        self._files = dict(files)
        self._read: dict[str, tuple[int, str]] = {}

    def values(self) -> dict[str, str]:
        """The value of each header.

        Raises:
            ReplayError: a file cannot be read, or has no value of a header.
        """
        return {name: self._value(name, path) for name, path in self._files.items()}

    def _value(self, name: str, path: str) -> str:
        try:
            changed = os.stat(path).st_mtime_ns  # noqa: PTH116 (with the next line, as it is given)
            known = self._read.get(name)
            if known is None or known[0] != changed:
                with open(path, encoding="utf-8") as file:  # noqa: PTH123 (likewise)
                    text = file.read(_MOST_VALUE).strip()
                _check_header(name, text)
                self._read[name] = known = (changed, text)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "no text"
            raise ReplayError(f"expected a file with the value of {name}, got {reason} at {path}: correct it") from None
        return known[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A target.

    Attributes:
        url: where requests go.
        is_origin: whether the URL has no path, so that recorded bodies go to their recorded paths.
        headers: of every request. They may be credentials.
        files: headers whose values are in files.
        secret_headers: names, in lower case, of those of them whose values are in no answer that is kept.
    """

    url: str = field(repr=False)
    is_origin: bool
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: HeaderFiles
    secret_headers: frozenset[str] = frozenset()

    @property
    def shown(self) -> str:
        """The URL without its query, which may hold a key."""
        return self.url.partition("?")[0]

    def current_headers(self) -> dict[str, str]:
        """The headers as they are now.

        Raises:
            ReplayError: a file cannot be read, or has no value of a header.
        """
        return {**self.headers, **self.files.values()}

    def kept(self, content: bytes, headers: Mapping[str, str]) -> bytes:
        """An answer as it is kept: without the credentials that were sent.

        Args:
            content: the body.
            headers: those of the request.
        """
        sent = [value for name, value in headers.items() if name.lower() in self.secret_headers]
        return without_secrets(content, [*sent, *secrets_of_query(self.url)])

    def at(self, path: str | None) -> str | None:
        """The URL of a request with a recorded path; None if the path is none of the target."""
        if path is None or not self.is_origin:
            return self.url
        return self.url.rstrip("/") + path if _PATH.fullmatch(path) else None


def target_of(
    url: str,
    headers: Mapping[str, str] | None = None,
    files: Mapping[str, str] | None = None,
    secret: Collection[str] = (),
) -> Target:
    """The target that a caller means.

    Args:
        url: `http://` or `https://`, with the path of the model; see `Target.is_origin` for one without a path.
        headers: sent with every request.
        files: headers whose value is in a file.
        secret: names of `headers` that have a credential, beside those whose name says it (`Authorization`, `api-key`)
            and those in files. An answer is kept without their values.

    Raises:
        ReplayError: it is no such URL, or a header is none.
    """
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or not url.isprintable() or " " in url:
        raise ReplayError(f"expected a URL like http://localhost:5001/score, got {_without_query(url)!r}: write one")
    if parts.username is not None or parts.password is not None or parts.fragment:
        raise ReplayError(
            "expected a URL without a user, password and fragment, got one with them: put credentials into a header"
        )
    for name, value in (headers or {}).items():
        _check_header(name, value)
    for name in files or {}:
        _check_header(name, "")
    is_origin = parts.path in {"", "/"} and not parts.query
    names = {*(name for name in headers or {} if is_secret_name(name)), *(files or {}), *secret}
    target = Target(
        url=url,
        is_origin=is_origin,
        headers=dict(headers or {}),
        files=HeaderFiles(files or {}),
        secret_headers=frozenset(name.lower() for name in names),
    )
    target.current_headers()  # what can be wrong is an error before anything is sent
    return target


def _check_header(name: str, value: str) -> None:
    if not _NAME.fullmatch(name):
        raise ReplayError(f"expected the name of a header, got {name!r:.80}: write NAME=VALUE")
    if name.lower() in _OWN:
        raise ReplayError(f"expected a header that a replay does not set itself, got {name!r}: leave it out")
    if not _VALUE.fullmatch(value):
        raise ReplayError(
            f"expected a value of the header {name!r} in one line of Latin-1, got another one: correct it"
        )


def _without_query(url: str) -> str:
    return re.sub(r"//[^/@]*@", "//", url.partition("?")[0])[:200]

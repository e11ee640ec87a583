"""Which request headers become line keys: `request_logging.capture_headers`, an allow-list without secrets.

`x-tenant-id` becomes the line key `xtenantid`, because names of CloudEvents extensions are letters and digits. Stored
data cannot be taken back, and the store has more readers than the endpoint: a header that carries credentials is
refused, with one warning, even if the list names it.
"""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from .. import semconv
from ..context import REQUEST_ID_HEADER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    Header = Callable[[str], str | None]
    """The value of a header by its lower-case name."""

logger = logging.getLogger(__name__)

MAX_VALUE_CHARS: Final = 1024
"""Maximum length of a header in a line; servers accept 8 KiB and more, and every line repeats it."""
_MAX_NAME_CHARS: Final = 20
"""CloudEvents 1.0, "Naming Conventions"."""
_SECRET: Final = re.compile(
    r"(^|-)(authorization|cookie2?|tokens?|secrets?|passwords?|credentials?|signature|assertion|sas|jwt)($|-)"
    r"|api-?key|subscription-key|functions-key|access-key|auth-key|private-key"
)


class CapturedHeaders:
    """The allow-list of one deployment.

    Args:
        names: header names, in lower case.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._attributes: dict[str, str] = {}
        for name in names:
            self._add(name.strip().lower())

    def _add(self, name: str) -> None:
        key = re.sub("[^a-z0-9]", "", name)[:_MAX_NAME_CHARS]
        attribute = semconv.CLOUDEVENTS_EXTENSION_PREFIX + key
        if _SECRET.search(name):
            _refuse(name, "it carries credentials, which cannot be taken back from a store")
        elif name == REQUEST_ID_HEADER:
            pass  # every line has it: xrequestid
        elif not key or key in semconv.RESERVED_LINE_KEYS:
            _refuse(name, f"expected a header that gives a line key of its own, got the key {key!r}")
        elif attribute in self._attributes.values() and name not in self._attributes:
            _refuse(name, f"another header of the list has its line key {key!r} already: rename one of them")
        else:
            self._attributes[name] = attribute

    def read(self, header: Header) -> dict[str, str]:
        """The attributes of one request."""
        found: dict[str, str] = {}
        for name, attribute in self._attributes.items():
            value = header(name)
            if value is not None:
                found[attribute] = text_of(value)[:MAX_VALUE_CHARS]
        return found


def text_of(value: str) -> str:
    """A header as text that a line can hold.

    Args:
        value: as ASGI and WSGI give it: each character is one byte (ISO-8859-1).

    Returns:
        UTF-8 decoded, if it is that, as clients send it; control characters as `%0A`.
    """
    text = value
    if not value.isascii():
        with suppress(UnicodeError):
            text = value.encode("latin-1").decode()
    return text if text.isprintable() else semconv.CONTROL_CHARACTER.sub(lambda found: quote(found[0]), text)


def _refuse(name: str, why: str) -> None:
    logger.warning("request_logging.capture_headers: header %r is not collected: %s", name, why)

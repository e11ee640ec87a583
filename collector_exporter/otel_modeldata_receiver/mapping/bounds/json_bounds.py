"""Bounds on JSON bodies: a decoder makes an object of each value in them, before anybody can count them.

The values are counted as bytes, without reading the JSON: quotes and braces that are escaped belong to text, such as
JSON rows in a string. A body with many braces in its texts counts as one with more values.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ...exceptions import TooLargeError, UndecodableError

if TYPE_CHECKING:
    from ...config.limits import LimitsConfig

__all__ = ["MOST_OBJECTS", "check_json", "check_json_size"]

MOST_OBJECTS: Final = 131_072
"""Objects in a request in JSON: each takes up to 30 microseconds. A record of ten attributes has 25."""
MOST_TEXTS: Final = 393_216
"""Keys and texts in a request in JSON; a record of ten attributes has 60."""
_MOST_ARRAYS: Final = 262_144


def check_json(text: bytes, limits: LimitsConfig) -> None:
    """Check the size and the number of values of a body.

    Raises:
        TooLargeError: it has too many bytes.
        UndecodableError: it has too many values.
    """
    check_json_size(text, limits)
    objects = text.count(b"{") - text.count(b'{\\"')
    texts = (text.count(b'"') - text.count(b'\\"')) // 2
    arrays = text.count(b"[") - text.count(b"[{")
    if objects > MOST_OBJECTS or texts > MOST_TEXTS or arrays > _MOST_ARRAYS:
        raise UndecodableError(
            f"undecodable request: expected at most {MOST_OBJECTS} objects and {MOST_TEXTS} texts in JSON, "
            f"got {objects} and {texts}; let the sender send smaller batches, or Protocol Buffers"
        )


def check_json_size(text: bytes, limits: LimitsConfig) -> None:
    """Raise TooLargeError if a body has too many bytes."""
    if len(text) > limits.max_json_bytes:
        raise TooLargeError(
            f"expected a request in JSON of at most {limits.max_json_bytes} bytes (limits.max_json_bytes), got "
            f"{len(text)}; let the sender send smaller batches, or Protocol Buffers"
        )

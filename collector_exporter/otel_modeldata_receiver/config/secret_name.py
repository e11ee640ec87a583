"""Names of headers and of parameters of a URL whose values are credentials."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["is_secret_name"]

_SECRET: Final = re.compile(r"auth|cookie|key|token|secret|sig|password|pwd|credential|session", re.IGNORECASE)
_CODE: Final = "code"
"""The parameter in which Azure Functions take a key."""


def is_secret_name(name: str) -> bool:
    """Whether a header or a parameter of this name has a credential."""
    return _SECRET.search(name) is not None or name.lower() == _CODE

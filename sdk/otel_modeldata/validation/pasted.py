"""A value as it was meant: shells, env files and secrets leave quotes, line breaks and names around what was pasted.

Receiver and SDK apply the same rule to stores, folders and credentials. It only removes what no such value can begin or
end with; whether the rest is right is for the caller to check.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["pasted", "unfilled"]

_AROUND: Final = " \t\r\n\v\f\0\u00a0\u200b\ufeff"
"""What copying leaves at the ends of a text: white space, the line break of `echo`, the mark that begins a file."""
_QUOTES: Final = {'"': '"', "'": "'", "\u201c": "\u201d", "\u2018": "\u2019"}
_ASSIGNMENT: Final = re.compile(r"(?:export\s+|set\s+|\$env:)?(?:AZURE|OTEL)_[A-Z0-9_]+\s*=\s*")
"""The beginning of a whole line of a script or an env file."""
_UNFILLED: Final = re.compile(
    r"(?P<command>\$\(.*|`.*`)"
    r"|(?P<variable>\$\{\w+\}|\$[A-Za-z_]\w*|%\w+%|\$\{\{.*\}\})(?:[/\\].*)?"
    r"|(?P<placeholder><[^<>]*>|\{\{.*\}\}|\[[^\[\]]*\]|\.\.\.)",
    re.DOTALL,
)
_MEANINGS: Final = {
    "command": "a command that no shell has run",
    "variable": "a variable that no shell has replaced",
    "placeholder": "a placeholder",
}


def pasted(text: str) -> str:
    """`text` without white space, quotes and the name of its variable around it."""
    while True:
        before, text = text, text.strip(_AROUND)
        if (name := _ASSIGNMENT.match(text)) is not None:
            text = text[name.end() :]
        elif len(text) > 1 and _QUOTES.get(text[0]) == text[-1]:
            text = text[1:-1]
        if text == before:
            return text


def unfilled(text: str) -> str | None:
    """What stands in place of a value, for a message; None for a value. Apply `pasted` first."""
    found = _UNFILLED.fullmatch(text)
    return None if found is None else _MEANINGS[str(found.lastgroup)]

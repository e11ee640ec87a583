"""`Problem`: one error in a configuration, with its path and message; and helpers for messages.

Validation returns `Problem`s. They become sentences only where a person reads them, and are never parsed back.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["SAME_NAME", "Problem", "child", "closest", "item", "may_be_token", "sentence", "shown", "shown_choice"]

_PLAIN_KEY: Final = re.compile(r"[\w$/-]+")
_SECRETS: Final = re.compile(
    r"(?i)(?P<before>:/{1,2}[^/?#\s'\"@:]*:)[^/?#\s'\"]+(?=@)"
    r"|(?P<key>\b(?:\w*(?:sig|signature|key|token|secret|password|pwd|authorization))=)"
    r"(?:(?:bearer|basic)(?:\s|%20)+)?[^&;,\s'\"]+"
    r"|(?P<scheme>\b(?:bearer|basic)(?:\s|%20)+)[^\s,;'\"]+"
    r"|(?P<pem>-----BEGIN\s)[^'\"]+"
    r"|(?P<token>\b(?:eyJ|gh[opsu]_|github_pat_|gl(?:c|pat|sa)[_-]|xox[abp]-|sk-|hc[abim][a-z]_|dt0c01\.|dapi))"
    r"(?=[\w.-]*\d)[\w.-]{12,}"
)
"""Passwords in URLs; keys, tokens and signatures in URLs, connection strings and headers; PEM blocks; and tokens that
begin as those of well-known issuers."""
_PLAUSIBLE: Final = re.compile(
    r"[A-Z]?[a-z]{1,10}|[A-Z]{1,5}|[-+]?\d[\d.,_e]*\s?([A-Za-z%]{0,3}|bytes|(milli)?seconds?|minutes?)"
)
"""Short words, and numbers with a unit."""
_WORDS: Final = ("http/protobuf", "http/json")
"""What people write where another word is expected."""
_SHOWN_CHARS: Final = 80
_WORD_CHARS: Final = 24
_TOKEN_CHARS: Final = 16
_LIKELY: Final = 0.6
"""The cutoff of `difflib`: how similar two names are, 0 to 1."""
SAME_NAME: Final = 0.8
"""The cutoff for names that people choose, of which many are alike: above it one of the two is a typo."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One error in a configuration; secrets in its texts are replaced.

    Attributes:
        path: a key with dots and indexes (`collections.a.data.version`), or the name of an environment variable; empty
            for the whole document.
        message: what was expected, what was given, and what to do.
        source: the file that has the key `path`, as the user named it; empty for an environment variable, and if there
            is only one file.
    """

    path: str
    message: str
    source: str = ""

    def __post_init__(self) -> None:
        for name in ("path", "message", "source"):
            object.__setattr__(self, name, _without_secrets(getattr(self, name)))

    def __str__(self) -> str:
        return ": ".join(part for part in (self.source, self.path, self.message) if part)


def sentence(problems: Iterable[Problem]) -> str:
    """All problems as one sentence, which names each file once, before its problems."""
    source = ""
    parts = []
    for problem in problems:
        parts.append(str(replace(problem, source="") if problem.source == source else problem))
        source = problem.source
    return "; ".join(parts)


def shown(value: object) -> str:
    """A value for a message: its beginning, without secrets."""
    return _without_secrets(repr(value))[:_SHOWN_CHARS]


def shown_choice(value: str, known: Iterable[str] = ()) -> str:
    """A value for a message of a setting that accepts a few words or a number: shown unless it may be a secret.

    Whoever takes one line of a table of variables for another puts a token here.

    Args:
        value: that was given.
        known: values that are accepted; what is similar to one is shown.
    """
    word = value.strip()
    is_similar = len(word) <= _WORD_CHARS and closest(word.lower(), (*known, *_WORDS)) is not None
    if is_similar or _PLAUSIBLE.fullmatch(word):
        return shown(value)
    return f"a text of {len(value)} characters, which is not shown because it may be a secret"


def may_be_token(text: str) -> bool:
    """Whether a text looks more like a token than like a path: its characters are mixed, and no folder begins it."""
    is_mixed = any(map(str.isdigit, text)) and any(map(str.isalpha, text))
    return _without_secrets(text) != text or (
        len(text) >= _TOKEN_CHARS and is_mixed and not text.startswith(("/", ".", "~")) and "\\" not in text
    )


def _without_secrets(text: str) -> str:
    return _SECRETS.sub(lambda found: f"{''.join(part or '' for part in found.groups())}REDACTED", text)


def child(path: str, key: object) -> str:
    """The path of a key in the mapping at `path`; a key with dots or other signs is quoted: `collections['a.b']`."""
    name = str(key)
    if _PLAIN_KEY.fullmatch(name) is None:
        return f"{path}[{name!r}]"
    return f"{path}.{name}" if path else name


def item(path: str, index: int) -> str:
    """The path of an entry in the list at `path`."""
    return f"{path}[{index}]"


def closest(name: object, known: Iterable[str], *, cutoff: float = _LIKELY) -> str | None:
    """The known name that is most similar to `name`; None if none is similar enough.

    Args:
        name: the name that was given.
        known: names to choose from.
        cutoff: how similar two names must be, 0 to 1.
    """
    return next(iter(difflib.get_close_matches(str(name), list(known), n=1, cutoff=cutoff)), None)

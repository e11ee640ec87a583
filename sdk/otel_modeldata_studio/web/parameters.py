"""The query of a URL as arguments of a screen's function, by the annotations of its keywords."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final

from otel_modeldata_reader import ReaderError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["ParameterError", "Parameters"]

_LONGEST: Final = 32_768
"""Characters of one value: filters are the longest."""
_LARGEST: Final = 100_000
_MOST: Final = 1_000
"""Values of a list."""


class ParameterError(ReaderError):
    """A URL has a parameter that its path does not take, lacks one, or has a wrong value."""


class Parameters:
    """What a function takes from the query of a URL.

    Raises:
        TypeError: a keyword of the function has an annotation that no text of a URL becomes.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self._keywords = [
            one for one in inspect.signature(function).parameters.values() if one.kind is inspect.Parameter.KEYWORD_ONLY
        ]
        for keyword in self._keywords:
            if keyword.annotation not in _READERS:
                raise TypeError(f"expected text, a number or several texts, got {keyword}: no query of a URL is one")

    def read(self, query: Sequence[tuple[str, str]]) -> dict[str, Any]:
        """The keywords that the query has; those that it lacks have their defaults.

        Raises:
            ParameterError: see there.
        """
        given: dict[str, list[str]] = {}
        for name, value in query:
            if len(value) > _LONGEST:
                raise ParameterError(
                    f"expected at most {_LONGEST:,} characters for {name[:40]!r}, got {len(value):,}: give less"
                )
            given.setdefault(name, []).append(value)
        names = [keyword.name for keyword in self._keywords]
        unknown = next((name for name in given if name not in names), None)
        if unknown is not None:
            takes = f"one of {', '.join(names)}" if names else "no parameter"
            raise ParameterError(f"expected {takes}, got {unknown[:40]!r}: leave it out")
        found = {}
        for keyword in self._keywords:
            if keyword.name in given:
                found[keyword.name] = _READERS[keyword.annotation](keyword.name, given[keyword.name])
            elif keyword.default is inspect.Parameter.empty:
                raise ParameterError(f"expected the parameter {keyword.name!r}, got none: add it to the URL")
        return found


def _text(name: str, values: list[str]) -> str:
    if len(values) > 1:
        raise ParameterError(f"expected one value for {name!r}, got {len(values)}: give one")
    return values[0]


def _optional(name: str, values: list[str]) -> str | None:
    return _text(name, values) or None


def _number(name: str, values: list[str]) -> int:
    text = _text(name, values)
    if not (text.isascii() and text.isdecimal() and len(text) < 9 and 0 < int(text) <= _LARGEST):
        raise ParameterError(f"expected 1 to {_LARGEST:,} for {name!r}, got {text[:40]!r}: give such a number")
    return int(text)


def _switch(name: str, values: list[str]) -> bool:
    text = _text(name, values)
    if text not in {"0", "1"}:
        raise ParameterError(f"expected 0 or 1 for {name!r}, got {text[:40]!r}: give one of them")
    return text == "1"


def _texts(name: str, values: list[str]) -> tuple[str, ...]:
    if len(values) > _MOST:
        raise ParameterError(f"expected at most {_MOST:,} values for {name!r}, got {len(values):,}: give fewer")
    return tuple(values)


_READERS: Final[dict[str, Callable[[str, list[str]], Any]]] = {
    "str": _text,
    "str | None": _optional,
    "int": _number,
    "bool": _switch,
    "tuple[str, ...]": _texts,
}

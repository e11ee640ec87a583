"""Reads YAML; an error quotes nothing of the text, which may hold secrets."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["YamlTextError", "read_yaml"]

_NAMED: Final = re.compile(r"\b(alias|anchor|tag|handle) '[^']*'")
"""The name of an alias, an anchor or a tag in a message: `password: *x` is an alias, `password: !x` a tag."""


class YamlTextError(ValueError):
    """A text is not YAML; the message completes "expected YAML, got".

    Attributes:
        line: where, if it is known.
    """

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def read_yaml(text: str | bytes) -> object:
    """The document in `text`.

    Raises:
        YamlTextError: it is not YAML, or nests too deep.
    """
    import yaml  # noqa: PLC0415 - only processes that have a YAML pay for its parser

    try:
        document: object = yaml.safe_load(text)
    except RecursionError:
        raise YamlTextError("too many nested levels: nest it less") from None
    except Exception as error:  # noqa: BLE001 (the constructors of YAML values raise many types, for `!!bool x` a KeyError)
        mark = getattr(error, "problem_mark", None)
        raise YamlTextError(_reason(error), None if mark is None else mark.line + 1) from None
    return document


def _reason(error: Exception) -> str:
    """What an error is about. PyYAML's own text quotes the line of the error and the values in it."""
    parts = [part for name in ("context", "problem") if (part := getattr(error, name, None))]
    mark = getattr(error, "problem_mark", None)
    place = "" if mark is None else f" in line {mark.line + 1}, column {mark.column + 1}"
    if parts:
        return _NAMED.sub(r"\1", ", ".join(parts)) + place
    text = " ".join(str(error).split())
    return f"a value that is not what its tag says ({type(error).__name__})" if "'" in text else text

"""The grammar of the line key `datatypes`: see `docs/reference/data-types.md`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote

from otel_modeldata.semconv import MAX_DATA_TYPES_CHARS

from ..exceptions import ReaderError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Categories", "Code", "TypesError", "codes_in", "family", "merge", "parsed", "text_in"]

MAX_COLUMNS: Final = 50_000
"""A run of columns is a few characters, whatever its length is."""
_MAX_DEPTH: Final = 32
_WORD: Final = re.compile(r">?[A-Za-z][A-Za-z0-9_]*", re.ASCII)
_RUN: Final = re.compile(r"(.*[^*])\*([1-9][0-9]{0,5})", re.ASCII | re.DOTALL)
_LEFT_OUT: Final = "*"


class TypesError(ReaderError):
    """A text that does not follow the grammar."""


@dataclass(frozen=True, slots=True)
class Code:
    """A type.

    Attributes:
        word: its name.
        items: its parameters as they stand there.
    """

    word: str
    items: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Categories:
    """The parameter of a categorical type.

    Attributes:
        code: the type of the categories.
        ordered: whether they have an order.
        texts: the categories, each as the text in JSON; None where they are the values that occur.
    """

    code: str
    ordered: bool
    texts: tuple[str, ...] | None


def codes_in(text: str) -> tuple[str, ...]:
    """The codes of all columns.

    Raises:
        TypesError: the text does not follow the grammar.
    """
    if len(text) > MAX_DATA_TYPES_CHARS:
        raise TypesError(f"types of columns: expected at most {MAX_DATA_TYPES_CHARS} characters, got {len(text)}")
    codes: list[str] = []
    for part in _split(text):
        run = _RUN.fullmatch(part)
        code, count = (run[1], int(run[2])) if run else (part, 1)
        parsed(code)
        if len(codes) + count > MAX_COLUMNS:
            raise TypesError(f"types of columns: expected at most {MAX_COLUMNS}, got more in {text[:80]!r}")
        codes += [code] * count
    return tuple(codes)


@lru_cache(maxsize=1024)
def parsed(code: str) -> Code:
    """A code in its parts.

    Raises:
        TypesError: the code does not follow the grammar.
    """
    word = _WORD.match(code)
    if word is None:
        raise TypesError(f"types of columns: expected a word, got {code[:80]!r}")
    rest = code[word.end() :]
    if not rest:
        return Code(code)
    if rest[0] != "[" or rest[-1] != "]":
        raise TypesError(f"types of columns: expected parameters in brackets after {word[0]!r}, got {code[:80]!r}")
    return Code(word[0], tuple(item.removeprefix(" ") for item in _split(rest[1:-1])))


def _split(text: str) -> Iterator[str]:
    """The parts between the commas that are in no brackets."""
    if not text:
        return
    start = depth = 0
    for position, one in enumerate(text):
        if one == "," and not depth:
            yield text[start:position]
            start = position + 1
        depth += (one == "[") - (one == "]")
        if not 0 <= depth <= _MAX_DEPTH:
            break
    if depth:
        raise TypesError(f"types of columns: expected brackets in pairs, at most {_MAX_DEPTH} deep, got {text[:80]!r}")
    yield text[start:]


def text_in(item: str) -> str:
    """The text of a parameter."""
    return unquote(item)


def categories_in(code: Code) -> Categories:
    """The parameter of a categorical type."""
    item = ",".join(code.items) or "s"
    for mark, ordered in (("|", False), ("<", True)):
        kind, *texts = item.split(mark)
        if texts == [_LEFT_OUT]:
            # Which of the values is the smaller one is not known.
            return Categories(code=kind, ordered=False, texts=None)
        if texts:
            return Categories(code=kind, ordered=ordered, texts=tuple(map(text_in, texts)))
    return Categories(code=item, ordered=False, texts=None)


def family(code: str) -> str:
    """The code without its list of categories: equal where columns differ in nothing else."""
    parts = parsed(code)
    if parts.word != "c":
        return code
    kind = categories_in(parts).code
    return "c" if kind == "s" else f"c[{kind}]"


def merge(codes: Sequence[str]) -> str | None:
    """The code for columns that are put one below the other; None where no code is right for all of them.

    Lists of categories without an order are united: first those of the first column.
    """
    first = codes[0]
    if all(code == first for code in codes):
        return first
    if {family(code) for code in codes} != {family(first)}:
        return None
    lists = [categories_in(parsed(code)) for code in codes]
    if any(one.ordered for one in lists) or any(one.texts is None for one in lists):
        return family(first)
    kind = lists[0].code
    items = dict.fromkeys(item for code in codes for item in ",".join(parsed(code).items).split("|")[1:])
    return f"c[{kind}{''.join('|' + item for item in items)}]"

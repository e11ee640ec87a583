"""A fuzz target: what is fed with bytes, the oracle that judges the outcome, and how inputs are made.

`check` returns for every input that is handled as it should be, however broken it is. It raises `AssertionError` with
what is wrong, or lets any other exception pass that the code must not raise.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hypothesis.strategies import SearchStrategy

__all__ = ["CORPUS", "FuzzTarget", "corpus", "first_failure", "smaller"]

CORPUS = Path(__file__).parent / "corpus"
Check = "Callable[[bytes], None]"


@dataclass(frozen=True, kw_only=True)
class FuzzTarget:
    """One target.

    Attributes:
        name: also the name of its folder in `corpus`.
        about: one line for `run.py --help`.
        check: the oracle.
        mutate: a change of an input that keeps much of its structure.
        inputs: valid and nearly valid inputs, for hypothesis.
        runs: inputs of one bounded run with coverage, about 20 seconds.
        max_bytes: the largest input.
    """

    name: str
    about: str
    check: Callable[[bytes], None]
    mutate: Callable[[bytes, random.Random], bytes]
    inputs: SearchStrategy[bytes]
    runs: int
    max_bytes: int = 8192


def corpus(name: str) -> list[bytes]:
    """The kept inputs of a target, in the order of their names."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def first_failure(target: FuzzTarget, seeds: Sequence[bytes], runs: int, seed: int = 1) -> tuple[bytes, str] | None:
    """The first of `runs` changed inputs that the oracle refuses, and why; the same for the same `seed`.

    This is the plain engine, without coverage: it runs on every Python and system, and in a moment.
    """
    chance = random.Random(seed)
    for number in range(runs):
        given = seeds[number % len(seeds)]
        for _ in range(chance.randrange(4) if number >= len(seeds) else 0):
            given = target.mutate(given, chance)[: target.max_bytes]
        if why := failure(target.check, given):
            return given, why
    return None


def failure(check: Callable[[bytes], None], given: bytes) -> str:
    """Why the oracle refuses an input; empty where it does not."""
    try:
        check(given)
    except Exception as error:  # noqa: BLE001 (any exception is a finding)
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return ""


def smaller(check: Callable[[bytes], None], given: bytes, most_checks: int = 3000) -> bytes:
    """A smaller input with the same kind of failure: pieces are left out as long as it stays."""
    kind = _kind(failure(check, given))
    size, checks = max(1, len(given) // 2), 0
    while size and checks < most_checks:
        position, has_changed = 0, False
        while position < len(given) and checks < most_checks:
            shorter = given[:position] + given[position + size :]
            checks += 1
            if _kind(failure(check, shorter)) == kind:
                given, has_changed = shorter, True
            else:
                position += size
        size = size if has_changed and size == 1 else size // 2
    return given


def _kind(why: str) -> str:
    """The type of an exception, and the words before the first value in its message."""
    return " ".join(why.split(" ")[:4])


def changed_bytes(given: bytes, chance: random.Random, words: Sequence[bytes]) -> bytes:
    """Bytes with one change: without a piece, with a piece twice, a word, other digits, or another byte."""
    start = chance.randrange(len(given) + 1)
    stop = min(len(given), start + chance.choice((1, 1, 2, 4, 16, 64)))
    before, piece, after = given[:start], given[start:stop], given[stop:]
    change = chance.choice(
        (
            lambda: b"",
            lambda: piece * 2,
            lambda: chance.choice(words) + piece,
            lambda: chance.choice(words),
            lambda: bytes([chance.randrange(256)]) + piece[1:],
            lambda: chance.choice((b"0", b"-1", b"9" * 20, b"1e400", b"\x00", b"\xff\xfe", b"\n", b"\r", b"'", b'"')),
            partial(_elsewhere, given, chance),
        )
    )
    return before + change() + after


def _elsewhere(given: bytes, chance: random.Random) -> bytes:
    start = chance.randrange(len(given) + 1)
    return given[start : start + chance.randrange(1, 64)]

"""Frames as people collect them, each with the values that must arrive."""

from __future__ import annotations

import datetime as dt
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Columns = dict[str, Sequence[Any]]

VARIANTS: Final = 4
"""How many frames of one kind and size there are; they are collected in turn."""
_EMBEDDING: Final = 768
_SEGMENTS: Final = ("retail", "wholesale", "public sector", "unknown", "Außenhandel")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """What one frame is made of.

    Attributes:
        build: makes the frame; every frame is new, as in a server, so nothing is cached in it.
        columns: the cells of each column in JSON, made without pandas.
        official: the columns that azureml-ai-monitoring writes in another form.
    """

    build: Callable[[], pd.DataFrame]
    columns: Columns
    official: Columns

    def rows(self, *, official: bool = False) -> list[dict[str, Any]]:
        """The rows that must arrive."""
        columns = self.columns | self.official if official else self.columns
        return [dict(zip(columns, cells, strict=True)) for cells in zip(*columns.values(), strict=True)]


def sample(kind: str, rows: int, variant: int) -> Sample:
    """One of the frames of a kind, the same in every process."""
    return KINDS[kind](rows, random.Random(f"{kind} {rows} {variant}"))


def _sample(build: Callable[[], pd.DataFrame], columns: Columns, official: Columns | None = None) -> Sample:
    return Sample(build=build, columns=columns, official=official or {})


def _mixed(rows: int, chance: random.Random, times: int = 1) -> Sample:
    """12 columns of integers, 8 of floats and 3 of text, so many times."""
    columns: Columns = {f"count_{n}": [chance.randrange(1000) for _ in range(rows)] for n in range(12 * times)}
    columns |= {f"amount_{n}": [chance.gauss(0, 1) for _ in range(rows)] for n in range(8 * times)}
    columns |= {f"segment_{n}": chance.choices(_SEGMENTS, k=rows) for n in range(3 * times)}
    return _sample(lambda: pd.DataFrame(columns), columns)


def _floats(rows: int, chance: random.Random) -> Sample:
    """23 columns of floats in one block of memory."""
    values = np.random.default_rng(chance.randrange(2**32)).normal(size=(rows, 23))
    names = [f"feature_{n}" for n in range(23)]
    columns = dict(zip(names, values.T.tolist(), strict=True))
    return _sample(lambda: pd.DataFrame(values.copy(), columns=names), columns)


def _text(rows: int, chance: random.Random, dtype: Any) -> Sample:
    columns: Columns = {f"text_{n}": [f"customer {chance.randrange(10**6)}" for _ in range(rows)] for n in range(4)}
    return _sample(lambda: pd.DataFrame(columns, dtype=dtype), columns)


def _arrow_text(rows: int, chance: random.Random) -> Sample:
    return _text(rows, chance, "string[pyarrow]")


def _object_text(rows: int, chance: random.Random) -> Sample:
    return _text(rows, chance, object)


def _categories(rows: int, chance: random.Random) -> Sample:
    columns: Columns = {f"segment_{n}": chance.choices(_SEGMENTS, k=rows) for n in range(4)}
    arrays = {name: pd.Categorical(cells, _SEGMENTS) for name, cells in columns.items()}
    return _sample(lambda: pd.DataFrame({name: array.copy() for name, array in arrays.items()}), columns)


def _dates(rows: int, chance: random.Random) -> Sample:
    """A time with a zone, one without, and a text."""
    start = dt.datetime(2026, 6, 1, tzinfo=dt.UTC)
    times = [start + dt.timedelta(seconds=chance.randrange(10**6)) for _ in range(rows)]
    naive = [time.replace(tzinfo=None) for time in times]
    names = [f"order {n}" for n in range(rows)]
    zoned_index, naive_index = pd.DatetimeIndex(times).tz_convert("Europe/Berlin"), pd.DatetimeIndex(naive)
    berlin = dt.timezone(dt.timedelta(hours=2))  # in summer
    milliseconds = [round(time.timestamp()) * 1000 for time in times]
    return _sample(
        lambda: pd.DataFrame({"zoned": zoned_index.copy(), "naive": naive_index.copy(), "name": names}),
        {
            "zoned": [time.astimezone(berlin).isoformat() for time in times],
            "naive": [time.isoformat() for time in naive],
            "name": names,
        },
        {"zoned": milliseconds, "naive": milliseconds},
    )


def _nullable_integers(rows: int, chance: random.Random) -> Sample:
    columns: Columns = {
        f"count_{n}": [None if chance.random() < 0.2 else chance.randrange(1000) for _ in range(rows)] for n in range(4)
    }
    arrays = {name: pd.array(cells, dtype="Int64") for name, cells in columns.items()}
    return _sample(lambda: pd.DataFrame({name: array.copy() for name, array in arrays.items()}), columns)


def _prompts(rows: int, chance: random.Random) -> Sample:
    """Text of about 4 KB in each row."""
    columns: Columns = {
        "prompt": [" ".join(chance.choices(_SEGMENTS, k=400)) for _ in range(rows)],
        "tokens": [chance.randrange(1000) for _ in range(rows)],
    }
    return _sample(lambda: pd.DataFrame(columns), columns)


def _embeddings(rows: int, chance: random.Random) -> Sample:
    """An array of 768 floats in each row."""
    values = np.random.default_rng(chance.randrange(2**32)).normal(size=(rows, _EMBEDDING))
    columns: Columns = {"id": list(range(rows)), "embedding": values.tolist()}
    return _sample(lambda: pd.DataFrame({"id": range(rows), "embedding": [row.copy() for row in values]}), columns)


def _wide(rows: int, chance: random.Random) -> Sample:
    """506 columns."""
    return _mixed(rows, chance, times=22)


KINDS: Final[dict[str, Callable[[int, random.Random], Sample]]] = {
    "mixed": _mixed,
    "floats": _floats,
    "object text": _object_text,
    "Arrow text": _arrow_text,
    "categories": _categories,
    "dates": _dates,
    "nullable integers": _nullable_integers,
    "prompts": _prompts,
    "embeddings": _embeddings,
    "500 columns": _wide,
}

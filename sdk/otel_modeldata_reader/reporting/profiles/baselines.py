"""What a window is compared with: the rows of a Parquet or CSV file, or those of another window of the same store."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from ...exceptions import ReaderError
from ...rows.envelope_columns import ENVELOPE
from ...window import window_of
from ..figures.report import BaselineFigures
from .kinds import kind_of
from .table_profile import TableProfile, profile_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from ...reading import Reading
    from ...window import Moment

__all__ = ["Baseline", "FileBaseline", "WindowBaseline", "baseline_of"]

_FORMS: Final = "FILE.parquet, FILE.csv, or a window such as 2026-11-01..2026-11-08"
_WINDOW: Final = re.compile(r"(?P<since>[^/]+?)\.\.(?P<until>[^/]*)")
_SIDES: Final = {"model_inputs": "inputs.", "model_outputs": "outputs."}
"""Prefixes of the columns of an exported join that inputs and outputs both have."""
_BATCH_ROWS: Final = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowBaseline:
    """Another window of the same collections.

    Attributes:
        since: the first moment.
        until: the moment after it.
    """

    since: Moment
    until: Moment

    @property
    def figures(self) -> BaselineFigures:
        """What the report says of it."""
        ends = ("the beginning" if self.since is None else self.since, "now" if self.until is None else self.until)
        return BaselineFigures(kind="window", name="{} to {}".format(*ends))

    def profile(self, read: Callable[..., Reading], collection: str, schema: pa.Schema) -> TableProfile | None:
        """The profile of a collection; None if it has no rows there."""
        del schema
        reading = read(collection, self.since, self.until)
        batches = reading.batches()
        first = next(batches, None)
        if first is None:
            return None
        names = [name for name in first.schema.names if name not in ENVELOPE.names]
        found = profile_of(_with(first, batches), first.schema, names, {})
        return found if found.rows else None


@dataclass(frozen=True, slots=True, kw_only=True)
class FileBaseline:
    """The rows of a file: its columns are those of inputs and outputs with the same names.

    Attributes:
        path: a Parquet file, or a CSV file with a header.
    """

    path: Path

    @property
    def figures(self) -> BaselineFigures:
        """What the report says of it."""
        return BaselineFigures(kind="file", name=self.path.name)

    def profile(self, read: Callable[..., Reading], collection: str, schema: pa.Schema) -> TableProfile | None:
        """The profile of the columns that a collection has.

        Args:
            read: not used.
            collection: whose columns.
            schema: of its rows. A column of texts is read as texts: a CSV file does not say that `01` is one.

        Raises:
            ReaderError: the file is missing or damaged.
        """
        del read
        with _file_errors(self.path):
            is_csv = self.path.suffix.lower() == ".csv"
            names = _csv_names(self.path) if is_csv else _parquet_names(self.path)
            chosen = _columns_for(names, collection, schema)
            if not chosen:
                return None
            if repeated := sorted({one for one in chosen.values() if names.count(one) > 1}):
                raise ReaderError(
                    f"expected each column of the baseline once, got several {repeated[0]!r:.80}: {self.path}; rename "
                    "or remove the others"
                )
            opened = _csv_batches if is_csv else _parquet_batches
            batches = opened(self.path, chosen, schema)
            first = next(batches, None)
            if first is None:
                return None
            return profile_of(_with(first, batches), first.schema, first.schema.names, {})

    def unknown_columns(self, known: set[str]) -> tuple[str, ...]:
        """The columns that no collection has.

        Args:
            known: names of columns, with and without the prefixes of an exported join.
        """
        with _file_errors(self.path):
            names = _csv_names(self.path) if self.path.suffix.lower() == ".csv" else _parquet_names(self.path)
        return tuple(name for name in names if name not in known and name not in ENVELOPE.names)


Baseline = FileBaseline | WindowBaseline


def baseline_of(given: str | os.PathLike[str] | tuple[Moment, Moment]) -> Baseline:
    """The baseline that a caller means.

    Args:
        given: the path of a Parquet or CSV file; a window as a pair, or as a text with `..` between its ends.

    Raises:
        ReaderError: it is none of these; WindowError for a window that is none.
    """
    if isinstance(given, tuple):
        since, until = given
        window_of(since, until)
        return WindowBaseline(since=since, until=until)
    path = Path(given)
    if path.suffix.lower() in {".parquet", ".csv"}:
        return FileBaseline(path=path)
    match = _WINDOW.fullmatch(str(given).strip())
    if match is None:
        raise ReaderError(f"expected a baseline like {_FORMS}, got {str(given)!r:.120}: name one of these")
    since, until = match["since"].strip(), match["until"].strip() or None
    window_of(since, until)
    return WindowBaseline(since=since, until=until)


def _with(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _columns_for(names: Sequence[str], collection: str, schema: pa.Schema) -> dict[str, str]:
    """The name in the file of each column of the collection that the file has."""
    prefix = _SIDES.get(collection.rpartition("/")[2], "")
    there = set(names)
    found: dict[str, str] = {}
    for name in schema.names:
        if name in ENVELOPE.names:
            continue
        for one in (f"{prefix}{name}", name):
            if one in there:
                found[name] = one
                break
    return found


def _parquet_names(path: Path) -> list[str]:
    import pyarrow.parquet as pq  # noqa: PLC0415 (only for Parquet files)

    return list(pq.read_schema(path).names)


def _parquet_batches(path: Path, chosen: Mapping[str, str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    import pyarrow.parquet as pq  # noqa: PLC0415 (only for Parquet files)

    del schema
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=list(chosen.values())):
            yield pa.record_batch([batch.column(one) for one in chosen.values()], names=list(chosen))


def _csv_names(path: Path) -> list[str]:
    from pyarrow import csv  # noqa: PLC0415 (only for CSV files)

    with csv.open_csv(path) as file:
        return list(file.schema.names)


def _csv_batches(path: Path, chosen: Mapping[str, str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    from pyarrow import csv  # noqa: PLC0415 (only for CSV files)

    types: dict[str, Any] = {}
    for name, of_file in chosen.items():
        kind = kind_of(schema.field(name).type)
        if kind == "number":
            types[of_file] = pa.float64()
        elif kind == "category" and not pa.types.is_boolean(schema.field(name).type):
            types[of_file] = pa.string()
    options = csv.ConvertOptions(include_columns=list(chosen.values()), column_types=types, strings_can_be_null=True)
    try:
        file = csv.open_csv(path, convert_options=options)
    except pa.ArrowInvalid:  # texts where the window has numbers: a change of type, which is reported
        texts = {name: one for name, one in types.items() if one != pa.float64()}
        file = csv.open_csv(
            path,
            convert_options=csv.ConvertOptions(
                include_columns=list(chosen.values()), column_types=texts, strings_can_be_null=True
            ),
        )
    with file:
        for batch in file:
            yield pa.record_batch([batch.column(one) for one in chosen.values()], names=list(chosen))


@contextmanager
def _file_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ReaderError(f"expected the file of the baseline, got none at {path}: correct the path") from None
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowKeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ReaderError(
            f"expected a baseline that can be read, got {reason[:200]}: {path}; write the file again, as Parquet or as "
            "CSV with a line of names"
        ) from None

"""The types of the columns of some lines, and how their rows are read."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pyarrow as pa
import pyarrow.json as pa_json

from ..exceptions import ReaderError
from .arrow_types import arrow_type, has_json_text
from .categories import with_categories
from .flat_rows import flat_rows
from .grammar import codes_in
from .json_cells import array_of, texts_of
from .json_storage import exact, storage_of
from .nested import as_dictionary
from .null_room import has_room

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CODE_KEY", "OBJECTS", "DataTypes", "RowsMismatchError", "TooLargeError", "parse"]

CODE_KEY: Final = b"modeldata.type"
"""The key of a field's metadata that has the code of the column."""
OBJECTS: Final = "O"
"""The code of objects that are texts, or all missing."""
_NO_VALUES: Final = (
    ArithmeticError,
    LookupError,
    TypeError,
    ValueError,
    RecursionError,
    NotImplementedError,
    msgspec.DecodeError,
    pa.ArrowException,
)
"""What is raised where JSON has no value of a type."""


class RowsMismatchError(ReaderError):
    """Rows do not have the types that their line says."""


class TooLargeError(RowsMismatchError):
    """Nulls of the types that lines say may take much more memory than the lines."""


@lru_cache(maxsize=64)
def parse(text: str) -> DataTypes:
    """The types that a line says.

    Raises:
        TypesError: the text does not follow the grammar, or names a type that is not known.
    """
    codes = codes_in(text)
    return DataTypes(codes, tuple(map(arrow_type, codes)))


@dataclass(frozen=True)
class DataTypes:
    """The types of columns, in their order.

    Attributes:
        codes: the code of each column.
        kinds: the Arrow type of each column.
    """

    codes: tuple[str, ...]
    kinds: tuple[Any, ...]

    @cached_property
    def _storages(self) -> tuple[Any, ...]:
        """The types by which pyarrow.json reads the columns; None for those that it does not read."""
        pairs = zip(self.codes, self.kinds, strict=True)
        return tuple(None if has_json_text(code) else storage_of(kind) for code, kind in pairs)

    def schema(self, names: Sequence[str]) -> Any:
        """The schema of the table that `read` returns."""
        self._check(names)
        columns = zip(names, self.kinds, self.codes, strict=True)
        return pa.schema([pa.field(name, kind, metadata={CODE_KEY: code.encode()}) for name, kind, code in columns])

    def read(self, datas: Sequence[bytes | memoryview], names: Sequence[str]) -> tuple[Any, list[int]]:
        """The rows of some lines.

        Args:
            datas: the key `data` of each line, an array of objects.
            names: of the columns.

        Returns:
            A table, and how many rows each line has.

        Raises:
            RowsMismatchError: a row has no value of the type of a column, or other columns.
            TooLargeError: nulls of these types may take much more memory than the lines.
        """
        schema = self.schema(names)
        if not has_room(self.kinds, datas):
            raise TooLargeError("types of columns: expected nulls that fit into memory, got fixed sizes that do not")
        fast, counts = self._fast_columns(datas, names, self._storages)
        if counts is None:
            # Perhaps a time with an offset of seconds, or of the year 10000.
            storages = tuple(None if _has_times(kind) else kind for kind in self._storages)
            fast, counts = self._fast_columns(datas, names, storages)
        slow = [name for name in names if name not in fast]
        if not slow and counts is not None:
            return pa.table([fast[name] for name in names], schema=schema), counts
        cells, counts = _raw_cells(datas, slow, len(names))
        columns = []
        for name, code, kind in zip(names, self.codes, self.kinds, strict=True):
            if name in fast:
                columns.append(fast[name])
                continue
            try:
                columns.append(with_categories(_slow_column(cells[name], kind, code), code))
            except _NO_VALUES as error:
                raise RowsMismatchError(
                    f"column {name!r}: expected values of the type {code!r}, as the line says, got others: {error}"
                ) from error
        return pa.table(columns, schema=schema), counts

    def read_flat(self, datas: Sequence[bytes | msgspec.Raw], names: Sequence[str]) -> tuple[Any, list[int]] | None:
        """The same as `read` in less time; None if `read` must do it."""
        if len(names) != len(self.codes) or None in self._storages or not has_room(self.kinds, datas):
            return None
        rows = flat_rows(datas, names)
        if rows is None:
            return None
        columns = []
        for cells, storage, kind, code in zip(
            rows.columns.values(), self._storages, self.kinds, self.codes, strict=True
        ):
            array = cells.array(storage)
            if array is None:
                return None
            try:
                columns.append(with_categories(exact(array, kind), code))
            except _NO_VALUES:
                return None
        return pa.table(columns, schema=self.schema(names)), rows.counts

    def _fast_columns(
        self, datas: Sequence[bytes | memoryview], names: Sequence[str], storages: Sequence[Any]
    ) -> tuple[Mapping[str, Any], list[int] | None]:
        """The columns that pyarrow.json reads, and how many rows each line has; nothing where it refuses one."""
        fields = [pa.field(name, storage) for name, storage in zip(names, storages, strict=True) if storage is not None]
        try:
            lists = _lists(datas, pa.list_(pa.struct(fields)), is_whole=len(fields) == len(names))
            rows = lists.flatten()
            found = {}
            kinds = dict(zip(names, zip(self.kinds, self.codes, strict=True), strict=True))
            for field, column in zip(fields, rows.flatten(), strict=True):
                kind, code = kinds[field.name]
                found[field.name] = with_categories(exact(column, kind), code)
        except _NO_VALUES:
            return {}, None
        return found, lists.value_lengths().to_pylist()

    def _check(self, names: Sequence[str]) -> None:
        if len(names) != len(self.codes):
            raise RowsMismatchError(
                f"types of columns: expected {len(self.codes)} columns, as the line says, got {len(names)}"
            )


def _slow_column(cells: Sequence[msgspec.Raw], kind: Any, code: str) -> Any:
    if not has_json_text(code):
        return array_of(cells, kind)
    texts = texts_of(cells)
    return as_dictionary(texts, kind) if pa.types.is_dictionary(kind) else texts


def _has_times(kind: Any) -> bool:
    return kind is not None and "timestamp" in str(kind)


def _lists(datas: Sequence[bytes | memoryview], kind: Any, *, is_whole: bool) -> Any:
    """The arrays of rows as one list array: pyarrow.json reads objects only, so each is the value of a key."""
    text = b"".join([b'{"data":', b'}\n{"data":'.join(datas), b"}\n"])
    table = pa_json.read_json(
        pa.BufferReader(text),
        # A block must hold the longest line.
        read_options=pa_json.ReadOptions(use_threads=False, block_size=len(text) + 1),
        parse_options=pa_json.ParseOptions(
            explicit_schema=pa.schema([("data", kind)]), unexpected_field_behavior="error" if is_whole else "ignore"
        ),
    )
    lists = table["data"].combine_chunks()
    if len(lists) != len(datas) or lists.null_count:
        raise ValueError("expected an array of objects")
    return lists


def _raw_cells(
    datas: Sequence[bytes | memoryview], names: Sequence[str], width: int
) -> tuple[dict[str, list[msgspec.Raw]], list[int]]:
    """The JSON of the cells of some columns, and how many rows each line has."""
    cells: dict[str, list[msgspec.Raw]] = {name: [] for name in names}
    counts = []
    try:
        for data in datas:
            rows = _rows_decoder.decode(data)
            counts.append(len(rows))
            if any(len(row) != width for row in rows):
                raise RowsMismatchError(f"rows: expected {width} columns in each of them, got others")
            for name, column in cells.items():
                column += [row[name] for row in rows]
    except KeyError as error:
        raise RowsMismatchError(f"rows: expected the column {error.args[0]!r} in each of them, got none") from None
    except (msgspec.DecodeError, RecursionError) as error:
        raise RowsMismatchError(f"rows: expected an array of objects, got another value: {error}") from error
    return cells, counts


_rows_decoder: Final = msgspec.json.Decoder(list[dict[str, msgspec.Raw]])

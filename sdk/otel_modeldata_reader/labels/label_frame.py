"""Labels as frames to collect: from values by row id, or from a CSV file."""

from __future__ import annotations

import csv
import datetime as dt
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import LabelError

if TYPE_CHECKING:
    import os

    import pandas as pd

__all__ = ["LABEL", "frames_of_csv", "label_frames"]

LABEL: Final = "label"
"""The column of labels that are one value."""
_ROW_ID: Final = "row_id"
_LABEL_TIME: Final = "label_time"
_RESERVED: Final = frozenset({_ROW_ID, _LABEL_TIME, "correlationid"})
"""Azure ML's reader fails on a column `correlationid`, in any case."""


def label_frames(labels: Mapping[Any, Any] | pd.DataFrame, at: dt.datetime | None = None) -> list[pd.DataFrame]:
    """Labels by row id, as frames to collect.

    Args:
        labels: a value for each row id, or a mapping of column names to values; or a frame with the column `row_id`.
        at: since when they hold, where the frame does not say it; the time at which they are written when missing.

    Returns:
        A frame for each set of columns and types, so that no value changes its type beside others.

    Raises:
        LabelError: a row id, a value or the time is none.
    """
    import pandas as pd  # noqa: PLC0415 (slow to import)

    moment = None if at is None else _moment(at)
    if isinstance(labels, pd.DataFrame):
        return [_timed(_checked(labels, "the frame"), moment)]
    if not isinstance(labels, Mapping):
        raise LabelError(
            f"expected a mapping of row ids to labels, or a frame, got {type(labels).__name__}: "
            "pass for example {'order-17_0': 'kept'}"
        )
    groups: dict[tuple[tuple[str, type], ...], list[tuple[str, Mapping[str, Any]]]] = {}
    for row_id, value in labels.items():
        _check_row_id(row_id)
        columns = value if isinstance(value, Mapping) else {LABEL: value}
        _check(row_id, columns)
        key = tuple((name, type(one)) for name, one in columns.items())
        groups.setdefault(key, []).append((row_id, columns))
    return [
        _timed(
            pd.DataFrame(
                {_ROW_ID: [row_id for row_id, _ in rows]}
                | {name: pd.Series([columns[name] for _, columns in rows]) for name, _ in key}
            ),
            moment,
        )
        for key, rows in groups.items()
    ]


def frames_of_csv(path: str | os.PathLike[str], id_column: str, time_column: str | None = None) -> list[pd.DataFrame]:
    """The labels of a CSV file in UTF-8 with a header, as frames to collect.

    An empty cell is no label. Other texts stay as they are: `None` and `NA` may be classes.

    Args:
        path: of the file.
        id_column: the column of row ids.
        time_column: the column that says since when a label holds: ISO 8601, UTC without a zone.

    Raises:
        LabelError: the file cannot be read, or a row has no id or no time.
    """
    import pandas as pd  # noqa: PLC0415 (slow to import)

    path = Path(path)
    try:
        _check_cells(path)
        # Neither a URL nor another form by the ending of the name: what is checked is what is read.
        frame = pd.read_csv(
            path,
            compression=None,
            index_col=False,
            dtype={id_column: "string"} | ({time_column: "string"} if time_column else {}),
            keep_default_na=False,
            na_values=[""],
            dtype_backend="numpy_nullable",
            encoding="utf-8",
        )
    except LabelError:
        raise
    except (OSError, ValueError, csv.Error) as error:
        cure = "correct the path, or its permissions" if isinstance(error, OSError) else "correct the file"
        raise LabelError(f"expected a CSV file with a header in {path}, got {_first_line(error)}: {cure}") from None
    for column in filter(None, (id_column, time_column)):
        if column not in frame.columns:
            names = ", ".join(map(str, frame.columns))
            raise LabelError(f"expected a column {column!r} in {path}, got {names}: name one of them")
    frame = frame.rename(columns={id_column: _ROW_ID} | ({time_column: _LABEL_TIME} if time_column else {}))
    frame = _checked(frame, str(path), first=2)  # the header is line 1
    own = [name for name in frame.columns if name not in {_ROW_ID, _LABEL_TIME}]
    return [frame.dropna(subset=own, how="all").reset_index(drop=True)]


def _check_cells(path: Path) -> None:
    """Raise LabelError if a row has other cells than the header: pandas would take the first column for an index."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        rows = csv.reader(file, strict=True)
        names = next(rows, [])
        for number, name in enumerate(names):
            if not name:
                raise LabelError(
                    f"expected a name for each column in {path}, got none for column {number + 1}: name it, or write "
                    "the file without its index"
                )
            if name in names[:number]:
                raise LabelError(f"expected each column once in {path}, got {name!r:.80} twice: rename one of them")
        for row in rows:
            if row and len(row) != len(names):
                raise LabelError(
                    f"expected {len(names)} cells in each row of {path}, as the header has, got {len(row)} in line "
                    f"{rows.line_num}: correct it"
                )


def _checked(frame: pd.DataFrame, owner: str, *, first: int = 0) -> pd.DataFrame:
    """The frame, if each of its rows is a label; `first` is the number of its first row in an error."""
    names = list(frame.columns)
    own = [name for name in names if name not in {_ROW_ID, _LABEL_TIME}]
    if names.count(_ROW_ID) != 1 or names.count(_LABEL_TIME) > 1 or not own:
        raise LabelError(
            f"expected the column {_ROW_ID} and labels in {owner}, got {', '.join(map(str, names)) or 'no column'}: "
            "each label needs a column"
        )
    _check(owner, dict.fromkeys(own, 0))
    missing = frame[_ROW_ID].isna().to_numpy().nonzero()[0]
    if len(missing):
        raise LabelError(f"expected a row id in each row of {owner}, got none in row {missing[0] + first}: add it")
    for row_id in frame[_ROW_ID].unique():
        _check_row_id(row_id)
    if _LABEL_TIME in names and any(isinstance(one, str) for one in frame[_LABEL_TIME]):
        return frame.assign(**{_LABEL_TIME: _times(frame[_LABEL_TIME], owner, first)})
    return frame


def _check_row_id(row_id: Any) -> None:
    if not isinstance(row_id, str) or not row_id:
        raise LabelError(f"expected a row id such as 'order-17_0', got {row_id!r}: `row_id` of a row has it")
    _check_text(row_id)


def _check_text(value: Any) -> None:
    """Raise LabelError for half of a surrogate pair, which no file holds."""
    try:
        if isinstance(value, str):
            value.encode()
    except UnicodeEncodeError:
        raise LabelError(f"expected a text of Unicode, got {value!r:.80}: correct it") from None


def _timed(frame: pd.DataFrame, moment: pd.Timestamp | None) -> pd.DataFrame:
    if moment is None:
        return frame
    if _LABEL_TIME not in frame.columns:
        return frame.assign(**{_LABEL_TIME: moment})
    return frame.assign(**{_LABEL_TIME: frame[_LABEL_TIME].fillna(moment)})


def _check(owner: str, columns: Mapping[Any, Any]) -> None:
    for name, value in columns.items():
        if not isinstance(name, str) or not name or name.casefold() in _RESERVED:
            raise LabelError(
                f"expected other columns than {', '.join(sorted(_RESERVED))} in the label of {owner!r}, got {name!r}: "
                "choose another name"
            )
        if value is None or _is_missing(value):
            raise LabelError(f"expected a value for {name!r} of {owner!r}, got {value!r}: leave out what is not known")
        _check_text(value)
    if not columns:
        raise LabelError(f"expected a value or columns for {owner!r}, got none: leave out what is not known")


def _is_missing(value: Any) -> bool:
    import pandas as pd  # noqa: PLC0415 (see above)

    return bool(pd.api.types.is_scalar(value) and pd.isna(value))


def _moment(at: Any) -> pd.Timestamp:
    import pandas as pd  # noqa: PLC0415 (see above)

    if not isinstance(at, dt.datetime) or at.tzinfo is None:
        raise LabelError(
            f"expected a datetime with a zone in at=, got {at!r}: "
            "datetime.datetime(2026, 11, 28, tzinfo=datetime.timezone.utc) has one"
        )
    try:
        return pd.Timestamp(at).tz_convert("UTC").as_unit("ns")
    except (OverflowError, pd.errors.OutOfBoundsDatetime):
        raise LabelError(f"expected a time between 1678 and 2261 in at=, got {at.isoformat()}: correct it") from None


def _times(values: pd.Series[Any], owner: str, first: int) -> pd.Series[Any]:
    """Texts of ISO 8601 as times; without a zone they are UTC."""
    import pandas as pd  # noqa: PLC0415 (see above)

    times = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
    # A join has nanoseconds.
    is_far = times.lt(pd.Timestamp.min.tz_localize("UTC")) | times.gt(pd.Timestamp.max.tz_localize("UTC"))
    wrong = ((times.isna() & values.notna()) | is_far).to_numpy().nonzero()[0]
    if len(wrong):
        place = "line" if first else "row"
        raise LabelError(
            f"expected a time of ISO 8601 in {owner}, got {str(values.iloc[wrong[0]])!r:.100} in {place} "
            f"{wrong[0] + first}: correct it, or leave it empty"
        )
    return times


def _first_line(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error).splitlines()
    return text[0] if text else type(error).__name__

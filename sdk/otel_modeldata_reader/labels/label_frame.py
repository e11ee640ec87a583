"""Labels as frames to collect: from values by row id, or from a CSV file."""

from __future__ import annotations

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

    moment = None if at is None else pd.Timestamp(_zoned(at)).tz_convert("UTC").as_unit("ns")
    if isinstance(labels, pd.DataFrame):
        return [_timed(_checked(labels, "the frame"), moment)]
    groups: dict[tuple[tuple[str, type], ...], list[tuple[str, Mapping[str, Any]]]] = {}
    for row_id, value in labels.items():
        if not isinstance(row_id, str) or not row_id:
            raise LabelError(f"expected a row id such as 'order-17_0', got {row_id!r}: `row_id` of a row has it")
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

    try:
        frame = pd.read_csv(
            path,
            dtype={id_column: "string"} | ({time_column: "string"} if time_column else {}),
            keep_default_na=False,
            na_values=[""],
            dtype_backend="numpy_nullable",
            encoding="utf-8",
        )
    except (OSError, ValueError) as error:
        raise LabelError(f"expected a CSV file with a header in {Path(path)}, got {_first_line(error)}") from None
    for column in filter(None, (id_column, time_column)):
        if column not in frame.columns:
            names = ", ".join(map(str, frame.columns))
            raise LabelError(f"expected a column {column!r} in {Path(path)}, got {names}: name one of them")
    frame = frame.rename(columns={id_column: _ROW_ID} | ({time_column: _LABEL_TIME} if time_column else {}))
    frame = _checked(frame, str(Path(path)), first=2)  # the header is line 1
    if time_column:
        frame[_LABEL_TIME] = _times(frame[_LABEL_TIME], Path(path))
    own = [name for name in frame.columns if name not in {_ROW_ID, _LABEL_TIME}]
    return [frame.dropna(subset=own, how="all").reset_index(drop=True)]


def _checked(frame: pd.DataFrame, owner: str, *, first: int = 0) -> pd.DataFrame:
    """The frame itself, if each of its rows is a label; `first` is the number of its first row in an error."""
    names = list(frame.columns)
    own = [name for name in names if name not in {_ROW_ID, _LABEL_TIME}]
    if names.count(_ROW_ID) != 1 or not own:
        raise LabelError(
            f"expected the column {_ROW_ID} and labels in {owner}, got {', '.join(map(str, names)) or 'no column'}: "
            "each label needs a column"
        )
    _check(owner, dict.fromkeys(own, 0))
    missing = frame[_ROW_ID].isna().to_numpy().nonzero()[0]
    if len(missing):
        raise LabelError(f"expected a row id in each row of {owner}, got none in row {missing[0] + first}: add it")
    return frame


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
        if value is None:
            raise LabelError(f"expected a value for {name!r} of {owner!r}, got None: leave out what is not known")
    if not columns:
        raise LabelError(f"expected a value or columns for {owner!r}, got none: leave out what is not known")


def _zoned(at: Any) -> dt.datetime:
    if not isinstance(at, dt.datetime) or at.tzinfo is None:
        raise LabelError(
            f"expected a datetime with a zone in at=, got {at!r}: "
            "datetime.datetime(2026, 11, 28, tzinfo=datetime.timezone.utc) has one"
        )
    return at


def _times(texts: pd.Series[Any], path: Path) -> pd.Series[Any]:
    import pandas as pd  # noqa: PLC0415 (see above)

    times = pd.to_datetime(texts, utc=True, format="ISO8601", errors="coerce")
    wrong = (times.isna() & texts.notna()).to_numpy().nonzero()[0]
    if len(wrong):
        raise LabelError(
            f"expected a time of ISO 8601 in {path}, got {str(texts.iloc[wrong[0]])!r:.100} in line {wrong[0] + 2}: "
            "correct it, or leave it empty"
        )
    return times


def _first_line(error: Exception) -> str:
    text = str(error).splitlines()
    return text[0] if text else type(error).__name__

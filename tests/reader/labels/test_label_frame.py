"""Labels as frames, from values by row id and from CSV files."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

from otel_modeldata_reader.exceptions import LabelError
from otel_modeldata_reader.labels import frames_of_csv, label_frames

if TYPE_CHECKING:
    from pathlib import Path

UTC = dt.UTC


def test_labels_with_the_same_columns_and_types_are_one_frame() -> None:
    frames = label_frames({"a_0": 1, "a_1": 2, "b_0": 0.5, "c_0": {"label": 3, "by": "me"}, "d_0": {"by": "you"}})
    assert [frame.to_dict("records") for frame in frames] == [
        [{"row_id": "a_0", "label": 1}, {"row_id": "a_1", "label": 2}],
        [{"row_id": "b_0", "label": 0.5}],
        [{"row_id": "c_0", "label": 3, "by": "me"}],
        [{"row_id": "d_0", "by": "you"}],
    ]
    assert [str(frame.dtypes.iloc[1]) for frame in frames[:3]] == ["int64", "float64", "int64"]


def test_the_time_of_a_label_is_a_column_in_utc() -> None:
    zone = dt.timezone(dt.timedelta(hours=2))
    (frame,) = label_frames({"a_0": True}, at=dt.datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=zone))
    expected = pd.DataFrame({"row_id": ["a_0"], "label": [True]})
    expected["label_time"] = pd.Series([pd.Timestamp("2026-01-02 01:04:05.000006Z")]).dt.as_unit("ns")
    pd.testing.assert_frame_equal(frame, expected)


def test_a_timestamp_of_pandas_keeps_its_nanoseconds() -> None:
    (frame,) = label_frames({"a_0": True}, at=pd.Timestamp("2026-01-02T00:00:00.123456789Z"))
    assert frame["label_time"].tolist() == [pd.Timestamp("2026-01-02T00:00:00.123456789Z")]


def test_a_frame_is_taken_as_it_is_and_gets_the_time_where_it_has_none() -> None:
    frame = pd.DataFrame({"row_id": ["a_0", "b_0"], "label": pd.Series([1, None], dtype="Int8")})
    (taken,) = label_frames(frame)
    assert taken is frame
    at = pd.Timestamp("2026-01-02T00:00:00Z").as_unit("ns")
    (timed,) = label_frames(frame, at)
    pd.testing.assert_frame_equal(timed, frame.assign(label_time=at))
    earlier = pd.Series([pd.Timestamp("2025-01-02T00:00:00Z"), pd.NaT]).dt.as_unit("ns")
    (kept,) = label_frames(frame.assign(label_time=earlier), at)
    pd.testing.assert_frame_equal(kept, frame.assign(label_time=earlier.fillna(at)))


@pytest.mark.parametrize(
    ("labels", "at", "sentence"),
    [
        ({"": 1}, None, "expected a row id such as 'order-17_0', got '': `row_id` of a row has it"),
        ({7: 1}, None, "expected a row id such as 'order-17_0', got 7: `row_id` of a row has it"),
        (
            pd.DataFrame({"row_id": ["a_0", None], "label": [1, 2]}),
            None,
            "expected a row id in each row of the frame, got none in row 1: add it",
        ),
        (
            pd.DataFrame({"label": [1, 2]}),
            None,
            "expected the column row_id and labels in the frame, got label: each label needs a column",
        ),
        ({"a_0": None}, None, "expected a value for 'label' of 'a_0', got None: leave out what is not known"),
        ({"a_0": {}}, None, "expected a value or columns for 'a_0', got none: leave out what is not known"),
        (
            None,
            None,
            (
                "expected a mapping of row ids to labels, or a frame, got NoneType: pass for example "
                "{'order-17_0': 'kept'}"
            ),
        ),
        ({"a_0": float("nan")}, None, "expected a value for 'label' of 'a_0', got nan: leave out what is not known"),
        ({"a_0": pd.NaT}, None, "expected a value for 'label' of 'a_0', got NaT: leave out what is not known"),
        ({"a_0": "\ud800"}, None, "expected a text of Unicode, got '\\ud800': correct it"),
        ({"\ud800": 1}, None, "expected a text of Unicode, got '\\ud800': correct it"),
        (
            pd.DataFrame({"row_id": ["a_0", ""], "label": [1, 2]}),
            None,
            "expected a row id such as 'order-17_0', got '': `row_id` of a row has it",
        ),
        (
            pd.DataFrame({"row_id": ["a_0"], "label": [1], "label_time": ["soon"]}),
            None,
            "expected a time of ISO 8601 in the frame, got 'soon' in row 0: correct it, or leave it empty",
        ),
        (
            {"a_0": 1},
            dt.datetime(2400, 1, 1, tzinfo=UTC),
            "expected a time between 1678 and 2261 in at=, got 2400-01-01T00:00:00+00:00: correct it",
        ),
        (
            {"a_0": {"Row_Id": 1}},
            None,
            (
                "expected other columns than correlationid, label_time, row_id in the label of 'a_0', got 'Row_Id': "
                "choose another name"
            ),
        ),
        (
            {"a_0": 1},
            dt.datetime(2026, 1, 2),  # noqa: DTZ001 - that is what is wrong
            (
                "expected a datetime with a zone in at=, got datetime.datetime(2026, 1, 2, 0, 0): "
                "datetime.datetime(2026, 11, 28, tzinfo=datetime.timezone.utc) has one"
            ),
        ),
    ],
)
def test_what_is_no_label_is_refused_in_one_sentence(labels: Any, at: Any, sentence: str) -> None:
    with pytest.raises(LabelError) as refused:
        label_frames(labels, at)
    assert str(refused.value) == sentence


def csv(folder: Path, text: str) -> Path:
    path = folder / "labels.csv"
    path.write_text(text, "utf-8")
    return path


def test_a_csv_file_is_read_with_its_types_and_an_empty_cell_is_no_label(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "order,class,count,when\n007_0,None,1,2026-01-02\nb_0,x,,2026-01-02T03:04:05+02:00\nc_0,NA,3,\nd_0,,,2026-01-02",
    )
    (frame,) = frames_of_csv(path, "order", "when")
    assert frame["row_id"].tolist() == ["007_0", "b_0", "c_0"]
    assert frame["class"].tolist() == ["None", "x", "NA"]
    assert (str(frame["count"].dtype), frame["count"].fillna(-1).tolist()) == ("Int64", [1, -1, 3])
    assert frame["label_time"].tolist() == [
        pd.Timestamp("2026-01-02", tz="UTC"),
        pd.Timestamp("2026-01-02T01:04:05Z"),
        pd.NaT,
    ]


@pytest.mark.parametrize(
    ("text", "time_column", "sentence"),
    [
        (
            "id,label\na_0,1\n,2\n",
            None,
            "expected a row id in each row of {path}, got none in row 3: add it",
        ),
        ("order,label\na_0,1\n", None, "expected a column 'id' in {path}, got order, label: name one of them"),
        ("id,label\na_0,1\n", "when", "expected a column 'when' in {path}, got id, label: name one of them"),
        (
            "id,label,when\na_0,1,\nb_0,1,soon\n",
            "when",
            "expected a time of ISO 8601 in {path}, got 'soon' in line 3: correct it, or leave it empty",
        ),
        (
            "id\na_0\n",
            None,
            "expected the column row_id and labels in {path}, got row_id: each label needs a column",
        ),
        (
            "id,row_id,label\na_0,1,2\n",
            None,
            "expected the column row_id and labels in {path}, got row_id, row_id, label: each label needs a column",
        ),
        (
            "id,CorrelationId\na_0,1\n",
            None,
            (
                "expected other columns than correlationid, label_time, row_id in the label of '{path}', got "
                "'CorrelationId': choose another name"
            ),
        ),
        (
            "id,label,when\na_0,1,9999-12-31\n",
            "when",
            "expected a time of ISO 8601 in {path}, got '9999-12-31' in line 2: correct it, or leave it empty",
        ),
        (
            "id,label,label_time\na_0,1,soon\n",
            None,
            "expected a time of ISO 8601 in {path}, got 'soon' in line 2: correct it, or leave it empty",
        ),
        (
            "id,label_time,label,when\na_0,x,1,2026-01-02\n",
            "when",
            (
                "expected the column row_id and labels in {path}, got row_id, label_time, label, label_time: each "
                "label needs a column"
            ),
        ),
        # pandas would take the first column for an index, and the labels for row ids.
        (
            "id,label\na_0,1,x\nb_0,2,y\n",
            None,
            "expected 2 cells in each row of {path}, as the header has, got 3 in line 2: correct it",
        ),
        (
            'id,label\n"a_0",1\n\nb_0\n',
            None,
            "expected 2 cells in each row of {path}, as the header has, got 1 in line 4: correct it",
        ),
        (
            ",id,label\n0,a_0,1\n",
            None,
            (
                "expected a name for each column in {path}, got none for column 1: name it, or write the file without "
                "its index"
            ),
        ),
        (
            "id,label,label\na_0,1,2\n",
            None,
            "expected each column once in {path}, got 'label' twice: rename one of them",
        ),
        ("", None, "expected a CSV file with a header in {path}, got No columns to parse from file: correct the file"),
    ],
)
def test_a_wrong_csv_file_is_refused_in_one_sentence(
    tmp_path: Path, text: str, time_column: str | None, sentence: str
) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(LabelError) as refused:
        frames_of_csv(path, "id", time_column)
    assert str(refused.value) == sentence.format(path=path)


def test_a_file_that_is_missing_or_no_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="No such file"):
        frames_of_csv(tmp_path / "none.csv", "id")
    (tmp_path / "labels.csv").write_bytes(b"id,label\na_0,\xff\n")
    with pytest.raises(LabelError, match="can't decode byte 0xff"):
        frames_of_csv(tmp_path / "labels.csv", "id")


def test_only_a_file_is_read_and_as_it_is(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="No such file"):
        frames_of_csv("http://127.0.0.1:9/labels.csv", "id")
    path = tmp_path / "labels.csv.gz"
    path.write_bytes(b"\xef\xbb\xbfid,label\na_0,1\n")
    assert [frame.to_dict("records") for frame in frames_of_csv(path, "id")] == [[{"row_id": "a_0", "label": 1}]]

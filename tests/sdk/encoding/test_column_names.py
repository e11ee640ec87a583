from __future__ import annotations

import datetime as dt
import enum
import logging
import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata import Collector
from otel_modeldata._encoding.column_names import ColumnNameCache, ColumnNames, kept_labels, most_characters
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata.exceptions import UnsupportedValueError
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable

_ADVICE = "choose another, or set OTEL_MODELDATA_COLUMN_CASE=rename"


class Color(enum.Enum):
    RED = "red"


class Shape(str, enum.Enum):
    ROUND = "round"


def test_a_lone_surrogate_in_a_column_name_becomes_a_question_mark() -> None:
    labels = pd.Index(["a\ud800"], dtype=object)  # pandas refuses it in an Arrow index, where there is Arrow
    frame = pd.DataFrame([[1]], columns=labels)
    assert Rows(frame, ColumnNameCache("test")).text() == b'[{"a?":1}]'


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["a", "a"], ["a", "a_1"]),
        (["a", "a", "a_1"], ["a", "a_2", "a_1"]),
        (["a_1", "a", "a", "a"], ["a_1", "a", "a_2", "a_3"]),
        ([0, 1], ["0", "1"]),
        ([("x", "y"), ("x", ""), ("z", 1)], ["x_y", "x", "z_1"]),
        ([None, 1.5], ["None", "1.5"]),
        ([Color.RED, Shape.ROUND], ["red", "round"]),
        ([np.int64(7), np.float32(0.1), np.str_("n")], ["7", "0.1", "n"]),
        ([b"raw", dt.date(2024, 2, 29)], ["b'raw'", "2024-02-29"]),
    ],
)
def test_every_label_has_a_unique_name(labels: list[object], names: list[str]) -> None:
    assert ColumnNames(labels).names == names


@given(st.lists(st.sampled_from(["a", "b", "a_1", "a_2", "", "b_1"]), max_size=8))
def test_names_are_unique_and_a_unique_label_keeps_its_name(labels: list[str]) -> None:
    names = ColumnNames(labels).names
    assert len(set(names)) == len(names) == len(labels)
    for label, name in zip(labels, names, strict=True):
        if labels.count(label) == 1:
            assert name == label


_UTC = pd.Timestamp("2024-01-01", tz="UTC")
_EQUAL_LABELS: list[list[Any]] = [
    [False, True],
    [0, 1],
    [0.0, 1.0],
    [-0.0, 1.0],
    [np.int64(0), np.bool_(True)],
    [Decimal(0), Decimal(1)],
    [Decimal("0.0"), Decimal("1.00")],
    ["0", "1"],
    [_UTC, _UTC + pd.Timedelta(1, "D")],
    [_UTC.tz_convert("Asia/Tokyo"), (_UTC + pd.Timedelta(1, "D")).tz_convert("Asia/Tokyo")],
    [("p", False), ("p", 1)],
    [("p", 0), ("p", True)],
    [Shape.ROUND, "x"],
    ["round", "x"],
    [float("nan"), None],
]


@given(st.lists(st.sampled_from(_EQUAL_LABELS), min_size=1, max_size=6))
def test_columns_have_the_same_names_after_equal_labels_of_other_types_as_alone(sets: list[list[Any]]) -> None:
    names = ColumnNameCache("test")
    for labels in sets:
        index = pd.Index(labels, dtype=object, tupleize_cols=False)
        assert names.names_of(kept_labels(index)).names == ColumnNames(labels).names


@given(st.lists(st.sampled_from(["a", "A", "b", "B_1", "a_1", "A_2", "", "é\ud800", "correlationid"]), min_size=1))
def test_the_characters_of_names_are_known_without_the_names_unless_labels_are_no_text(labels: list[str]) -> None:
    kept = kept_labels(pd.Index(labels, dtype=object))
    most = most_characters(kept, len(labels))
    for rename in (False, True):
        assert sum(map(len, ColumnNames(kept, rename=rename).names)) <= most
    assert most <= sum(map(len, labels)) + 5 * len(labels)
    assert most_characters(kept_labels(pd.Index(range(5))), 5) == sys.maxsize
    assert most_characters(kept_labels(pd.Index([7, 5])), 2) == sys.maxsize


def test_the_same_labels_are_looked_up_once() -> None:
    names = ColumnNameCache("test")
    for index in (pd.Index(["a", "b"]), pd.RangeIndex(2), pd.Index([0.5, 1.5]), pd.Index([True, False])):
        assert names.names_of(kept_labels(index)) is names.names_of(kept_labels(index.copy()))


@pytest.mark.parametrize("labels", [["a", "b", "é"], ["a", None, "b"]])
def test_labels_of_text_without_pyarrow_have_the_names_of_the_same_objects(labels: list[Any]) -> None:
    index = pd.Index(labels, dtype=pd.StringDtype("python"))
    assert kept_labels(index) == kept_labels(pd.Index(index.tolist(), dtype=object))
    assert ColumnNameCache("test").names_of(kept_labels(index)).names == ColumnNames(index.tolist()).names


@pytest.mark.parametrize("dtype", ["float32", "Float32", "float[pyarrow]"])
def test_labels_of_float32_have_their_own_text(dtype: str) -> None:
    if "pyarrow" in dtype:
        pytest.importorskip("pyarrow")
    index = pd.Index(np.array([0.1, 16777216], dtype=np.float32)).astype(dtype)
    assert ColumnNameCache("test").names_of(kept_labels(index)).names == ["0.1", "16777216.0"]


class _Changing:
    """A label of the application, whose text the application may change."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __str__(self) -> str:
        return self.text

    def __hash__(self) -> int:
        return 1

    def __eq__(self, other: object) -> bool:
        return self is other


_LABELS: dict[str, Callable[[], Any]] = {
    "integers": lambda: np.array([5, 6]),
    "floats": lambda: np.array([0.5, 1.5], dtype=np.float32),
    "truths": lambda: np.array([True, False]),
    "times": lambda: np.array(["2024-01-01", "2024-01-02"], dtype="M8[ns]"),
    "text": lambda: np.array(["a", "b"], dtype=object),
    "an index of text": lambda: pd.Index(["a", "b"]),
    "an index of text as objects": lambda: pd.Index(np.array(["a", "b"], dtype=object), dtype=object, copy=False),
    "text of pandas": lambda: pd.Index(["a", "b"], dtype="string"),
    "text and a gap": lambda: pd.Index(["a", None], dtype="string"),
    "objects": lambda: np.array([_Changing("0"), _Changing("1")], dtype=object),
    "objects and text": lambda: np.array([_Changing("0"), "b"], dtype=object),
    "categories": lambda: pd.CategoricalIndex([_Changing("0"), _Changing("1")]),
    "levels": lambda: pd.MultiIndex.from_arrays([["a", "b"], [one := _Changing("0"), one]]),
    "tuples": lambda: pd.Index([("a", _Changing("0")), ("b", 1)], tupleize_cols=False),
}


def _overwrite(memory: Any) -> None:
    if isinstance(memory, pd.Index):
        memory = memory._data
    for part in (memory, getattr(memory, "_ndarray", None)):
        if isinstance(part, np.ndarray):
            part.setflags(write=True)
            part[0] = part[1]
    if isinstance(memory, pd.api.extensions.ExtensionArray):
        memory[0] = "b" if memory.dtype == object or isinstance(memory.dtype, pd.StringDtype) else memory[1]


def _rename_objects(labels: Any) -> None:
    for label in labels.tolist():
        for part in label if isinstance(label, tuple) else (label,):
            if isinstance(part, _Changing):
                part.text = "changed"


@pytest.mark.parametrize("kind", _LABELS)
@pytest.mark.parametrize("rows", [1, 100])
def test_no_change_of_labels_reaches_the_names_of_a_frame_that_was_collected(kind: str, rows: int) -> None:
    def frame(labels: Any) -> pd.DataFrame:
        return pd.DataFrame(np.zeros((rows, 2)), columns=labels)

    expected = bytes(Rows(frame(_LABELS[kind]()), ColumnNameCache("test")).text())
    labels = _LABELS[kind]()
    collected = frame(labels)
    waiting = Rows(collected, ColumnNameCache("test"))
    _rename_objects(labels)
    for memory in (labels, collected.columns):
        if not isinstance(memory, pd.MultiIndex):
            _overwrite(memory)
    assert bytes(waiting.text()) == expected


def test_a_label_that_has_no_text_is_refused_while_collect_runs() -> None:
    class Broken:
        def __str__(self) -> str:
            raise ZeroDivisionError

    with capture() as captured, pytest.raises(UnsupportedValueError) as caught:
        Collector(name="model_inputs").collect(pd.DataFrame([[1, 2]], columns=[Broken(), "b"]))
    assert str(caught.value) == (
        "expected names of columns that convert to text, got ZeroDivisionError from one: rename the columns"
    )
    assert captured.events == []


def test_names_that_break_azures_consumer_are_reported() -> None:
    assert ColumnNames(["correlationId", "a.b", "x", "X"]).warnings == (
        f"column 'correlationId' has the name that Azure's consumer gives its row ids: {_ADVICE}",
        "column 'a.b' has a '.', which Azure's data quality and drift monitors refuse",
        f"columns 'x' and 'X' are equal up to case, which Spark refuses: {_ADVICE}",
    )
    assert ColumnNames(["a", "b c", "0", "(x)"]).warnings == ()


def test_many_such_names_are_reported_in_one_sentence() -> None:
    """`pandas.json_normalize` makes hundreds of them."""
    names = [f"a.{number}" for number in range(300)] + [one for n in range(50) for one in (f"x{n}", f"X{n}")]
    assert ColumnNames(names).warnings == (
        "column 'a.0' and 299 more columns have a '.', which Azure's data quality and drift monitors refuse",
        f"columns 'x0' and 'X0' are equal up to case, and 49 more pairs, which Spark refuses: {_ADVICE}",
    )


@pytest.mark.parametrize(
    ("labels", "names"),
    [
        (["x", "X"], ["x_1", "X"]),
        (["X", "x"], ["X", "x_1"]),
        (["x", "X", "x_1"], ["x_2", "X", "x_1"]),
        (["x", "X", "X_1"], ["x_2", "X", "X_1"]),
        (["x", "X", "x", "X"], ["x_2", "X", "x_1_1", "X_1"]),
        (["correlationid"], ["correlationid_1"]),
        (["CorrelationId", "correlationid_1"], ["CorrelationId_2", "correlationid_1"]),
        (["Straße", "STRASSE"], ["Straße_1", "STRASSE"]),
        (["a", "b"], ["a", "b"]),
    ],
)
def test_columns_that_are_equal_up_to_case_are_renamed_on_request(labels: list[str], names: list[str]) -> None:
    renamed = ColumnNames(labels, rename=True)
    assert renamed.names == names
    assert renamed.warnings == ()


_SIMILAR = st.lists(
    st.sampled_from(
        ["x", "X", "x_1", "X_1", "correlationid", "CORRELATIONID_1", "y", "\N{LATIN SMALL LETTER DOTLESS I}", "I"]
    ),
    max_size=9,
)


@given(_SIMILAR, st.randoms(use_true_random=False))
def test_renamed_columns_never_collide_and_do_not_depend_on_their_order(labels: list[str], random: Any) -> None:
    names = ColumnNames(labels, rename=True).names
    assert len({name.upper().casefold() for name in names} - {"correlationid"}) == len(labels)
    different = sorted(set(labels))
    shuffled = random.sample(different, len(different))
    by_label = dict(zip(different, ColumnNames(different, rename=True).names, strict=True))
    assert ColumnNames(shuffled, rename=True).names == [by_label[label] for label in shuffled]


def test_the_variable_renames_columns_of_a_collector(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    frame = pd.DataFrame([[1, 2]], columns=["x", "X"])
    written = []
    for choice in ("warn", "rename"):
        monkeypatch.setenv("OTEL_MODELDATA_COLUMN_CASE", choice)
        with capture() as captured:
            collector = Collector(name="model_inputs")
            collector.collect(frame)
            collector.collect(frame)
        written.append(captured.events[0].rows)
    assert written == [[{"x": 1, "X": 2}], [{"x_1": 1, "X": 2}]]
    assert [record.message for record in caplog.records if record.levelno == logging.WARNING] == [
        f"collection model_inputs: columns 'x' and 'X' are equal up to case, which Spark refuses: {_ADVICE}"
    ]

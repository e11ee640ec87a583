"""The advice is executed: each call must make a frame of the data that came."""

from __future__ import annotations

import dataclasses
import importlib
import json
import subprocess
import sys
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from otel_modeldata import Collector
from otel_modeldata.exceptions import UnsupportedDataError
from otel_modeldata.testing import capture
from otel_modeldata.validation.frame_advice import advice


@dataclasses.dataclass
class Order:
    amount: int = 1


class Row(NamedTuple):
    amount: int


ROWS = [{"a": 1}]
PLAIN: list[tuple[Any, str, list[dict[str, Any]]]] = [
    ({"a": 1}, "got a dict: collect(pandas.DataFrame([data]))", ROWS),
    ({"a": [1]}, "got a dict: collect(pandas.DataFrame(data))", ROWS),
    ({"a": [1, 2], "b": [3]}, "got a dict: collect(pandas.DataFrame([data]))", [{"a": [1, 2], "b": [3]}]),
    ({}, "got a dict: collect(pandas.DataFrame([data]))", [{}]),
    (MappingProxyType({"a": 1}), "got a mappingproxy: collect(pandas.DataFrame([dict(data)]))", ROWS),
    ([{"a": 1}], "got a list: collect(pandas.DataFrame(data))", ROWS),
    ([], "got a list: collect(pandas.DataFrame(data))", []),
    ((1,), "got a tuple: collect(pandas.DataFrame(data))", [{"0": 1}]),
    (np.array([1]), "got a numpy.ndarray: collect(pandas.DataFrame(data))", [{"0": 1}]),
    (np.ones((1, 1, 1)), 'got a numpy.ndarray: collect(pandas.DataFrame({"data": list(data)}))', [{"data": [[1.0]]}]),
    (np.array(1), "got a numpy.ndarray: collect(pandas.DataFrame([data.item()]))", [{"0": 1}]),
    (
        np.ma.array([1, 2], mask=[0, 1]),
        "got a numpy.MaskedArray: collect(pandas.DataFrame(data))",
        [{"0": 1}, {"0": None}],
    ),
    (pd.Series([1], name="a"), "got a pandas.Series: collect(data.to_frame())", ROWS),
    (pd.Index([1], name="a"), "got a pandas.Index: collect(data.to_frame(index=False))", ROWS),
    (
        Order(),
        f"got a {__name__.partition('.')[0]}.Order: collect(pandas.DataFrame([dataclasses.asdict(data)]))",
        [{"amount": 1}],
    ),
    ([Order()], "got a list: collect(pandas.DataFrame([dataclasses.asdict(item) for item in data]))", [{"amount": 1}]),
    (Row(1), f"got a {__name__.partition('.')[0]}.Row: collect(pandas.DataFrame([data]))", [{"amount": 1}]),
]


def _collected(sentence: str, data: Any) -> list[dict[str, Any]]:
    """The rows after doing what the sentence says."""
    call = sentence.partition("collect(")[2].removesuffix(")")
    frame = eval(call, {"data": data, "pandas": pd, "numpy": np, "dataclasses": dataclasses})
    with capture() as captured:
        Collector(name="model_inputs").collect(frame)
    return captured.events[0].rows


@pytest.mark.parametrize(("data", "sentence", "rows"), PLAIN, ids=lambda value: str(type(value).__name__))
def test_data_of_another_kind_is_refused_with_the_call_that_collects_it(
    data: Any, sentence: str, rows: list[dict[str, Any]]
) -> None:
    with pytest.raises(UnsupportedDataError) as raised:
        Collector(name="model_inputs").collect(data)
    azures = f"data type ({type(data).__name__}) not supported, supported types: pandas.DataFrame"
    assert str(raised.value) == f"{azures}; {sentence}"
    assert _collected(sentence, data) == rows


@pytest.mark.parametrize(
    ("library", "make", "sentence"),
    [
        ("polars", "polars.DataFrame({'a': [1]})", "got a polars.DataFrame: collect(data.to_pandas())"),
        ("polars", "polars.LazyFrame({'a': [1]})", "got a polars.LazyFrame: collect(data.collect().to_pandas())"),
        ("polars", "polars.Series('a', [1])", "got a polars.Series: collect(data.to_frame().to_pandas())"),
        ("pyarrow", "pyarrow.table({'a': [1]})", "got a pyarrow.Table: collect(data.to_pandas())"),
        (
            "pyarrow",
            "pyarrow.RecordBatch.from_pydict({'a': [1]})",
            "got a pyarrow.RecordBatch: collect(data.to_pandas())",
        ),
        ("dask.dataframe", "dask.dataframe.from_dict({'a': [1]}, npartitions=1)", "collect(data.compute())"),
    ],
)
def test_data_of_other_libraries_is_refused_with_the_call_that_collects_it(
    library: str, make: str, sentence: str
) -> None:
    pytest.importorskip(library)
    package = library.partition(".")[0]
    data = eval(make, {package: importlib.import_module(package)})
    given = advice(data)
    assert given is not None
    assert given.endswith(sentence)
    assert _collected(given, data) == ROWS


def test_a_model_of_pydantic_is_refused_with_the_call_that_collects_it() -> None:
    pydantic = pytest.importorskip("pydantic")
    kind = type("Body", (pydantic.BaseModel,), {"__annotations__": {"a": int}, "__module__": __name__})
    for data, call in (
        (kind(a=1), "collect(pandas.DataFrame([data.model_dump()]))"),
        ([kind(a=1)], "collect(pandas.DataFrame([item.model_dump() for item in data]))"),
    ):
        assert str(advice(data)).endswith(call)
        assert _collected(str(advice(data)), data) == ROWS


def test_a_sparse_matrix_is_refused_with_the_call_that_collects_it() -> None:
    sparse = pytest.importorskip("scipy.sparse")
    data = sparse.csr_matrix(np.array([[0.0, 2.0]]))
    assert advice(data) == "got a scipy.csr_matrix: collect(pandas.DataFrame.sparse.from_spmatrix(data))"
    assert _collected(str(advice(data)), data) == [{"0": 0.0, "1": 2.0}]


class _SparkDataFrame:
    """As far as Spark's class is looked at: Spark itself needs Java."""

    def toPandas(self) -> pd.DataFrame:  # noqa: N802 - Spark's name
        return pd.DataFrame(ROWS)


def test_a_frame_of_spark_is_refused_with_the_call_that_collects_it() -> None:
    data = _SparkDataFrame()
    assert str(advice(data)).endswith(": collect(data.toPandas())")
    assert _collected(str(advice(data)), data) == ROWS


def test_a_coroutine_is_named() -> None:
    async def body() -> dict[str, int]:
        return {"a": 1}

    data = body()
    assert advice(data) == "got a coroutine: await it first"
    data.close()


@pytest.mark.parametrize("data", [None, "text", b"bytes", 1, 0.5, object(), print, pd.DataFrame])
def test_what_no_call_makes_a_frame_of_has_azures_text_alone(data: Any) -> None:
    assert advice(data) is None


def test_a_class_that_answers_every_name_is_not_asked() -> None:
    class Answering:
        def __getattr__(self, name: str) -> Any:
            raise AssertionError(name)

    assert advice(Answering()) is None


@pytest.mark.slow
def test_the_call_is_named_in_a_process_that_has_not_loaded_pandas() -> None:
    code = """
import json, sys
from otel_modeldata import Collector
try:
    Collector(name="model_inputs").collect({"age": 41})
except TypeError as error:
    print(json.dumps([str(error), "pandas" in sys.modules, "polars" in sys.modules]))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    azures = "data type (dict) not supported, supported types: pandas.DataFrame"
    assert json.loads(done.stdout) == [f"{azures}; got a dict: collect(pandas.DataFrame([data]))", False, False]

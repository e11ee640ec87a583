"""A streamed answer is one output."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from mlflow_models import NO_BOUNDS, TWO, echo, ids, pyfunc, seen

from otel_modeldata._mlflow.predictions import MAX_STREAMED_CHARS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.testing import Captured


def test_a_stream_of_text_is_one_output_at_its_end(captured: Captured, folders: dict[str, str]) -> None:
    stream = echo(folders).predict_stream({"chunks": ["Hel", "lo"]})
    assert next(stream) == "Hel"
    assert [event.collection for event in captured.events] == ["model_inputs"]
    assert list(stream) == ["lo"]
    assert seen(captured) == [
        ("model_inputs", [{"chunks": "Hel"}, {"chunks": "lo"}]),
        ("model_outputs", [{"0": "Hello"}]),
    ]
    assert len(ids(captured)) == 1


def test_a_stream_of_records_is_one_output_that_lists_them(captured: Captured, folders: dict[str, str]) -> None:
    chunks = [{"delta": "a"}, {"delta": "b"}]
    assert list(echo(folders).predict_stream({"chunks": chunks})) == chunks
    assert seen(captured)[1] == ("model_outputs", [{"0": chunks}])


def test_a_stream_that_is_left_early_is_closed_and_has_no_output(captured: Captured, folders: dict[str, str]) -> None:
    model, closed = echo(folders), []

    def predict_stream(context: Any, model_input: Any, params: Any = None) -> Iterator[str]:
        try:
            yield from "abc"
        finally:
            closed.append(True)

    model.unwrap_python_model().predict_stream = predict_stream
    stream = model.predict_stream({"x": 1})
    next(stream)
    stream.close()
    assert closed == [True]
    assert seen(captured) == [("model_inputs", [{"x": 1}])]


@pytest.mark.parametrize("chunks", [["x" * (MAX_STREAMED_CHARS // 2)] * 3, ["x"] * 10_001], ids=["long", "many"])
def test_a_stream_above_the_limits_is_passed_on_and_not_collected(
    captured: Captured, folders: dict[str, str], caplog: pytest.LogCaptureFixture, chunks: list[str]
) -> None:
    model = echo(folders)
    model.unwrap_python_model().predict_stream = lambda context, model_input, params=None: iter(chunks)
    assert list(model.predict_stream({"x": 1})) == chunks
    assert seen(captured) == [("model_inputs", [{"x": 1}])]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")] == [
        f"model_outputs of a model are not collected: {NO_BOUNDS}"
    ]


def test_a_call_by_the_consumer_of_a_stream_is_collected(captured: Captured, folders: dict[str, str]) -> None:
    stream, other = echo(folders).predict_stream({"chunks": ["a"]}), pyfunc.load_model(folders["named"])
    next(stream)
    other.predict(TWO)
    assert [event.collection for event in captured.events] == ["model_inputs", "model_inputs", "model_outputs"]

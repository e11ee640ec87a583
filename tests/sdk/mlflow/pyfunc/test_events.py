"""The events of a call: rows, ids and the model's version."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from mlflow_models import (
    NAMED_ROWS,
    NO_ROWS,
    PREDICTED,
    TWO,
    UNNAMED_ROWS,
    echo,
    ids,
    infer_signature,
    pyfunc,
    save_echo,
    seen,
)

from otel_modeldata.context import BasicCorrelationContext, use_correlation_context

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata.testing import Captured, CollectedEvent


def test_inputs_and_outputs_of_a_scikit_learn_model_are_collected_under_one_id(
    captured: Captured, folders: dict[str, str]
) -> None:
    """S78, S82: unnamed predictions get the column `0`."""
    result = pyfunc.load_model(folders["named"]).predict(TWO)
    assert result.tolist() == [0, 2]
    assert seen(captured) == [("model_inputs", NAMED_ROWS), ("model_outputs", PREDICTED)]
    assert len(ids(captured)) == 1


def test_every_call_has_a_new_id(captured: Captured, folders: dict[str, str]) -> None:
    model = pyfunc.load_model(folders["named"])
    for _ in range(3):
        model.predict(TWO)
    assert len(captured.events) == 6
    assert len(ids(captured)) == 3


@pytest.mark.parametrize(
    "data", [TWO.to_dict("list"), TWO.to_dict("records"), dict(TWO), {k: v.to_numpy() for k, v in TWO.items()}]
)
def test_every_input_that_the_model_reads_as_a_table_is_a_table(
    captured: Captured, folders: dict[str, str], data: object
) -> None:
    pyfunc.load_model(folders["named"]).predict(data)
    assert seen(captured) == [("model_inputs", NAMED_ROWS), ("model_outputs", PREDICTED)]


def test_a_dict_is_one_record_for_a_model_whose_signature_has_lists(captured: Captured, tmp_path: Path) -> None:
    messages = [{"role": "user"}, {"role": "system"}]
    signature = infer_signature({"messages": messages})
    save_echo(tmp_path / "model", signature)
    pyfunc.load_model(str(tmp_path / "model")).predict({"messages": messages})
    rows = [{"messages": messages}]
    assert seen(captured) == [("model_inputs", rows), ("model_outputs", rows)]


def test_a_tensor_is_one_cell_for_each_item(captured: Captured, tmp_path: Path) -> None:
    cube = np.arange(8.0).reshape(2, 2, 2)
    save_echo(tmp_path / "model", infer_signature({"image": cube}))
    model = pyfunc.load_model(str(tmp_path / "model"))
    model.predict({"image": cube})
    model.predict(cube)
    rows = [{"image": item} for item in cube.tolist()]
    assert seen(captured) == [("model_inputs", rows), ("model_outputs", rows)] * 2


def test_without_a_signature_the_columns_are_numbered(captured: Captured, folders: dict[str, str]) -> None:
    pyfunc.load_model(folders["unnamed"]).predict(TWO.to_numpy())
    assert seen(captured) == [("model_inputs", UNNAMED_ROWS), ("model_outputs", PREDICTED)]


def test_the_input_is_collected_before_the_call_even_if_the_model_changes_it_and_fails(
    captured: Captured, folders: dict[str, str]
) -> None:
    model = pyfunc.load_model(folders["failing"])
    with pytest.raises(KeyError, match="no such thing"):
        model.predict(pd.DataFrame({"x": [1]}))
    assert seen(captured) == [("model_inputs", [{"x": 1}])]


def test_an_input_that_the_signature_refuses_is_collected_and_refused_as_before(
    captured: Captured, folders: dict[str, str]
) -> None:
    model = pyfunc.load_model(folders["named"])
    with pytest.raises(Exception, match="Model is missing inputs"):
        model.predict(pd.DataFrame({"x": [1]}))
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'data'"):
        model.predict()
    assert seen(captured) == [("model_inputs", [{"x": 1}])]


def test_a_model_that_calls_another_is_collected_once_and_its_own_collectors_join(
    captured: Captured, folders: dict[str, str]
) -> None:
    result = pyfunc.load_model(folders["asking"]).predict(TWO)
    assert result.tolist() == [1, 3]
    outer = [("model_inputs", NAMED_ROWS), ("features", [{"rows": 2}]), ("model_outputs", [{"0": 1}, {"0": 3}])]
    assert seen(captured) == outer
    assert len(ids(captured)) == 1


def test_predictions_have_the_id_of_their_request(captured: Captured, folders: dict[str, str]) -> None:
    model = pyfunc.load_model(folders["named"])

    async def request() -> None:
        with use_correlation_context(BasicCorrelationContext(id="request-1")):
            await asyncio.to_thread(model.predict, TWO)

    asyncio.run(request())
    assert ids(captured) == {"request-1"}


def test_the_caller_gets_the_object_that_the_model_returned(captured: Captured, folders: dict[str, str]) -> None:
    model = echo(folders)
    for answer in (pd.DataFrame({"x": [1]}), np.array([1]), ["a"], {"a": [1]}, iter(["a"]), object(), None):
        model.unwrap_python_model().predict = lambda context, model_input, params=None, answer=answer: answer
        assert model.predict(pd.DataFrame({"x": [1]})) is answer
    outputs = [event.rows for event in captured.events if event.collection == "model_outputs"]
    assert outputs == [[{"x": 1}], [{"0": 1}], [{"0": "a"}], [{"a": 1}]]


def test_a_value_without_rows_is_logged_once_and_not_collected(
    captured: Captured, folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    model = echo(folders)
    answers = iter(["a", "b"])
    model.unwrap_python_model().predict = lambda context, model_input, params=None: answers
    with caplog.at_level(logging.INFO, "otel_modeldata"):
        for _ in range(3):
            model.predict(pd.DataFrame({"x": [1]}))
    assert list(answers) == ["a", "b"]
    assert seen(captured) == [("model_inputs", [{"x": 1}])] * 3
    assert [record.getMessage() for record in caplog.records] == [
        f"model_outputs of a model are not collected: {NO_ROWS}"
    ]


def test_params_reach_the_model(captured: Captured, folders: dict[str, str], tmp_path: Path) -> None:
    signature = infer_signature(pd.DataFrame({"x": [1]}), None, {"answer": "none"})
    save_echo(tmp_path / "model", signature)
    result = pyfunc.load_model(str(tmp_path / "model")).predict(pd.DataFrame({"x": [1]}), params={"answer": "given"})
    assert result == "given"
    assert seen(captured) == [("model_inputs", [{"x": 1}]), ("model_outputs", [{"0": "given"}])]


def version(event: CollectedEvent) -> str:
    return str(event.attributes["azureml.model.version"])


def test_each_event_names_its_model(captured: Captured, folders: dict[str, str], tmp_path: Path) -> None:
    """S65, with the model's own version."""
    model = pyfunc.load_model(folders["named"])
    model.predict(TWO)
    registered = tmp_path / "azureml-models" / "iris" / "7"
    shutil.copytree(folders["named"], registered)
    pyfunc.load_model(str(registered)).predict(TWO)
    assert [version(event) for event in captured.events] == [model.metadata.model_uuid] * 2 + ["7"] * 2


def test_a_model_loads_even_if_its_registry_note_cannot_be_read(
    captured: Captured, folders: dict[str, str], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(folders["named"], folder)
    (folder / "registered_model_meta").write_text("{: broken")
    model = pyfunc.load_model(str(folder))
    model.predict(TWO)
    assert version(captured.events[0]) == model.metadata.model_uuid
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")]
    assert line.startswith(f"the registered version of {folder} is not known: ")


def test_events_of_two_versions_are_never_one_event(captured: Captured, folders: dict[str, str]) -> None:
    first, second = pyfunc.load_model(folders["named"]), echo(folders)
    with use_correlation_context(BasicCorrelationContext(id="one")):
        first.predict(TWO)
        second.predict(TWO)
    inputs = [event for event in captured.events if event.collection == "model_inputs"]
    expected = {model.metadata.model_uuid: NAMED_ROWS for model in (first, second)}
    assert {version(event): event.rows for event in inputs} == expected

"""Real MLflow, real models, in one process."""

from __future__ import annotations

import asyncio
import copy
import inspect
import logging
import math
import os
import pickle
import shutil
import subprocess
import sys
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import pytest

from otel_modeldata import Collector, collector
from otel_modeldata import mlflow as under_test
from otel_modeldata._mlflow.predictions import MAX_STREAMED_CHARS
from otel_modeldata._mlflow.predictions import logger as predictions_logger
from otel_modeldata.context import BasicCorrelationContext, use_correlation_context
from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata.mlflow import MlflowInstrumentor, autolog, collect_predictions
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata.testing import Captured, CollectedEvent


@contextmanager
def mlflow_warns() -> Iterator[None]:
    """Ignore MLflow's warnings about parts that these models lack on purpose; its own filters override an "ignore"."""
    with warnings.catch_warnings(record=True):
        warnings.simplefilter("always")
        yield


os.environ.update(MLFLOW_DISABLE_TELEMETRY="true", DO_NOT_TRACK="true", MLFLOW_UV_AUTO_DETECT="false")
with mlflow_warns():
    pyfunc = pytest.importorskip("mlflow.pyfunc", reason="pip install mlflow")
    mlflow_sklearn = pytest.importorskip("mlflow.sklearn", reason="pip install mlflow scikit-learn")
    infer_signature = pytest.importorskip("mlflow.models").infer_signature
    mlflow_context = pytest.importorskip("mlflow.pyfunc.context")
    datasets = pytest.importorskip("sklearn.datasets")
    linear_model = pytest.importorskip("sklearn.linear_model")


FRAME, TARGET = datasets.load_iris(as_frame=True, return_X_y=True)
TWO = FRAME.iloc[[0, 149]]
NAMED_ROWS = TWO.to_dict("records")
UNNAMED_ROWS = [{str(n): value for n, value in enumerate(row)} for row in TWO.to_numpy().tolist()]
PREDICTED = [{"0": 0}, {"0": 2}]
NO_ROWS = (
    "expected a DataFrame, Series, array, matrix, dict, list, text or number, got list_iterator: "
    "it has no rows to collect"
)
NO_BOUNDS = (
    "expected a streamed answer of at most 10000 chunks and 4194304 characters, got more: "
    "collect it in parts with a Collector of your own"
)
CONFIG = """
endpoint_name: iris
name: blue
data_collector:
  collections:
    model_inputs: {{enabled: {inputs}}}
    model_outputs: {{enabled: {outputs}}}
"""


with mlflow_warns():

    class Echo(pyfunc.PythonModel):
        """Returns its input, or what `params` chooses."""

        def predict(self, context, model_input, params=None):
            return (params or {}).get("answer", model_input)

        def predict_stream(self, context, model_input, params=None):
            yield from model_input["chunks"]

    class Failing(pyfunc.PythonModel):
        def predict(self, context, model_input):
            model_input.loc[:, "x"] = -1
            raise KeyError("no such thing")

    class Asking(pyfunc.PythonModel):
        """A model that calls another model, and collects something itself."""

        def load_context(self, context: Any) -> None:
            self.inner = pyfunc.load_model(context.artifacts["inner"])

        def predict(self, context, model_input):
            Collector(name="features").collect(pd.DataFrame({"rows": [len(model_input)]}))
            return self.inner.predict(model_input) + 1


def save_echo(folder: Path, signature: Any) -> None:
    with mlflow_warns():
        pyfunc.save_model(folder, python_model=Echo(), signature=signature, pip_requirements=[])


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Saved models by name."""
    root = tmp_path_factory.mktemp("models")
    folders = {name: str(root / name) for name in ("named", "unnamed", "echo", "failing", "asking")}
    estimator = linear_model.LogisticRegression(max_iter=500)
    fixed: dict[str, Any] = {"pip_requirements": []}
    with mlflow_warns():
        signature = infer_signature(FRAME, np.array([0]))
        mlflow_sklearn.save_model(estimator.fit(FRAME, TARGET), folders["named"], signature=signature, **fixed)
        mlflow_sklearn.save_model(estimator.fit(FRAME.to_numpy(), TARGET), folders["unnamed"], **fixed)
        pyfunc.save_model(folders["echo"], python_model=Echo(), streamable=True, **fixed)
        pyfunc.save_model(folders["failing"], python_model=Failing(), **fixed)
        inner = {"inner": folders["named"]}
        pyfunc.save_model(folders["asking"], python_model=Asking(), artifacts=inner, **fixed)
    return folders


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Reset to a process that has collected nothing and has no Collectors."""
    predictions = under_test._switch.predictions
    monkeypatch.setattr(collector, "application_names", set())
    monkeypatch.setattr(predictions, "_collectors", {})
    monkeypatch.setattr(predictions, "_once", LogThrottle(predictions_logger, math.inf))
    monkeypatch.setattr(predictions, "_throttle", LogThrottle(predictions_logger))
    yield
    autolog(disable=True)


@pytest.fixture
def captured(fresh: None) -> Iterator[Captured]:
    """The events of every model of the process."""
    autolog()
    with capture() as captured:
        yield captured


def seen(captured: Captured) -> list[tuple[str, list[dict[str, Any]]]]:
    return [(event.collection, event.rows) for event in captured.events]


def ids(captured: Captured) -> set[str]:
    return {event.correlation_id for event in captured.events}


def echo(folders: dict[str, str]) -> Any:
    return pyfunc.load_model(folders["echo"])


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


def test_only_a_chosen_model_is_collected(folders: dict[str, str]) -> None:
    chosen, other = pyfunc.load_model(folders["named"]), pyfunc.load_model(folders["named"])
    with capture() as captured:
        assert collect_predictions(chosen) is chosen
        other.predict(TWO)
        assert captured.events == []
        chosen.predict(TWO)
        assert seen(captured) == [("model_inputs", NAMED_ROWS), ("model_outputs", PREDICTED)]


def test_autolog_can_be_switched_off(captured: Captured, folders: dict[str, str]) -> None:
    autolog(disable=True)
    pyfunc.load_model(folders["named"]).predict(TWO)
    assert captured.events == []


@pytest.mark.parametrize("choose", [autolog, lambda: None])
def test_a_model_of_a_subclass_is_collected_once(folders: dict[str, str], choose: Any) -> None:
    class Special(pyfunc.PyFuncModel):  # type: ignore[misc,name-defined]
        def predict(self, data: Any, params: Any = None) -> Any:
            return super().predict(data) + 1

    loaded = pyfunc.load_model(folders["named"])
    choose()
    with capture() as captured:
        model = collect_predictions(Special(loaded.metadata, loaded._model_impl))
        assert model.predict(TWO).tolist() == [1, 3]
        assert seen(captured) == [("model_inputs", NAMED_ROWS), ("model_outputs", [{"0": 1}, {"0": 3}])]


@pytest.mark.parametrize("model", [object(), None, linear_model.LogisticRegression()], ids=type)
def test_an_object_that_is_not_a_pyfunc_model_is_refused(model: object) -> None:
    with pytest.raises(TypeError) as refusal:
        collect_predictions(model)
    assert str(refusal.value) == (
        f"expected a model that mlflow.pyfunc.load_model returned, got {type(model).__name__}: "
        "load it as a pyfunc model, or collect with a Collector"
    )


def test_a_collected_model_is_copied_pickled_and_inspected_as_before(
    captured: Captured, folders: dict[str, str]
) -> None:
    plain = pyfunc.load_model(folders["named"])
    before = vars(plain).copy()
    model = collect_predictions(plain)
    assert vars(model) == before
    assert list(inspect.signature(model.predict).parameters) == ["data", "params"]
    assert type(model) is pyfunc.PyFuncModel
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        assert twin == model
        assert twin.predict(TWO).tolist() == [0, 2]


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


def test_mlflows_own_evaluations_and_trial_calls_are_not_collected(
    captured: Captured, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pyfunc.load_model(folders["named"])
    with mlflow_context.set_prediction_context(mlflow_context.Context(request_id="1", is_evaluate=True)):
        model.predict(TWO)
    monkeypatch.setenv("_MLFLOW_IN_CAPTURE_MODULE_PROCESS", "true")
    model.predict(TWO)
    assert captured.events == []


def configure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *, inputs: bool, outputs: bool) -> None:
    path = tmp_path / "deployment.yml"
    path.write_text(CONFIG.format(inputs=inputs, outputs=outputs))
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(path))


def test_the_configuration_switches_each_collection(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    configure(monkeypatch, tmp_path, inputs=False, outputs=True)
    autolog()
    with caplog.at_level(logging.INFO, "otel_modeldata"), capture() as captured:
        for _ in range(2):
            assert pyfunc.load_model(folders["named"]).predict(TWO).tolist() == [0, 2]
        assert seen(captured) == [("model_outputs", PREDICTED)] * 2
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")]
    assert lines == ["collection model_inputs is switched off: its frames are dropped"]


def test_a_configuration_of_other_collections_collects_no_models(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "deployment.yml"
    path.write_text("data_collector: {collections: {request: {enabled: 'True'}}}")
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(path))
    autolog()
    with caplog.at_level(logging.INFO, "otel_modeldata"), capture() as captured:
        for _ in range(2):
            assert pyfunc.load_model(folders["named"]).predict(TWO).tolist() == [0, 2]
        assert captured.events == []
    assert [record.levelname for record in caplog.records if record.name.startswith("otel_modeldata")] == ["INFO"] * 2


def test_a_wrong_configuration_is_logged_once_and_scoring_goes_on(
    folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(tmp_path / "missing.yml"))
    autolog()
    model = pyfunc.load_model(folders["named"])
    for _ in range(3):
        assert model.predict(TWO).tolist() == [0, 2]
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")]
    assert [line.split(" cannot be read")[0] for line in lines] == [
        f"{name} of a model are not collected: OTEL_MODELDATA_CONFIG={tmp_path / 'missing.yml'}:"
        for name in ("model_inputs", "model_outputs")
    ]


def test_an_error_of_collecting_is_logged_once_a_minute_and_scoring_goes_on(
    captured: Captured, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr(Collector, "collect", refuse)
    model = pyfunc.load_model(folders["named"])
    for _ in range(5):
        assert model.predict(TWO).tolist() == [0, 2]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")] == [
        "model_inputs of a model are not collected: the disk is full",
        "model_outputs of a model are not collected: the disk is full",
    ]


def test_automatic_collection_is_disabled_if_the_application_has_collectors(
    captured: Captured, folders: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    """S82: a score.py that collects and calls an MLflow model, under `opentelemetry-instrument`."""
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
    context = inputs.collect(TWO)
    outputs.collect(pd.DataFrame(pyfunc.load_model(folders["named"]).predict(TWO)), context)
    assert seen(captured) == [("model_inputs", NAMED_ROWS), ("model_outputs", PREDICTED)]
    assert [record.getMessage() for record in caplog.records if record.name.startswith("otel_modeldata")] == [
        "models are not collected: the application has Collectors of its own"
    ]


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


NO_MLFLOW = "import sys; sys.modules['mlflow'] = None\n"


def test_without_mlflow_the_instrumentor_is_silent_and_autolog_raises() -> None:
    message = run(
        NO_MLFLOW
        + """
from otel_modeldata.mlflow import MlflowInstrumentor, autolog
MlflowInstrumentor().instrument(skip_dep_check=True)
MlflowInstrumentor().uninstrument()
try:
    autolog()
except ImportError as error:
    print(error)
"""
    )
    assert message == "expected MLflow to be installed, it is not: pip install mlflow"


def test_the_instrumentor_loads_neither_mlflow_nor_pandas_before_the_process_does() -> None:
    loaded = run(
        """
import sys
from otel_modeldata.mlflow import MlflowInstrumentor
MlflowInstrumentor().instrument()
print([name for name in ("mlflow", "pandas", "numpy", "grpc") if name in sys.modules])
"""
    )
    assert loaded == "[]"


@pytest.mark.slow
def test_a_process_that_imports_mlflow_later_is_collected(folders: dict[str, str]) -> None:
    collected = run(
        f"""
from otel_modeldata.mlflow import MlflowInstrumentor
MlflowInstrumentor().instrument()
import mlflow.pyfunc
from otel_modeldata.testing import capture
model = mlflow.pyfunc.load_model({folders["unnamed"]!r})
with capture() as captured:
    model.predict([[5.1, 3.5, 1.4, 0.2]])
    MlflowInstrumentor().uninstrument()
    model.predict([[5.1, 3.5, 1.4, 0.2]])
    print([(event.collection, event.rows) for event in captured.events])
"""
    )
    inputs, outputs = [UNNAMED_ROWS[0]], [PREDICTED[0]]
    assert collected == repr([("model_inputs", inputs), ("model_outputs", outputs)])


def test_opentelemetry_finds_the_instrumentor() -> None:
    from importlib.metadata import entry_points

    (switch,) = entry_points(group="opentelemetry_instrumentor", name="otel_modeldata_mlflow")
    assert switch.load() is MlflowInstrumentor

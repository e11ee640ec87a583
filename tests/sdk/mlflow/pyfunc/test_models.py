"""Which models are collected, and how a collected model behaves."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from mlflow_models import NAMED_ROWS, PREDICTED, TWO, linear_model, mlflow_context, pyfunc, seen

from otel_modeldata.mlflow import autolog, collect_predictions
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from otel_modeldata.testing import Captured


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


def test_mlflows_own_evaluations_and_trial_calls_are_not_collected(
    captured: Captured, folders: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pyfunc.load_model(folders["named"])
    with mlflow_context.set_prediction_context(mlflow_context.Context(request_id="1", is_evaluate=True)):
        model.predict(TWO)
    monkeypatch.setenv("_MLFLOW_IN_CAPTURE_MODULE_PROCESS", "true")
    model.predict(TWO)
    assert captured.events == []

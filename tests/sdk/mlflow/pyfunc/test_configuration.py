"""The configuration of models, and errors that never affect scoring."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pandas as pd
from mlflow_models import CONFIG, NAMED_ROWS, PREDICTED, TWO, pyfunc, seen

from otel_modeldata import Collector
from otel_modeldata.mlflow import autolog
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from otel_modeldata.testing import Captured


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

"""Fixtures of the tests with real MLflow and real models, in one process."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

from otel_modeldata import collector
from otel_modeldata import mlflow as under_test
from otel_modeldata._mlflow.predictions import logger as predictions_logger
from otel_modeldata.log_throttle import LogThrottle
from otel_modeldata.mlflow import autolog
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Iterator

    from otel_modeldata.testing import Captured


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Saved models by name."""
    from mlflow_models import save_models

    return save_models(tmp_path_factory.mktemp("models"))


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

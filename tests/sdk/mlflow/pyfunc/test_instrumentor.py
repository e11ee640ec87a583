"""The instrumentor in a process of its own."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow_models import PREDICTED, UNNAMED_ROWS

from otel_modeldata.mlflow import MlflowInstrumentor


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

"""Rows as datasets of MLflow: logged with their source, and read again from it."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from azure.storage.blob import generate_container_sas
from azurite import ACCOUNT
from read_lines import COLLECTION, HOUR, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader import ReaderError, UnknownNameError
from otel_modeldata_reader.datasets.mlflow_dataset import _digest
from otel_modeldata_reader.datasets.origin import window_texts
from otel_modeldata_reader.window import window_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azurite import Azurite

pytestmark = [
    pytest.mark.long,  # importing MLflow takes seconds, and its first database as many
    pytest.mark.filterwarnings("ignore::DeprecationWarning:mlflow"),
    pytest.mark.filterwarnings("ignore:The inplace keyword"),  # of MLflow with pandas 3.1
    pytest.mark.filterwarnings("ignore::UserWarning:mlflow"),
]
LOAD = """
import json, sys
import mlflow, mlflow.data
mlflow.set_tracking_uri(sys.argv[1])
logged = mlflow.get_run(sys.argv[2]).inputs.dataset_inputs[0].dataset
print(json.dumps(mlflow.data.get_source(logged).load()["label"].tolist()))
"""


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Four rows with a score and a label."""
    pytest.importorskip("mlflow")
    root = tmp_path / "store"
    for name, rows in (
        ("model_inputs", [{"age": n, "texts": ["a", str(n)]} for n in range(4)]),
        ("model_outputs", [{"score": n % 2} for n in range(4)]),
        ("ground_truth", [{"label": int(n > 1)} for n in range(4)]),
    ):
        event = line(rows, id=name, type=f"azureml.inference.{name}")
        write(root, [event], collection=f"shop/blue/{name}")
    return root


@pytest.fixture
def tracking(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database of MLflow; what MLflow keeps of it in the process and its environment ends with the test."""
    import mlflow

    for name in ("MLFLOW_EXPERIMENT_ID", "MLFLOW_TRACKING_URI"):
        monkeypatch.setenv(name, "")  # so that it is restored
        monkeypatch.delenv(name)
    monkeypatch.setattr("mlflow.tracking.fluent._active_experiment_id", None)
    before, url = mlflow.get_tracking_uri(), f"sqlite:///{tmp_path}/mlflow.db"
    mlflow.set_tracking_uri(url)
    yield url
    mlflow.set_tracking_uri(before)


def test_joined_rows_are_logged_to_a_run_and_read_again_in_another_process(
    store: Path, tracking: str, tmp_path: Path
) -> None:
    import mlflow

    rows = reader.open(store).join("shop/blue", since="2026-11-22T10:00", labels=True)
    dataset = rows.to_mlflow_dataset(targets="label", predictions="score")
    assert (dataset.name, dataset.targets, dataset.predictions) == ("shop/blue", "label", "score")
    source = json.loads(dataset.source.to_json())
    assert source == {
        "store": str(store),
        "method": "join",
        "arguments": {
            "deployment": "shop/blue",
            "how": "inner",
            "history": False,
            "inputs": "model_inputs",
            "outputs": "model_outputs",
            "labels": True,
            "label_id": None,
            "since": "2026-11-22T10:00:00.000000000Z",
        },
    }
    mlflow.create_experiment("quality", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment("quality")
    with mlflow.start_run() as run:
        mlflow.log_input(dataset, context="evaluation")
    (logged,) = mlflow.get_run(run.info.run_id).inputs.dataset_inputs
    assert (logged.dataset.name, logged.dataset.digest) == ("shop/blue", dataset.digest)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", LOAD, tracking, run.info.run_id],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["[0, 0, 1, 1]"]), done.stderr


def test_a_dataset_evaluates_what_the_model_answered(store: Path) -> None:
    rows = reader.open(store).join("shop/blue", labels=True)
    evaluated = rows.to_mlflow_dataset(targets="label", predictions="score").to_evaluation_dataset()
    assert evaluated.labels_data.tolist() == [0, 0, 1, 1]
    assert evaluated.predictions_data.tolist() == [0, 1, 0, 1]


def test_a_reading_is_a_dataset_with_its_columns_and_condition(store: Path) -> None:
    reading = reader.open(store).read(COLLECTION, until="2027-01-01", columns=["age"], where="age > 1")
    dataset = reading.to_mlflow_dataset()
    assert (dataset.name, dataset.targets, dataset.df["age"].tolist()) == (COLLECTION, None, [2, 3])
    pd.testing.assert_frame_equal(dataset.source.load(), dataset.df)
    assert dataset.source.arguments == {
        "collection": COLLECTION,
        "columns": ["age"],
        "where": "age > 1",
        "envelope": True,
        "until": "2027-01-01T00:00:00.000000000Z",
    }


def test_equal_rows_have_equal_digests_and_any_other_value_has_another(store: Path) -> None:
    digests = [reader.open(store).join("shop/blue", labels=True).to_mlflow_dataset().digest for _ in range(2)]
    assert digests[0] == digests[1]
    frame = pd.DataFrame({"x": range(20_000), "nested": [{"a": [n]} for n in range(20_000)]})
    changed: list[pd.DataFrame] = [frame.rename(columns={"x": "y"}), frame.iloc[:-1], frame.iloc[::-1]]
    for column, value in (("x", -1), ("nested", {"a": [-1]})):
        other = frame.copy()
        other[column] = [*other[column][:-1], value]
        changed.append(other)
    assert len({_digest(one) for one in [frame, frame.copy(), *changed]}) == 1 + len(changed)


def test_a_source_has_no_secret(azurite: Azurite) -> None:
    pytest.importorskip("mlflow")
    container = azurite.new_container()
    with azurite.open(container) as client:
        client.upload_blob(f"{COLLECTION}/{HOUR}/{0:032x}000000.jsonl", line())
    signature = generate_container_sas(
        ACCOUNT, container, account_key=azurite.key, permission="rl", expiry=datetime.now(UTC) + timedelta(hours=1)
    )
    url = f"http://{azurite.host}/{ACCOUNT}/{container}"
    with reader.open(f"{url}?{signature}") as store:
        source = store.read(COLLECTION).to_mlflow_dataset().source
    assert source.store == url
    assert "sig=" not in source.to_json()


def test_a_wrong_column_is_one_sentence(store: Path) -> None:
    rows = reader.open(store).join("shop/blue", labels=True)
    with pytest.raises(UnknownNameError, match=r"in targets=, got 'labl': did you mean 'label'"):
        rows.to_mlflow_dataset(targets="labl")


def test_without_mlflow_the_error_names_it(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("mlflow", "mlflow.data", "mlflow.data.pandas_dataset"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ReaderError, match="pip install mlflow"):
        reader.open(store).read(COLLECTION).to_mlflow_dataset()


def test_a_window_is_written_with_its_nanoseconds() -> None:
    window = window_of("1969-12-31T23:59:59.5Z", "2026-11-22T10:00:00.123456789Z")
    assert window_texts(window) == {
        "since": "1969-12-31T23:59:59.500000000Z",
        "until": "2026-11-22T10:00:00.123456789Z",
    }
    assert window_of(**window_texts(window)) == window


def test_a_source_with_other_arguments_is_one_sentence(store: Path) -> None:
    pytest.importorskip("mlflow")
    from otel_modeldata_reader.datasets.mlflow_source import RowsSource

    source = RowsSource.from_dict({"store": str(store), "method": "read", "arguments": {"other": 1}})
    with pytest.raises(ReaderError, match="expected the arguments of read, got others: "):
        source.load()

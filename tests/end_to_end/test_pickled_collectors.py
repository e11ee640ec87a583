"""A model with a collector is saved by one process and loaded by another one with other settings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from receiver_process import lines_below

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 90
MODEL = """
import pandas as pd
from otel_modeldata import Collector


class Model:
    def __init__(self):
        self.inputs = Collector(name="model_inputs", on_error=print, model_version="7")

    def predict(self, value):
        self.inputs.collect(pd.DataFrame({"a": [value]}))
"""
TRAIN = """
import copy, pickle, joblib, cloudpickle
from mymodel import Model
model = Model()
model.predict("in the lab")
open("pickle.pkl", "wb").write(pickle.dumps(model))
joblib.dump(model, "joblib.pkl")
class Notebook(Model):
    pass
open("cloudpickle.pkl", "wb").write(cloudpickle.dumps(Notebook()))
open("again.pkl", "wb").write(pickle.dumps(pickle.load(open("pickle.pkl", "rb"))))
copy.deepcopy(model).predict("in the lab, too")
"""
KINDS = ("pickle", "joblib", "cloudpickle", "again")
SERVE = """
import os, pickle, signal, threading, joblib
models = {}
for kind in ("pickle", "joblib", "cloudpickle", "again"):
    path = kind + ".pkl"
    models[kind] = joblib.load(path) if kind == "joblib" else pickle.load(open(path, "rb"))
def serve():
    for kind, model in models.items():
        model.predict(kind)
server = threading.Thread(target=serve)
server.start()
server.join()
"""
SPAWN = """
import multiprocessing, pickle
if __name__ == "__main__":
    model = pickle.load(open("pickle.pkl", "rb"))
    spawn = multiprocessing.get_context("spawn")
    child = spawn.Process(target=model.predict, args=(4,))  # it loads the model before multiprocessing sets it up
    child.start()
    with spawn.Pool(1) as pool:
        pool.map(model.predict, range(4))
        pool.close()
        pool.join()
    child.join()
"""


def run(folder: Path, code: str, **variables: str) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZUREML_MDC_"))}
    (folder / "main.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "main.py"],
        cwd=folder,
        env=clean | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def names(endpoint: str, deployment: str) -> str:
    return f"azureml.endpoint.name={endpoint},azureml.deployment.name={deployment}"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models that a process of the lab has saved, and the lab's store."""
    folder = tmp_path_factory.mktemp("lab")
    (folder / "mymodel.py").write_text(MODEL)
    lab = {"OTEL_MODELDATA_STORE": "./train", "OTEL_RESOURCE_ATTRIBUTES": names("lab", "notebook")}
    headers = "Authorization=Bearer s3cr3t-t0ken"
    spool = {"OTEL_MODELDATA_SPOOL": "./labspool", "OTEL_EXPORTER_OTLP_HEADERS": headers}
    assert run(folder, TRAIN, **lab, **spool) == (0, "")
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A folder of production, with a copy of the models."""
    for path in (*saved.glob("*.pkl"), saved / "mymodel.py"):
        shutil.copy(path, tmp_path)
    return tmp_path


SHOP = {"OTEL_MODELDATA_STORE": "./prod", "OTEL_RESOURCE_ATTRIBUTES": names("shop", "blue")}


def test_a_saved_model_has_nothing_of_the_environment(saved: Path) -> None:
    assert [line["data"] for line in lines_below(saved / "train")] == [
        [{"a": "in the lab"}],
        [{"a": "in the lab, too"}],
    ]
    for kind in KINDS:
        content = (saved / f"{kind}.pkl").read_bytes()
        assert [text for text in (b"s3cr3t", b"labspool", b"train", b"notebook") if text in content] == []


def test_a_model_collects_where_it_is_served_and_not_where_it_was_trained(folder: Path) -> None:
    assert run(folder, SERVE, **SHOP) == (0, "")
    lines = lines_below(folder / "prod/shop/blue/model_inputs")
    assert [(line["source"], line["modelversion"], line["data"]) for line in lines] == [
        ("/endpoints/shop/deployments/blue", "7", [{"a": kind}]) for kind in KINDS
    ]
    assert len(lines_below(folder / "prod")) == len(lines)
    assert sorted(path.name for path in folder.iterdir() if path.is_dir() and path.name != "__pycache__") == ["prod"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGTERM")
def test_sigterm_loses_nothing_if_a_thread_is_the_first_to_collect(folder: Path) -> None:
    code = SERVE + "os.kill(os.getpid(), signal.SIGTERM)\nsignal.pause()\n"
    assert run(folder, code, **SHOP) == (-signal.SIGTERM, "")
    assert sorted(line["data"][0]["a"] for line in lines_below(folder / "prod")) == sorted(KINDS)


def test_spawned_processes_collect_with_a_model_that_they_get_as_an_argument(folder: Path) -> None:
    assert run(folder, SPAWN, **SHOP) == (0, "")
    assert sorted(line["data"][0]["a"] for line in lines_below(folder / "prod")) == [0, 1, 2, 3, 4]

"""The example notebooks run on a store that the SDK and a receiver have written, and are stored without outputs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from documents import ROOT

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

FOLDER = ROOT / "docs" / "examples" / "notebooks"
RUN_SECONDS = 300
RUN = """
import sys
import nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
print(nbformat.writes(notebook))
"""


def notebook(path: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return found


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.ipynb")), ids=lambda path: path.name)
def test_a_notebook_is_stored_without_outputs(path: Path) -> None:
    stored = notebook(path)
    code = [cell for cell in stored["cells"] if cell["cell_type"] == "code"]
    assert [(cell["outputs"], cell["execution_count"], cell["metadata"]) for cell in code] == [([], None, {})] * len(
        code
    )
    assert stored["metadata"].keys() == {"kernelspec", "language_info"}
    assert path.read_text("utf-8") == json.dumps(stored, indent=1, ensure_ascii=False) + "\n"


@pytest.mark.slow
def test_accuracy_per_day_and_the_trace_of_the_worst_prediction(start_receiver: StartReceiver, tmp_path: Path) -> None:
    store = tmp_path / "store"
    receiver = start_receiver(str(store))
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZURE"))}

    def run(*command: str, **variables: str) -> str:
        done = subprocess.run(
            [sys.executable, *command],
            env=environment | variables | {"JUPYTER_PLATFORM_DIRS": "1", "IPYTHONDIR": str(tmp_path)},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    collected = run(str(FOLDER / "collect.py"), OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.endpoint}")
    assert collected == "120 events delivered\n"
    ran = json.loads(run("-c", RUN, str(FOLDER / "accuracy_per_day.ipynb"), OTEL_MODELDATA_STORE=str(store)))
    outputs = [
        "".join(output.get("text") or output["data"]["text/plain"])
        for cell in ran["cells"]
        if cell["cell_type"] == "code"
        for output in cell["outputs"]
    ]
    listed, joined, _, labeled, accuracy, worst, trace = outputs
    assert [line.split()[0] for line in listed.splitlines()] == [
        f"shop/blue/{name}" for name in ("app_spans", "model_inputs", "model_outputs")
    ]
    assert joined == "60 joined, 0 inputs and 0 outputs alone\n"
    assert labeled == "60"
    # The score of order n is (7 n mod 60) / 60, and its label is n > 30.
    right = {number: (number * 7 % 60 > 30) == (number > 30) for number in range(60)}
    expected = [sum(right[number] for number in range(day, 60, 3)) / 20 for day in range(3)]
    found = [[float(number) for number in line.split()[1:]] for line in accuracy.splitlines()[2:]]
    assert found == [[share, 20] for share in expected]
    errors = {f"order-{number}_0": abs(number * 7 % 60 / 60 - (number > 30)) for number in range(60)}
    row_id = worst.splitlines()[0].split()[1]
    assert errors[row_id] == max(errors.values())
    lines = trace.splitlines()
    assert [line.split()[2] for line in lines[:-2] if "app_spans" not in line] == [
        f"shop/blue/{name}" for name in ("model_inputs", "model_outputs", "ground_truth")
    ]
    assert [line[: line.rindex(" ")] for line in lines[-2:]] == ["POST /score", "  predict"]

"""Replays to Azure ML's own scoring server, and of a store in Azure Blob Storage."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

from model_server import Received, frame_rows, serving
from read_lines import line
from receiver_process import wait_for_lines

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from azurite import Azurite
    from receiver_process import StartReceiver
    from scoring_host import StartScoringHost

HOUR = "2026/11/22/10"


def replay(*arguments: object) -> dict[str, Any]:
    """What the command says, as JSON; its exit code must be 0."""
    command = [sys.executable, "-m", "otel_modeldata_receiver", "replay", *map(str, arguments), "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_what_a_scoring_server_was_asked_it_is_asked_again(
    start_receiver: StartReceiver, start_scoring_host: StartScoringHost, tmp_path: Path
) -> None:
    receiver = start_receiver(str(tmp_path / "store"))
    host = start_scoring_host(OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.endpoint}", OTEL_TRACES_EXPORTER="none")
    for number in range(5):
        host.score({"col1": [number, 2], "col2": [2, number]})
    wait_for_lines(tmp_path / "store", 10)
    url = f"http://127.0.0.1:{host.port}/score"
    arguments = ("my-endpoint/blue", tmp_path / "store", "--target", url, "--out", tmp_path / "out")
    found = replay(*arguments, "--format", "data", "--compare", "--by", "col2")
    assert (found["requests"], found["answered"], found["rows"]) == (5, 5, 10)
    assert found["comparison"]["rows"] == {"equal": 10, "different": 0, "missing": 0, "incomparable": 0}
    assert [one["name"] for one in found["comparison"]["columns"]] == ["prediction"]
    wait_for_lines(tmp_path / "store", 20)  # the server collects what it is asked again


def test_a_store_in_azure_is_replayed(azurite: Azurite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    container = azurite.new_container()
    lines = {
        "model_inputs": [line([{"age": number}], number=number) for number in range(50)],
        "model_outputs": [line([{"score": number / 2}], number=number, id=f"o-{number}") for number in range(50)],
    }
    with azurite.open(container) as client:
        for name, events in lines.items():
            client.upload_blob(
                f"shop/blue/{name}/{HOUR}/{0:032x}000000.jsonl", b"".join(events), blob_type="AppendBlob"
            )

    def model(request: Received) -> Any:
        return {"predictions": [row["age"] / 2 for row in frame_rows(request)]}

    with serving(model) as server:
        arguments = ("shop/blue", f"az://{container}", "--target", server.url, "--out", tmp_path / "out")
        found = replay(*arguments, "--compare", "--rate", "500")
    assert found["comparison"]["rows"] == {"equal": 50, "different": 0, "missing": 0, "incomparable": 0}

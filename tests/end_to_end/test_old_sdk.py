"""azureml-ai-monitoring 1.0.0 itself, unmodified and in a separate process, writes its lines through the receiver.

S1 `from azureml.ai.monitoring import Collector` and S15 `.context import BasicCorrelationContext` stay as they are.
"""

from __future__ import annotations

import importlib.metadata
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from receiver_process import lines_below

if TYPE_CHECKING:
    from receiver_process import ReceiverProcess, StartReceiver

DATA = Path(__file__).parents[1] / "data"
SCRIPTS = ("seed-score.py", "seed-score-with-ids.py")
ELLIPSIS = "  ...\n"
PREDICT = "  output_df = input_df.rename(columns=str.upper)\n"
OTHERS_WORDS, OUR_WORDS = "from azureml.ai.monitoring", "from otel_modeldata"
REQUEST = json.dumps({"data": {"col1": [1, 2, 3], "col2": [2, 3, 4]}})
ENDPOINT, DEPLOYMENT = "credit-scoring", "blue"
ARM_ID = (
    "/subscriptions/s/resourceGroups/r/providers/Microsoft.MachineLearningServices/workspaces/w"
    f"/onlineEndpoints/{ENDPOINT}/deployments/{DEPLOYMENT}"
)
THEIR_END = """
import importlib
importlib.import_module("azureml.ai.monitoring.init").teardown(wait_for_flush=True)
"""
OUR_END = """
from otel_modeldata.lifecycle import shutdown
shutdown()
"""
"""Scoring scripts do not have these lines; without them the wheel loses queued events when its process ends."""
DIFFERENT = {
    "id",
    "time",
    "timens",
    "agent",
    "correlationid",
    "xrequestid",
    "producer",
    "producersequence",
    "samplingrate",
    "datatypes",
}
"""Keys that differ between calls or libraries: the old library has no sequence numbers, no sampling rate, no types
of columns."""


@pytest.fixture
def receiver(tmp_path: Path, start_receiver: StartReceiver) -> ReceiverProcess:
    config = tmp_path / "receiver.yaml"
    config.write_text(
        json.dumps({"old_protocol": {"endpoint": ENDPOINT, "deployment": DEPLOYMENT, "resource_id": ARM_ID}})
    )
    flags = ("--old-protocol-listen", "127.0.0.1:0", "--config", str(config))
    return start_receiver(str(tmp_path / "store"), *flags)


def run(receiver: ReceiverProcess, program: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run `program` where the wheel finds the receiver in place of Azure's sidecar."""
    port = receiver.startup["old_protocol_listen"].rpartition(":")[2]
    collector = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": port}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | collector | variables,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done


def scoring(script: str, end: str = THEIR_END) -> str:
    """The published script with a model in place of `...`, started and called once."""
    assert script.count(ELLIPSIS) == 1
    return f"{script.replace(ELLIPSIS, PREDICT)}\ninit()\nrun({REQUEST!r})\n{end}"


def collection(store: Path, name: str) -> list[dict[str, Any]]:
    return lines_below(store / ENDPOINT / DEPLOYMENT / name)


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_documented_script_with_its_own_import_writes_both_collections_under_one_id(
    tmp_path: Path, receiver: ReceiverProcess, name: str
) -> None:
    """S1 S2 S3 S4 S6 S9 S10 S13 S14 S15 S67: everything as Azure documents it, down to the name of the agent."""
    done = run(receiver, scoring((DATA / name).read_text()))
    assert "failed" not in done.stdout
    (inputs,) = collection(tmp_path / "store", "model_inputs")
    (outputs,) = collection(tmp_path / "store", "model_outputs")
    assert inputs["data"] == [{"col1": 1, "col2": 2}, {"col1": 2, "col2": 3}, {"col1": 3, "col2": 4}]
    assert outputs["data"] == [{"COL1": 1, "COL2": 2}, {"COL1": 2, "COL2": 3}, {"COL1": 3, "COL2": 4}]
    assert inputs["correlationid"] == outputs["correlationid"] == outputs["xrequestid"]
    assert (inputs["correlationid"] == "test") is (name == "seed-score-with-ids.py")
    assert inputs["agent"] == f"azureml-ai-monitoring/{importlib.metadata.version('azureml-ai-monitoring')}"


def test_lines_of_the_old_library_equal_those_of_this_sdk(tmp_path: Path, receiver: ReceiverProcess) -> None:
    """Both libraries send the same frames; the lines have every key that Azure's own collector writes."""
    script = (DATA / SCRIPTS[0]).read_text()
    run(receiver, scoring(script))
    ours = scoring(script.replace(OTHERS_WORDS, OUR_WORDS), OUR_END)
    attributes = f"azureml.endpoint.name={ENDPOINT},azureml.deployment.name={DEPLOYMENT},cloud.resource_id={ARM_ID}"
    run(
        receiver,
        ours,
        OTEL_EXPORTER_OTLP_ENDPOINT=f"http://{receiver.endpoint}",
        OTEL_RESOURCE_ATTRIBUTES=attributes,
    )
    recorded = json.loads(next(DATA.glob("azure-recorded/**/*.jsonl")).read_bytes().splitlines()[0])
    for name in ("model_inputs", "model_outputs"):
        theirs_line, our_line = collection(tmp_path / "store", name)
        theirs, ours_said = ({k: v for k, v in line.items() if k not in DIFFERENT} for line in (theirs_line, our_line))
        assert theirs == ours_said
        assert theirs["source"] == ARM_ID
        assert set(recorded) <= set(theirs_line)


def test_a_thousand_events_are_stored_once_each_and_in_their_order(tmp_path: Path, receiver: ReceiverProcess) -> None:
    program = f"""
import pandas as pd
from azureml.ai.monitoring import Collector
collector = Collector(name="model_inputs")
for number in range(1000):
    collector.collect(pd.DataFrame({{"number": [number], "half": [number / 2], "text": ["Zo\\u00eb \\u96ea"]}}))
{THEIR_END}"""
    run(receiver, program)
    lines = collection(tmp_path / "store", "model_inputs")
    assert [line["data"] for line in lines] == [
        [{"number": number, "half": number / 2, "text": "Zoë 雪"}] for number in range(1000)
    ]
    assert len({line["id"] for line in lines}) == 1000


def test_context_headers_become_keys_and_a_non_ascii_id_is_unchanged(tmp_path: Path, receiver: ReceiverProcess) -> None:
    """S16 S18: an id of the caller; headers that may not be line keys are left out."""
    program = f"""
import pandas as pd
from azureml.ai.monitoring import Collector
from azureml.ai.monitoring.context import BasicCorrelationContext
headers = {{"Tenant": "acme", "region-code": "eu", "source": "/forged", "id": "forged", "data": "[]"}}
headers["traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
context = BasicCorrelationContext(id="caf\\u00e9 1", timestamp=1795348800, headers=headers)
Collector(name="model_inputs").collect(pd.DataFrame({{"a": [1]}}), context)
{THEIR_END}"""
    run(receiver, program)
    (line,) = collection(tmp_path / "store", "model_inputs")
    assert (line["correlationid"], line["time"], line["tenant"]) == ("café 1", "2026-11-22T12:00:00Z", "acme")
    assert line["traceparent"] == "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    assert (line["source"], line["data"], line["id"] != "forged") == (ARM_ID, [{"a": 1}], True)
    assert "regioncode" not in line
    assert "region-code" not in line


def test_an_event_that_cannot_become_a_line_is_logged_in_the_scoring_container(
    tmp_path: Path, receiver: ReceiverProcess
) -> None:
    """S5: any other valid name works; the compact form is not JSON."""
    program = f"""
import pandas as pd
from azureml.ai.monitoring import Collector
for name in ("../../other", "model_inputs_outputs"):
    Collector(name=name).collect(pd.DataFrame({{"a": [1]}}))
{THEIR_END}"""
    done = run(receiver, program)
    assert "failed - 400: name: expected as collection" in done.stdout
    assert len(collection(tmp_path / "store", "model_inputs_outputs")) == 1
    done = run(receiver, program, AZUREML_MDC_FORMAT_COMPACT="true")
    assert "failed - 400: content type: expected JSON rows in a tabular collection" in done.stdout
    reasons = [line["reason"].partition(":")[0] for line in lines_below(tmp_path / "store" / "_quarantine")]
    assert sorted(reasons) == ["content type", "name", "name"]
    assert {path.name for path in (tmp_path / "store").iterdir()} == {ENDPOINT, "_quarantine"}

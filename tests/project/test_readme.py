"""The README is true: its commands exist, its code runs, its line is one that the receiver could have written."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from otel_modeldata import testing
from otel_modeldata_receiver.mapping.cloudevent import CloudEvent

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = [
    "README.md",
    "CHANGELOG.md",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob(".github/*.md")),
    "deploy/README.md",
    "otel-config/README.md",
    *(str(p.relative_to(ROOT)) for p in ROOT.glob("docs/*.md")),
]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


def test_ci_runs_exactly_the_test_command() -> None:
    command = next(line for line in _blocks("sh")[0].splitlines() if line.endswith("pytest"))
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == command


def test_the_python_example_runs_and_collects_joined_inputs_and_outputs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_MODELDATA_CONFIG", raising=False)
    namespace: dict[str, Any] = {}
    (code,) = _blocks("python")
    exec(code, namespace)
    with testing.capture() as captured:
        namespace["init"]()
        assert namespace["run"]([{"a": 1, "b": 0.5}]) == {"score": {0: 1.5}}
    inputs, outputs = captured.events
    assert (inputs.rows, outputs.rows) == ([{"a": 1, "b": 0.5}], [{"score": 1.5}])
    assert inputs.correlation_id == outputs.correlation_id


def test_the_example_line_has_the_keys_the_receiver_writes_in_its_order() -> None:
    (text,) = _blocks("json")
    line = json.loads(text)
    others = {"dataref", "path", "method", "datainblob", "statuscode", "latencyms"}  # of large lines and of payloads
    written = [name for name in CloudEvent.__struct_fields__ if name not in others]
    assert list(line) == written
    body = json.dumps(line["data"], separators=(",", ":"))
    assert line["contentrange"] == f"bytes 0-{len(body) - 1}/{len(body)}"


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#]+)\)", (ROOT / document).read_text("utf-8")):
        assert target.startswith("https://") or (folder / target).exists(), target


@pytest.mark.parametrize("command", ["receive", "audit", "demo", "check", "doctor"])
def test_every_flag_in_the_documents_exists(command: str) -> None:
    process = [sys.executable, "-m", "otel_modeldata_receiver", command, "--help"]
    help_text = subprocess.run(process, capture_output=True, text=True, timeout=60, check=True).stdout
    texts = [(ROOT / document).read_text("utf-8") for document in DOCUMENTS]
    uses = [use for text in texts for use in re.findall(rf"otel-modeldata {command}\b([^\n`#|;]*)", text)]
    assert uses
    for flag in {flag for use in uses for flag in re.findall(r"--[a-z-]+", use)}:
        assert flag in help_text

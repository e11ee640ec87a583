"""The README is correct: CI runs its command, its examples work, and its flags exist."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
from typing import Any

import pytest
from documents import DOCUMENTS, ROOT, blocks_of, text_of

from otel_modeldata import testing
from otel_modeldata.environment import read_environment
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.mapping.cloudevent import CloudEvent


@pytest.fixture(autouse=True)
def _no_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_MODELDATA_CONFIG", raising=False)


def _executed(number: int) -> dict[str, Any]:
    namespace: dict[str, Any] = {}
    exec(blocks_of("README.md", "python")[number].text, namespace)
    return namespace


@pytest.mark.parametrize("document", ["README.md", ".github/CONTRIBUTING.md"])
def test_ci_runs_exactly_the_test_command(document: str) -> None:
    lines = [line for block in blocks_of(document, "sh") for line in block.text.splitlines()]
    command = next(line for line in lines if line.endswith("--all-extras pytest"))
    assert (ROOT / ".ci" / "run").read_text("utf-8").splitlines()[-1] == command


def test_the_python_example_runs_and_collects_joined_inputs_and_outputs() -> None:
    namespace = _executed(1)
    with testing.capture() as captured:
        namespace["init"]()
        assert namespace["run"]('[{"a": 1, "b": 0.5}]') == {"score": {0: 1.5}}
    inputs, outputs = captured.events
    assert (inputs.rows, outputs.rows) == ([{"a": 1, "b": 0.5}], [{"score": 1.5}])
    assert inputs.correlation_id == outputs.correlation_id


def test_the_fastapi_example_collects_the_frames_the_request_and_the_response() -> None:
    body = b'[{"age": 41}]'
    sent: list[dict[str, Any]] = []

    async def post() -> None:
        messages = iter([{"type": "http.request", "body": body, "more_body": False}])
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/score",
            "raw_path": b"/score",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }

        async def receive() -> dict[str, Any]:
            return next(messages, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        await _executed(2)["app"](scope, receive, send)

    with testing.capture() as captured:
        asyncio.run(post())
    answer = b"".join(message.get("body", b"") for message in sent)
    assert json.loads(answer) == {"score": [0.83]}
    by_collection = {event.collection: event for event in captured.events}
    assert by_collection.keys() == {"model_inputs", "model_outputs", "request", "response"}
    assert by_collection["model_inputs"].rows == [{"age": 41}]
    assert by_collection["model_outputs"].rows == [{"score": 0.83}]
    assert by_collection["request"].payload == body.decode()
    assert len({event.correlation_id for event in by_collection.values()}) == 1


def test_the_receiver_listens_where_the_sdk_sends() -> None:
    """Both have a default, and the quickstart names neither."""
    endpoint = read_environment({}).endpoint
    assert endpoint is not None
    assert ReceiverConfig().listen == endpoint.target.replace("localhost", "127.0.0.1")


def test_the_quickstart_is_the_same_in_readme_and_documentation() -> None:
    shown = {line for block in blocks_of("docs/quickstart.md", "sh") for line in block.text.splitlines()}
    quickstart = [line for block in blocks_of("README.md", "sh")[:2] for line in block.text.splitlines()]
    assert [line for line in quickstart if line not in shown] == []


def test_the_example_line_has_every_key_of_a_frame_the_receiver_writes() -> None:
    (block,) = blocks_of("docs/quickstart.md", "json")
    others = {"dataref", "path", "method", "datainblob", "statuscode", "latencyms"}  # of large lines and of payloads
    assert list(json.loads(block.text)) == [name for name in CloudEvent.__struct_fields__ if name not in others]


def test_the_readme_is_short_and_reads_well_on_pypi() -> None:
    readme = text_of("README.md")
    assert len(readme.splitlines()) <= 150
    targets = re.findall(r"\]\(([^)]+)\)", readme)
    assert targets
    assert [target for target in targets if not target.startswith("https://")] == []
    assert "```mermaid" not in readme


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(document: str) -> None:
    folder = (ROOT / document).parent
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", text_of(document)):
        assert target.startswith("https://") or (folder / target).exists(), target


@pytest.mark.parametrize("command", ["receive", "audit", "demo", "check", "doctor"])
def test_every_flag_in_the_documents_exists(command: str) -> None:
    process = [sys.executable, "-m", "otel_modeldata_receiver", command, "--help"]
    help_text = subprocess.run(process, capture_output=True, text=True, timeout=60, check=True).stdout
    texts = map(text_of, DOCUMENTS)
    uses = [use for text in texts for use in re.findall(rf"otel-modeldata {command}\b([^\n`#|;]*)", text)]
    assert uses
    for flag in {flag for use in uses for flag in re.findall(r"--[a-z-]+", use)}:
        assert flag in help_text

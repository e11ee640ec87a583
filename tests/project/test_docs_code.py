"""Every code block of the documents is run, or read by the program that it is for.

- `python`: the blocks of a page run one after the other, in a process that keeps events instead of sending them.
- `sh`: the blocks of a page run in one shell, in an empty folder, before its Python blocks. `pip install` is checked
  and not executed; `otel-modeldata receive` runs in the background; well-known ports become free ones.
- `yaml`, `json`: read by the code that reads them in production. `diff`: both sides run. `text` and `mermaid` are
  skipped.
- A comment `<!-- not run: REASON -->` above a block keeps it from running; its syntax is checked.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from documents import DOCUMENTS, ROOT, Block, blocks_of
from gateway import free_port
from prerequisites import need
from prometheus_server import program

from otel_modeldata.config import read_deployment
from otel_modeldata_receiver.config import receiver as receiver_config
from otel_modeldata_receiver.mapping.cloudevent import CloudEvent

BLOCKS = [block for document in DOCUMENTS for block in blocks_of(document)]
NO_CODE = {"text", "mermaid"}
PORTS = re.compile(r"(?<=:)(4317|4318|4327|5001|9464|50011)\b")
RUN_SECONDS = 120

PRELUDE = """
set -euo pipefail
pip() { :; }
otel-modeldata() {
  [ "$1" = receive ] || { command otel-modeldata "$@"; return; }
  if [ -n "${RECEIVER:-}" ]; then kill "$RECEIVER"; wait "$RECEIVER" || true; fi
  case " $* " in *" --listen "*) ;; *) set -- "$@" --listen "$DEFAULT_LISTEN";; esac
  : > receiver.log
  command otel-modeldata "$@" > receiver.log 2>&1 &
  RECEIVER=$!
  for _ in $(seq 600); do
    if grep -q '^receiving on' receiver.log; then return; fi
    kill -0 "$RECEIVER" || break
    sleep 0.1
  done
  cat receiver.log >&2
  return 1
}
trap 'if [ -n "${RECEIVER:-}" ]; then kill "$RECEIVER"; wait "$RECEIVER" || true; fi' EXIT
"""

DRIVER = """
import json, os, sys
from otel_modeldata.testing import capture
namespace = {"__name__": "__main__"}
with capture():
    for place, code in json.load(sys.stdin):
        exec(compile(code, place, "exec"), namespace)
        sys.stdout.flush()
"""


def _with(language: str, *, run: bool = True) -> list[str]:
    return [
        document
        for document in DOCUMENTS
        if any(bool(block.not_run) is not run for block in blocks_of(document, language))
    ]


def _environment() -> dict[str, str]:
    """The environment of a user's shell: this environment's commands, and no settings of this package."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("OTEL_", "AZURE", "MLFLOW_EXPERIMENT", "MLFLOW_TRACKING"))
    }
    return kept | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def test_every_block_has_a_language_that_is_checked() -> None:
    known = {"python", "sh", "yaml", "json", "diff"} | NO_CODE
    assert [f"{block.place}: {block.language!r}" for block in BLOCKS if block.language not in known] == []


def test_a_block_that_does_not_run_is_code_and_states_why() -> None:
    for block in BLOCKS:
        if block.not_run:
            assert block.language in {"sh", "python"}, block.place
            assert re.match(r"(needs|takes|these|runs|downloads|tests/)", block.not_run), block.place


SLOW = {"docs/guides/mlflow.md"}
"""Importing MLflow takes longer than all the other pages."""


@pytest.mark.parametrize(
    "document",
    [
        pytest.param(name, marks=pytest.mark.long) if name in SLOW else name
        for name in sorted({*_with("sh"), *_with("python")})
    ],
)
def test_the_blocks_of_a_page_run(document: str, tmp_path: Path) -> None:
    ports: dict[str, int] = {}

    def moved(text: str) -> str:
        return PORTS.sub(lambda found: str(ports.setdefault(found[0], free_port())), text)

    default = ports["4317"] = free_port()
    environment = _environment() | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{default}"}
    script = [moved(block.text) for block in blocks_of(document, "sh") if not block.not_run]
    if any("curl " in text for text in script):
        need("curl", "install curl, a document calls it", debian="curl")
    if script:
        log = tmp_path / "shell.log"
        with log.open("w") as output:
            result = subprocess.run(
                ["bash", "-c", PRELUDE + "\n".join(script)],
                cwd=tmp_path,
                env=environment | {"DEFAULT_LISTEN": f"127.0.0.1:{default}"},
                stdout=output,
                stderr=subprocess.STDOUT,
                timeout=RUN_SECONDS,
                check=False,
            )
        assert result.returncode == 0, log.read_text()
    code = [(block.place, block.text) for block in blocks_of(document, "python") if not block.not_run]
    if code:
        driven = subprocess.run(
            [sys.executable, "-W", "ignore::DeprecationWarning", "-c", DRIVER],
            input=json.dumps(code),
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=RUN_SECONDS,
            check=False,
        )
        assert driven.returncode == 0, driven.stdout + driven.stderr


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.not_run], ids=lambda block: block.place)
def test_a_block_that_does_not_run_has_no_syntax_error(block: Block) -> None:
    if block.language == "python":
        compile(block.text, block.place, "exec")
        return
    result = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr


def test_packages_that_documents_install_exist() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    locked = {package["name"] for package in tomllib.loads((ROOT / "uv.lock").read_text("utf-8"))["package"]}
    requirement = re.compile(r"([a-z0-9-]+)(?:\[([a-z,]+)\])?")
    commands = [line for block in BLOCKS for line in block.text.splitlines() if "pip install " in line]
    assert commands
    for command in commands:
        arguments = shlex.split(command.partition("pip install ")[2].partition("&&")[0], comments=True)
        for given in arguments:
            found = requirement.fullmatch(given)
            assert found is not None, command
            name, extras = found[1], found[2] or ""
            assert name in locked | {"uv"}, command
            for extra in filter(None, extras.split(",")):
                assert name == project["name"], command
                assert extra in project["optional-dependencies"], command


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "json"], ids=lambda block: block.place)
def test_a_line_has_the_keys_the_receiver_writes_in_its_order(block: Block) -> None:
    line = json.loads(block.text)
    keys = list(CloudEvent.__struct_fields__)
    assert [key for key in line if key not in keys] == []
    assert list(line) == [key for key in keys if key in line]
    body = json.dumps(line["data"], separators=(",", ":"))
    assert line["contentrange"] == f"bytes 0-{len(body) - 1}/{len(body)}"


def test_both_sides_of_a_difference_run() -> None:
    texts = [block.text.splitlines() for block in BLOCKS if block.language == "diff"]
    sides = [[line[1:] for line in lines if line.startswith(sign)] for lines in texts for sign in "-+"]
    assert all(sides)
    for code in {"\n".join(lines) for lines in sides}:
        subprocess.run([sys.executable, "-c", code], check=True, timeout=RUN_SECONDS)


@pytest.mark.parametrize("block", [b for b in BLOCKS if b.language == "yaml"], ids=lambda block: block.place)
def test_a_yaml_block_is_read_by_its_reader(block: Block, tmp_path: Path) -> None:
    document: dict[str, Any] = yaml.safe_load(block.text)
    path = tmp_path / "document.yml"
    path.write_text(block.text, "utf-8")
    if "data_collector" in document:
        assert read_deployment(path).collections
    elif "environment_variables" in document:
        whole = yaml.safe_load((ROOT / "deploy/managed-endpoint/deployment.yml").read_text("utf-8"))
        assert document.keys() <= whole.keys(), "a part of the deployment YAML"
        assert all(isinstance(value, str) for value in document["environment_variables"].values())
    elif "scrape_configs" in document:
        shutil.copy(ROOT / "deploy" / "prometheus-rules.yaml", tmp_path)
        subprocess.run([program("promtool"), "check", "config", str(path)], check=True, timeout=RUN_SECONDS)
    else:
        config = receiver_config.load(path, {})
        assert all(hasattr(config, key) for key in document)


def test_the_files_of_the_page_on_destinations_pass_the_check(tmp_path: Path) -> None:
    """Checks the files only: the command on that page needs a storage account."""
    deployment, receiver = (block.text for block in blocks_of("docs/guides/destinations.md", "yaml")[:2])
    (tmp_path / "deployments").mkdir()
    (tmp_path / "deployments" / "blue.yml").write_text(deployment, "utf-8")
    (tmp_path / "receiver.yaml").write_text(receiver, "utf-8")
    command = [sys.executable, "-m", "otel_modeldata_receiver", "check", "deployments/blue.yml", "receiver.yaml"]
    environment = _environment() | {"AZURE_STORAGE_ACCOUNT_URL": "https://account.blob.core.windows.net"}
    result = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=RUN_SECONDS, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


def test_every_page_with_our_commands_runs_some() -> None:
    """At least the quickstart, README and the guides for one machine: marks must not exclude a whole page."""
    running = {block.document for block in BLOCKS if block.language == "sh" and not block.not_run}
    assert {"README.md", "docs/quickstart.md", "docs/guides/audit.md", "docs/guides/no-server.md"} <= running

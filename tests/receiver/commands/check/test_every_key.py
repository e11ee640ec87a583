"""Every key of the two files, one after the other, with a wrong value."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from otel_modeldata.validation.problems import child, item
from otel_modeldata_receiver.commands.check.run import check_files

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DEPLOYMENT = """\
endpoint_name: credit
name: blue
data_collector:
  sampling_rate: 0.5
  rolling_rate: Hour
  request_logging:
    capture_headers:
      - x-tenant
  collections:
    request:
      enabled: true
    model.inputs:
      enabled: 'True'
      sampling_rate: 0.5
      rolling_rate: Day
      client_id: c
      data:
        name: asset
        path: azureml://datastores/lake/paths/x
        version: '1'
"""
RECEIVER = """\
listen: 127.0.0.1:4317
store: /x
rolling_rate: Hour
instance_id: 0123456789abcdef0123456789abcdef
linger_ms: 5
max_in_flight_bytes: 300000000
max_message_bytes: 80000000
deadline_seconds: 25
grace_seconds: 20
create_container: false
tls:
  cert_file: a
  key_file: b
  client_ca_file: c
  clients:
    spiffe://corp/a.b:
      - credit/*
http_listen: 127.0.0.1:4318
old_protocol_listen: 127.0.0.1:50011
old_protocol:
  endpoint: a
  deployment: b
  resource_id: c
spans: all
store_access:
  identity:
    client_id: x
deployments:
  - /deployments
datastores:
  lake:
    url: az://x
    sas_file: y
workspace:
  subscription_id: a
  resource_group: b
  name: c
assets: true
"""


def keys_of(text: str) -> list[tuple[str, tuple[str | int, ...]]]:
    """Every key and list entry of a YAML text: its path, and the steps to it."""

    def walk(value: Any, path: str, steps: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
        entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
        for key, entry in entries:
            here = child(path, key) if isinstance(value, dict) else item(path, key)
            yield here, (*steps, key)
            yield from walk(entry, here, (*steps, key))

    return list(walk(yaml.safe_load(text), "", ()))


def replaced(document: Any, steps: tuple[str | int, ...], value: object) -> Any:
    changed = copy.deepcopy(document)
    inner = changed
    for step in steps[:-1]:
        inner = inner[step]
    inner[steps[-1]] = value
    return changed


@pytest.mark.parametrize(
    ("kind", "text", "path_of_key", "steps"),
    [
        pytest.param(kind, text, path_of_key, steps, id=path_of_key)
        for kind, text in (("deployment", DEPLOYMENT), ("receiver", RECEIVER))
        for path_of_key, steps in keys_of(text)
    ],
)
def test_a_wrong_value_of_any_key_is_reported_with_this_key_and_its_line(
    path: Path, kind: str, text: str, path_of_key: str, steps: tuple[str | int, ...]
) -> None:
    document = yaml.safe_load(text)
    wrong = 7 if isinstance(at(document, steps), dict | list) else ["wrong"]
    written = yaml.safe_dump(replaced(document, steps, wrong), sort_keys=False)
    path.write_text(written)
    (checked,) = check_files([path], kind)  # type: ignore[arg-type]
    (line,) = {finding.line for finding in checked.problems if finding.about.path == path_of_key}
    assert line is not None
    shown = written.splitlines()[line - 1].strip().replace("'", "")
    assert shown.startswith("- - wrong" if isinstance(steps[-1], int) else f"{steps[-1]}:")


@pytest.mark.parametrize(("kind", "text"), [("deployment", DEPLOYMENT), ("receiver", RECEIVER)])
def test_an_unknown_key_anywhere_is_reported_with_its_line(path: Path, kind: str, text: str) -> None:
    document = yaml.safe_load(text)
    mappings = [steps for _, steps in keys_of(text) if isinstance(at(document, steps), dict)]
    free = {"collections", "clients", "datastores"}  # their keys are names that the user chooses
    for steps in mappings:
        if steps[-1] in free:
            continue
        written = yaml.safe_dump(replaced(document, (*steps, "unknown_key"), 1), sort_keys=False)
        path.write_text(written)
        (checked,) = check_files([path], kind)  # type: ignore[arg-type]
        expected = (
            path_of((*steps, "unknown_key")),
            written.splitlines().index(next(line for line in written.splitlines() if "unknown_key" in line)) + 1,
        )
        assert expected in {(finding.about.path, finding.line) for finding in checked.problems}, steps


def at(document: Any, steps: tuple[str | int, ...]) -> Any:
    for step in steps:
        document = document[step]
    return document


def path_of(steps: tuple[str | int, ...]) -> str:
    path = ""
    for step in steps:
        path = item(path, step) if isinstance(step, int) else child(path, step)
    return path

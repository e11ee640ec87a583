"""`otel-modeldata check`: every problem with its line, and warnings about settings that cause problems elsewhere."""

from __future__ import annotations

import copy
import json
import os
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from otel_modeldata.environment import read_environment
from otel_modeldata.validation.problems import child, item
from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.check.run import check_files
from otel_modeldata_receiver.commands.check.yaml_lines import YamlLines

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[3]
NAMES = "endpoint_name: credit\nname: blue\n"
PAIR = "    model_inputs: {enabled: 'True'}\n    model_outputs: {enabled: 'True'}\n"
GOOD = f"{NAMES}data_collector:\n  collections:\n{PAIR}"

Found = list[tuple[str, int | None, str]]


def found(path: Path, text: str, kind: str | None = None) -> Found:
    path.write_text(text, "utf-8")
    (checked,) = check_files([path], kind)  # type: ignore[arg-type]
    return [(one.severity, one.line, one.sentence) for one in checked.findings]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "file.yml"


# S83: the documentation's YAML names Azure's schema and keys that only Azure reads; they are accepted.
def test_the_deployment_yaml_of_azures_documentation_has_no_finding() -> None:
    (checked,) = check_files([ROOT / "deploy/managed-endpoint/deployment.yml"])
    assert (checked.kind, checked.findings) == ("deployment", ())


def test_every_problem_of_a_deployment_is_reported_with_its_line(path: Path) -> None:
    text = (
        "endpoint_name: my/endpoint\n"
        "data_collector:\n"
        "  rolling_rate: Fortnight\n"
        "  sampling_rate: 1.5\n"
        "  colections: {}\n"
        "  collections:\n"
        "    model_inputs:\n"
        "      enabled: maybe\n"
        "    a/b: {}\n"
    )
    problems = [(line, text.split(":")[0]) for severity, line, text in found(path, text) if severity == "problem"]
    assert problems == [
        (1, "endpoint_name"),
        (3, "data_collector.rolling_rate"),
        (4, "data_collector.sampling_rate"),
        (5, "data_collector.colections"),
        (8, "data_collector.collections.model_inputs.enabled"),
        (9, "data_collector.collections.a/b"),
    ]


AZURE = "data_collector."


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        pytest.param(
            GOOD.replace("  collections", "  rolling_rate: Day\n  collections"),
            4,
            f"{AZURE}rolling_rate: Azure ML's monitors read hour folders only, so they find no blobs at rate Day",
            id="a rate that monitors do not read",
        ),
        pytest.param(
            GOOD.replace("  collections", "  rolling_rate: month\n  collections"),
            4,
            f"{AZURE}rolling_rate: Azure ML's monitors read hour folders only, so they find no blobs at rate month, "
            "and azure-ai-ml refuses this value",
            id="a rate that azure-ai-ml refuses",
        ),
        pytest.param(
            GOOD.replace("  collections", "  sampling_rate: 0.0\n  collections"),
            4,
            f"{AZURE}sampling_rate: 0 collects nothing here, but Azure's own SDK treats 0 as everything",
            id="nothing is sampled",
        ),
        pytest.param(
            GOOD.replace("  collections", "  sampling_rate: 0.5\n  collections"),
            4,
            f"{AZURE}sampling_rate: samples by correlation id, so it needs ids that differ per request: requests that "
            "share one are collected all or not at all",
            id="a share is sampled",
        ),
        pytest.param(
            GOOD.replace("model_inputs: {", "model_inputs: {sampling_rate: 1, "),
            5,
            f"{AZURE}collections.model_inputs.sampling_rate: azure-ai-ml has one sampling_rate for all, in "
            "data_collector, and refuses this",
            id="a rate of one collection",
        ),
        pytest.param(
            GOOD.replace(PAIR, "    request: {enabled: 'True'}\n"),
            4,
            f"{AZURE}collections: only payload logging is listed, so 'custom logging is not enabled' and every "
            "Collector in score.py raises; list the collections of score.py, too, if it has any",
            id="only payload logging",
        ),
        pytest.param(
            GOOD + "    other: {enabled: 'True'}\n",
            7,
            f"{AZURE}collections.other: Azure ML's monitoring recognizes only model_inputs and model_outputs by "
            "themselves",
            id="a name of its own",
        ),
        pytest.param(
            GOOD.replace("    model_outputs: {enabled: 'True'}\n", ""),
            5,
            f"{AZURE}collections.model_inputs: Azure ML's default monitor needs model_inputs and model_outputs, this "
            "file has only one of them",
            id="half a pair",
        ),
        pytest.param(
            GOOD.replace("'True'", "'False'"),
            4,
            f"{AZURE}collections: none of them is enabled, so nothing is collected",
            id="all are off",
        ),
        pytest.param(
            GOOD + "    request: {data: {name: a}}\n",
            7,
            f"{AZURE}collections.request.enabled: expected true or false, got nothing, so this collection is off, "
            "as in Azure ML: write enabled: 'True'",
            id="a collection that nothing switches on",
        ),
        pytest.param(
            GOOD.replace(
                "data_coll", "environment_variables: {OTEL_EXPORTER_OTLP_ENDPOINT: 'http://x:4318'}\ndata_coll"
            ),
            3,
            "environment_variables.OTEL_EXPORTER_OTLP_ENDPOINT: port 4318 is usually OTLP over HTTP, but records use "
            "OTLP over gRPC, usually on port 4317",
            id="the port of another protocol",
        ),
        pytest.param(
            GOOD.replace("inputs: {", "inputs: {data: {version: 1}, "),
            5,
            f"{AZURE}collections.model_inputs.data.version: azure-ai-ml accepts text only, write '1' in quotes",
            id="an unquoted version",
        ),
        pytest.param(
            f"{GOOD}    request: {{enabled: 'True'}}\n  request_logging:\n    capture_headers: [x-a, Authorization]\n",
            9,
            f"{AZURE}request_logging.capture_headers[1]: 'Authorization' is a credential, and every reader of the "
            "store can read it",
            id="a credential in the store",
        ),
        pytest.param(
            f"{GOOD}  request_logging:\n    capture_headers: [x-a]\n",
            8,
            f"{AZURE}request_logging.capture_headers: headers are captured with request and response, and neither is "
            "listed in collections",
            id="headers of nothing",
        ),
        pytest.param(
            GOOD.removeprefix("endpoint_name: credit\n"),
            None,
            "endpoint_name: expected in this file, got nothing: the names are then read from "
            "OTEL_RESOURCE_ATTRIBUTES, else from service.name, else they are 'local' and 'default'",
            id="a deployment without a name",
        ),
    ],
)
def test_a_setting_that_causes_problems_in_azure_is_a_warning(
    path: Path, text: str, line: int | None, sentence: str
) -> None:
    assert found(path, text) == [("warning", line, sentence)]


# S3: the documentation allows five collectors; neither Azure's SDK nor this one counts them.
def test_more_than_five_collections_are_a_warning(path: Path) -> None:
    text = GOOD + "".join(f"    extra{n}: {{}}\n" for n in range(4))
    assert found(path, text)[0] == (
        "warning",
        4,
        "data_collector.collections: Azure's documentation allows 5 collections, this file has 6",
    )


@pytest.mark.parametrize("enabled", ["'True'", "true", "'False'", "yes"])
def test_enabled_may_be_written_in_any_way_that_yaml_and_azure_know(path: Path, enabled: str) -> None:
    assert (
        found(path, GOOD.replace("model_outputs: {enabled: 'True'", f"other: {{enabled: {enabled}"))[0][0] == "warning"
    )


@pytest.mark.parametrize(
    ("text", "line", "sentence"),
    [
        pytest.param(
            GOOD + "    Model_Inputs: {}\n",
            7,
            "data_collector.collections.Model_Inputs: expected names that differ in more than case, got this one "
            "and 'model_inputs': remove one of them",
            id="names equal up to case",
        ),
        pytest.param(
            GOOD + "    model_inputs: {enabled: 'False'}\n",
            7,
            "data_collector.collections.model_inputs: expected each key once, got it in line 5 and in line 7: remove "
            "one of them",
            id="a key twice",
        ),
        pytest.param(
            GOOD.replace(
                "data_coll", "environment_variables: {OTEL_EXPORTER_OTLP_ENDPOINT: 'gateway:4317'}\ndata_coll"
            ),
            3,
            "environment_variables.OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT "
            "for TLS, got 'gateway:4317': write the scheme, or set OTEL_EXPORTER_OTLP_INSECURE to true for plain text "
            "or false for TLS",
            id="an endpoint without a scheme",
        ),
    ],
)
def test_wrong_values_that_the_parser_accepts_are_problems(path: Path, text: str, line: int, sentence: str) -> None:
    assert ("problem", line, sentence) in found(path, text)


def test_the_condition_of_sampling_is_named_once_in_a_file(path: Path) -> None:
    text = GOOD.replace("puts: {", "puts: {sampling_rate: '0.1', ").replace("  coll", "  sampling_rate: 1e-3\n  coll")
    named = [line for _, line, sentence in found(path, text) if "samples by correlation id" in sentence]
    assert named == [4]


def test_findings_fit_the_columns_of_a_terminal_and_are_whole_in_a_pipe(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(path.parent)
    path.write_text(GOOD.replace("'True'", "maybe") + "    other: {data: {path: /mnt/x, version: 1}}\n")
    monkeypatch.delenv("COLUMNS", raising=False)
    _, whole = run(capsys, path.name)
    monkeypatch.setenv("COLUMNS", "80")
    _, wrapped = run(capsys, path.name)
    assert max(map(len, whole.splitlines())) > 80
    assert max(map(len, wrapped.splitlines())) <= 80
    assert "".join(wrapped.split()) == "".join(whole.split())


def test_a_data_path_outside_datastores_is_a_problem(path: Path) -> None:
    ((severity, line, sentence),) = found(path, GOOD.replace("inputs: {", "inputs: {data: {path: /mnt/x}, "))
    assert (severity, line) == ("problem", 5)
    assert sentence.startswith("data_collector.collections.model_inputs.data.path: expected a path like azureml://")


def test_a_datastore_missing_in_the_receivers_configuration_is_a_warning(tmp_path: Path) -> None:
    deployment, receiver = tmp_path / "deployment.yml", tmp_path / "receiver.yml"
    paths = {"inputs": "azureml://datastores/mine/paths/a", "outputs": "azureml://datastores/other/paths/b"}
    text = GOOD
    for name, target in paths.items():
        text = text.replace(f"{name}: {{", f"{name}: {{data: {{path: '{target}'}}, ")
    deployment.write_text(text)
    receiver.write_text(f"store: {tmp_path}\ndatastores: {{mine: {tmp_path}}}\n")
    alone, beside = check_files([deployment]), check_files([deployment, receiver])
    assert alone[0].findings == ()
    assert [(one.severity, one.line, one.sentence) for checked in beside for one in checked.findings] == [
        (
            "warning",
            6,
            (
                "data_collector.collections.model_outputs.data.path: the datastore 'other' is not among those of the "
                "receiver's configuration"
            ),
        )
    ]


def test_every_problem_of_a_receiver_is_reported_with_its_line(path: Path) -> None:
    text = "listen: 4327\nstore: ftp://x\nmax_in_flight_bytes: 1\nstroe: x\n"
    assert [(severity, line, text.split(":")[0]) for severity, line, text in found(path, text)] == [
        ("problem", 1, "listen"),
        ("problem", 3, "max_in_flight_bytes"),
        ("problem", 4, "stroe"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "start"),
    [
        pytest.param("store: ftp://x\n", 1, "problem store: expected a store URL that starts", id="unknown store"),
        pytest.param(
            "tls: {cert_file: /no/c, key_file: /no/k}\nstore: /x\n", 1, "problem tls.cert_file: expected a PEM"
        ),
        pytest.param("store: /x\ndeployments: [/no/where]\n", 2, "problem deployments: ", id="no deployment file"),
        pytest.param("listen: 0.0.0.0:4327\nstore: /x\n", 1, "problem listen: expected an address of this machine"),
        pytest.param(
            "listen: 0.0.0.0:4327\nallow_insecure: true\nstore: /x\n", 1, "warning listen: 0.0.0.0:4327 is open to the"
        ),
        pytest.param("store: ./x\n", 1, "warning store: './x' is relative to the folder in which"),
        pytest.param("store: /x\nrolling_rate: Day\n", 2, "warning rolling_rate: Azure ML's monitors read hour"),
        pytest.param("store: /x\nmax_message_bytes: 4194304\n", 2, "warning max_message_bytes: the gateway's"),
        pytest.param("store: /x\ndeadline_seconds: 40\n", 2, "warning deadline_seconds: the gateway gives up after 30"),
        pytest.param("store: az://data/prod\n", 1, "warning store: expected AZURE_STORAGE_CONNECTION_STRING or"),
    ],
)
def test_a_receivers_file_is_checked_as_the_receiver_reads_it(
    path: Path, text: str, line: int, start: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AZURE_STORAGE_CONNECTION_STRING", raising=False)
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_URL", raising=False)
    seen = [(number, f"{severity} {sentence}") for severity, number, sentence in found(path, text)]
    assert [(number, sentence[: len(start)]) for number, sentence in seen][:1] == [(line, start)]


def test_a_good_receiver_file_has_no_finding(path: Path, tmp_path: Path) -> None:
    assert found(path, f"listen: 127.0.0.1:4327\nstore: {tmp_path}\n") == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: 1\n", "expected a deployment YAML with data_collector, or settings of a receiver (listen, store, ...)"),
        ("", "expected a deployment YAML with data_collector, or settings of a receiver (listen, store, ...)"),
        ("a: [1\nb: 2", "expected YAML, got while parsing a flow sequence"),
    ],
)
def test_a_file_that_is_neither_is_a_problem(path: Path, text: str, sentence: str) -> None:
    ((severity, _, said),) = found(path, text)
    assert (severity, said[: len(sentence)]) == ("problem", sentence)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_a_problem(path: Path, content: bytes | None) -> None:
    if content is not None:
        path.write_bytes(content)
    (checked,) = check_files([path])
    assert [one.sentence.split(", got")[0] for one in checked.problems] == ["expected a YAML file in UTF-8"]


def test_a_folder_is_a_problem(tmp_path: Path) -> None:
    (checked,) = check_files([tmp_path])
    assert [one.sentence for one in checked.problems] == ["expected a YAML file, got a folder: name its files"]


@pytest.mark.slow
def test_yaml_that_nests_too_deep_is_a_problem(path: Path) -> None:
    ((severity, _, said),) = found(path, "a: " + "[" * 5000 + "]" * 5000)
    assert (severity, said) == ("problem", "expected YAML, got too many nested levels: nest it less")


def test_nested_aliases_are_followed_up_to_a_limit(path: Path) -> None:
    text = "a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
    for above, name in pairwise("abcdefghij"):
        text += f"{name}: &{name} [{', '.join([f'*{above}'] * 9)}]\n"
    assert {line for _, line, _ in found(path, text, "receiver")} >= {1, 2, 3}


def test_the_kind_can_be_forced(path: Path) -> None:
    assert found(path, "stroe: x\n", "receiver")[0][2].startswith("stroe: unknown key, did you mean 'store'?")
    assert found(path, "stroe: x\n", "deployment")[0][2].startswith("data_collector: expected a mapping")


def test_a_line_is_found_through_aliases_and_lists() -> None:
    lines = YamlLines("a: &x\n  b: 1\nc:\n  - *x\n  - {d: 2}\nself: &s\n  again: *s\n")
    assert [lines.of(path) for path in ("a.b", "c[1].d", "c[0].b", "self.again.again", "c[9]", "d", "")] == [
        2,
        5,
        2,
        7,
        3,
        None,
        None,
    ]


def test_a_key_with_dots_is_one_key() -> None:
    lines = YamlLines("a:\n  b: 1\na.b: 2\n'it''s': 3\n")
    assert (lines.repeated, [lines.of(path) for path in ("a.b", "['a.b']", child("", "it's"))]) == ({}, [2, 3, 4])


# --- every key of the two files, one after the other, with a wrong value ------------------------------------

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


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    try:
        code = main.main(["check", *arguments])
    except SystemExit as end:
        code = int(str(end.code))
    return code, capsys.readouterr().out


def test_the_command_prints_a_line_for_each_finding_as_compilers_do(
    path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path.write_text(GOOD.replace("blue", "../blue").replace("  coll", "  rolling_rate: Day\n  coll"))
    code, out = run(capsys, str(path), str(ROOT / "deploy/managed-endpoint/deployment.yml"))
    assert code == 1
    name, rate, good = out.splitlines()
    assert name.startswith(f"{path}:2: problem: name: expected 1 to 128 characters")
    assert rate.startswith(f"{path}:4: warning: data_collector.rolling_rate: ")
    assert good.endswith("deployment.yml: no problem in this deployment file")


def test_warnings_alone_exit_with_zero(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path.write_text(GOOD + "    other: {enabled: 'True'}\n")
    code, out = run(capsys, "--json", str(path))
    assert code == 0
    assert json.loads(out) == {
        "files": [
            {
                "file": str(path),
                "kind": "deployment",
                "findings": [
                    {
                        "severity": "warning",
                        "line": 7,
                        "sentence": "data_collector.collections.other: Azure ML's monitoring recognizes only "
                        "model_inputs and model_outputs by themselves",
                    }
                ],
            }
        ]
    }


def test_a_command_line_without_files_is_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys)[0] == 2


@pytest.mark.parametrize(
    ("variables", "code", "lines"),
    [
        (
            {},
            0,
            ["configuration: defaults", "collects: every collection at 100 %", "sends to: http://localhost:4317"],
        ),
        (
            {"OTEL_MODELDATA_STORE": "https://account.blob.core.windows.net/data?sig=secret"},
            0,
            [
                "configuration: defaults",
                "collects: every collection at 100 %",
                "writes to: https://account.blob.core.windows.net/data, in the same process",
            ],
        ),
        (
            {
                "AZUREML_MDC_ENABLED": "false",
                "OTEL_EXPORTER_OTLP_ENDPOINT": "https://gateway:4317",
                "OTEL_EXPORTER_OTLP_HEADERS": "authorization=secret",
                "OTEL_MODELDATA_SPOOL": "/var/spool/x",
            },
            0,
            [
                "configuration: AZUREML_MDC_ENABLED",
                "collects: nothing",
                "sends to: https://gateway:4317",
                "headers: authorization",
                "spool: /var/spool/x",
            ],
        ),
        (
            {"OTEL_MODELDATA_CONFG": "x", "OTEL_MODELDATA_SPOOL_BYTES": "9", "OTEL_MODELDATA_GATEWAY_QUEUE_BYTES": "9"},
            0,
            [
                "configuration: defaults",
                "collects: every collection at 100 %",
                "sends to: http://localhost:4317",
                ("warning: OTEL_MODELDATA_CONFG: this variable is not read; did you mean OTEL_MODELDATA_CONFIG?"),
            ],
        ),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "gateway", "OTEL_MODELDATA_QUEUE_BYTES": "many"},
            1,
            [
                "configuration: defaults",
                "collects: every collection at 100 %",
                "problem: OTEL_MODELDATA_QUEUE_BYTES: expected bytes above 0, got 'many'",
                (
                    "problem: OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, or https://HOST:PORT for TLS, "
                    "got 'gateway': write the scheme, or set OTEL_EXPORTER_OTLP_INSECURE to true for plain text or "
                    "false for TLS"
                ),
            ],
        ),
    ],
)
def test_the_environment_is_shown_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variables: Mapping[str, str],
    code: int,
    lines: list[str],
) -> None:
    without_variables(monkeypatch)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run(capsys, "--environment") == (code, "".join(f"environment: {line}\n" for line in lines))


def test_the_environment_names_the_collections_of_its_file(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    without_variables(monkeypatch)
    path.write_text(GOOD.replace("  coll", "  sampling_rate: 0.29\n  coll") + "    extra: {enabled: no}\n")
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(path))
    code, out = run(capsys, "--environment", "--json")
    assert (code, json.loads(out)["environment"]) == (
        0,
        {
            "configuration": f"OTEL_MODELDATA_CONFIG={path}",
            "collects": "model_inputs at 29 %, model_outputs at 29 %",
            "sends to": "http://localhost:4317",
            "problems": [],
            "warnings": [],
        },
    )


def test_the_problems_of_a_file_and_of_variables_are_all_reported(path: Path) -> None:
    path.write_text("data_collector: {collections: {}, x: 1}\n")
    environment = read_environment({"OTEL_MODELDATA_CONFIG": str(path), "OTEL_EXPORTER_OTLP_TIMEOUT": "soon"})
    assert tuple(map(str, environment.problems)) == (
        (
            f"OTEL_MODELDATA_CONFIG={path}: data_collector.x: unknown key, "
            "expected one of collections, sampling_rate, rolling_rate, "
            "request_logging"
        ),
        "OTEL_EXPORTER_OTLP_TIMEOUT: expected seconds above 0, got 'soon'",
    )


def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AZUREML_MDC_")):
            monkeypatch.delenv(name)

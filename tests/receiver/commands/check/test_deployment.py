"""Findings about a deployment YAML: every problem with its line, and settings that cause problems in Azure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from checked_files import GOOD, PAIR, ROOT, found, run

from otel_modeldata_receiver.commands.check.run import check_files

if TYPE_CHECKING:
    from pathlib import Path


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
            GOOD + "    requst: {enabled: 'True'}\n",
            7,
            f"{AZURE}collections.requst: did you mean 'request'? Azure ML's monitoring recognizes only model_inputs "
            "and model_outputs by themselves",
            id="a name that is misspelled",
        ),
        pytest.param(
            GOOD + "    model_input: {enabled: 'True'}\n",
            7,
            f"{AZURE}collections.model_input: Azure ML's monitoring recognizes only model_inputs and model_outputs by "
            "themselves",
            id="a name beside the one that it resembles",
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

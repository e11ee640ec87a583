"""The command `otel-modeldata check`: findings as compilers print them, and the environment without its secrets."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from checked_files import GOOD, ROOT, run

from otel_modeldata.environment import read_environment

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


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

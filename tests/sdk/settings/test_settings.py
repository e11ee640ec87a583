"""Every environment variable of the SDK: one table, read in one place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from otel_modeldata import Collector
from otel_modeldata._settings.delivery import DeliverySettings
from otel_modeldata._settings.otlp_endpoint import Endpoint
from otel_modeldata._settings.payload import PayloadSettings
from otel_modeldata._settings.sender import load_sender
from otel_modeldata._settings.store import load_store
from otel_modeldata.config import CollectorConfig
from otel_modeldata.environment import VARIABLES, Environment, Settings, read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.validation.problems import Problem

SDK = Path(__file__).parents[3] / "sdk/otel_modeldata"
NAMES = {variable.name for variable in VARIABLES}
FOLDERS = ("OTEL_MODELDATA_STORE", "OTEL_MODELDATA_SPOOL", "OTEL_MODELDATA_REPORT", "OTEL_SERVICE_NAME")
"""Any text is a path, or a name."""


def test_without_variables_everything_has_a_default() -> None:
    assert Settings.from_env({}) == Settings(
        config=CollectorConfig(),
        destination=Endpoint(target="localhost:4317"),
        delivery=DeliverySettings(),
        payload=PayloadSettings(),
        sender=load_sender(CollectorConfig(), {}),
    )


def test_one_error_lists_the_problems_of_every_file_and_variable(tmp_path: Path) -> None:
    path = tmp_path / "deployment.yml"
    path.write_text("data_collector: {collections: {a: {enabled: perhaps}}, sampling_rate: 2}\n")
    with pytest.raises(ConfigError) as raised:
        Settings.from_env(
            {
                "OTEL_MODELDATA_CONFIG": str(path),
                "OTEL_MODELDATA_BATCH_MS": "soon",
                "OTEL_MODELDATA_PAYLOAD_BYTES": "10MB",
                "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "0",
            }
        )
    source = f"OTEL_MODELDATA_CONFIG={path}"
    assert raised.value.problems == (
        Problem("data_collector.collections.a.enabled", "expected true or false, got 'perhaps'", source),
        Problem("data_collector.sampling_rate", "expected a number from 0 to 1, got 2", source),
        Problem("OTEL_MODELDATA_BATCH_MS", "expected 0 to 10000 milliseconds, got 'soon'"),
        Problem("OTEL_MODELDATA_PAYLOAD_BYTES", "expected bytes from 0 to 62914560, got '10MB'"),
        Problem("OTEL_EXPORTER_OTLP_LOGS_TIMEOUT", "expected seconds above 0, got '0'"),
    )
    assert str(raised.value) == (
        f"{source}: data_collector.collections.a.enabled: expected true or false, got 'perhaps'; "
        "data_collector.sampling_rate: expected a number from 0 to 1, got 2; "
        "OTEL_MODELDATA_BATCH_MS: expected 0 to 10000 milliseconds, got 'soon'; "
        "OTEL_MODELDATA_PAYLOAD_BYTES: expected bytes from 0 to 62914560, got '10MB'; "
        "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT: expected seconds above 0, got '0'"
    )


def test_diagnostic_tools_read_the_same_settings(tmp_path: Path) -> None:
    environ = {"OTEL_MODELDATA_SPOOL": str(tmp_path), "OTEL_MODELDATA_SPOL": "x", "OTEL_MODELDATA_BATCH_MS": "0"}
    settings = Settings.from_env(environ)
    read = read_environment(environ)
    assert read == Environment(
        config=settings.config,
        config_origin="defaults",
        store=None,
        endpoint=Endpoint(target="localhost:4317"),
        delivery=settings.delivery,
        payload=settings.payload,
        sender=settings.sender,
        problems=(),
        warnings=(),
        misspelled=(Problem("OTEL_MODELDATA_SPOL", "this variable is not read; did you mean OTEL_MODELDATA_SPOOL?"),),
    )
    assert read.spool == tmp_path


def test_a_secret_in_the_url_of_a_store_is_in_no_repr() -> None:
    environ = {"OTEL_MODELDATA_STORE": "https://account.blob.core.windows.net/c?sig=s3cret"}
    assert "s3cret" not in f"{Settings.from_env(environ)} {read_environment(environ)}"


@pytest.mark.parametrize(
    ("text", "store"),
    [
        ("./here", str(Path.cwd() / "here")),
        (" '~/x'\n", str(Path.home() / "x")),
        ('"az://container/prefix"', "az://container/prefix"),
        ("az:/container", "az:/container"),
        ('""', None),
    ],
)
def test_a_store_is_a_folder_or_what_the_receiver_reads(text: str, store: str | None) -> None:
    assert load_store({"OTEL_MODELDATA_STORE": text}) == store


def test_an_empty_store_is_none() -> None:
    assert Settings.from_env({"OTEL_MODELDATA_STORE": "''"}).destination == Endpoint(target="localhost:4317")


def test_a_store_that_no_shell_has_filled_in_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_STORE", "$DATA/x")
    (problem,) = read_environment().problems
    assert problem == Problem(
        "OTEL_MODELDATA_STORE",
        "expected a folder or a store URL, got '$DATA/x', a variable that no shell has replaced: write the whole path",
    )


def test_a_collector_reads_the_environment_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    collector = Collector(name="a")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "gateway")
    settings = collector._settings
    assert isinstance(settings, Settings)
    assert settings.destination == Endpoint(target="localhost:4317")
    with pytest.raises(ConfigError):
        Collector(name="b")


def test_every_variable_in_the_code_is_in_the_table() -> None:
    named = {
        name
        for path in SDK.rglob("*.py")
        for name in re.findall(r'"((?:OTEL_MODELDATA|OTEL_EXPORTER_OTLP|AZUREML_MDC)_[A-Z_]+[A-Z])"', path.read_text())
    }
    assert named <= NAMES


def test_every_variable_is_explained() -> None:
    assert len(NAMES) == len(VARIABLES)
    assert all(variable.unit and variable.default and variable.meaning for variable in VARIABLES)


@pytest.mark.parametrize("name", sorted(NAMES - {"OTEL_EXPORTER_OTLP_HEADERS", *FOLDERS}))
@pytest.mark.parametrize(
    "secret", ["glc_eyJvIjoiS3cr3tS3cr3t9", "-----BEGIN PRIVATE KEY-----\nS3cr3t\n-----END PRIVATE KEY-----\n"]
)
def test_a_secret_in_the_wrong_variable_is_in_no_message(name: str, secret: str) -> None:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": "https://localhost:1", "AZUREML_MDC_ENABLED": "true", name: secret}
    read = read_environment(environ)
    assert "S3cr3t" not in f"{[*map(str, read.problems), *map(str, read.warnings)]}"


def test_a_misspelled_variable_is_found_whoever_named_it() -> None:
    meant = {
        "OTEL_EXPORTER_OTLP_ENDPONT": "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OLTP_HEADERS": "OTEL_EXPORTER_OTLP_HEADERS",
        "OTEL_EXPORTER_OTLP_LOG_ENDPOINT": "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        "OTEL_RESOURCE_ATTRIBUTE": "OTEL_RESOURCE_ATTRIBUTES",
        "AZUREML_MDC_CONFIG_PATHS": "AZUREML_MDC_CONFIG_PATH",
    }
    others = (
        *(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT",
            "OTEL_EXPORTER_OTLP_SPAN_INSECURE",
        ),
        *("OTEL_LOGS_EXPORTER", "OTEL_TRACES_SAMPLER", "OTEL_SDK_DISABLED", "OTEL_EXPORTER_ZIPKIN_ENDPOINT"),
        *("OTEL_PYTHON_LOG_LEVEL", "OTEL_METRIC_EXPORT_TIMEOUT", "OTEL_PROPAGATORS", "OTEL_EXPORTER_JAEGER_TIMEOUT"),
        *("OTEL_MODELDATA_GATEWAY_QUEUE_BYTES", "OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"),
    )
    assert read_environment(dict.fromkeys((*meant, *others), "1")).misspelled == tuple(
        Problem(name, f"this variable is not read; did you mean {known}?") for name, known in sorted(meant.items())
    )

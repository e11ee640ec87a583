from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from otel_modeldata import Collector
from otel_modeldata._settings.settings import read_environment
from otel_modeldata.config import Collection, CollectorConfig, DataAsset, config_warnings, load_config, read_deployment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.validation.problems import Problem

if TYPE_CHECKING:
    from pathlib import Path

SEED_YAML = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: blue
endpoint_name: my_endpoint
model: azureml:iris_mlflow_model@latest
environment:
  image: mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu20.04
  conda_file: model/conda.yaml
code_configuration:
  code: scripts
  scoring_script: score.py
instance_type: Standard_F2s_v2
instance_count: 1
data_collector:
  collections:
    model_inputs:
      enabled: 'True'
    model_outputs:
      enabled: 'True'
"""


def _deployment(folder: Path, text: str) -> Path:
    path = folder / "deployment.yml"
    path.write_text(text, "utf-8")
    return path


def texts(error: ConfigError) -> list[str]:
    """Each problem, without the file that it is in."""
    return [str(replace(problem, source="")) for problem in error.problems]


def _block(folder: Path, text: str) -> CollectorConfig:
    return read_deployment(_deployment(folder, "data_collector:\n" + text))


def test_without_any_setting_everything_is_on_at_100_percent() -> None:
    config = load_config({})
    assert config == CollectorConfig()
    assert config.collection("whatever") == Collection(enabled=True)
    assert config.rate_of("whatever") == 1.0
    assert config.collects_frames()


# S24
def test_the_seeds_deployment_yaml_is_read(tmp_path: Path) -> None:
    config = load_config({"OTEL_MODELDATA_CONFIG": str(_deployment(tmp_path, SEED_YAML))})
    assert config == CollectorConfig(
        endpoint="my_endpoint",
        deployment="blue",
        collections={"model_inputs": Collection(), "model_outputs": Collection()},
    )


# S25, S26, S27, S28, S29
def test_every_documented_setting_is_read(tmp_path: Path) -> None:
    config = _block(
        tmp_path,
        """\
  rolling_rate: day
  sampling_rate: 0.29
  request_logging:
    capture_headers: [X-Tenant, x-user]
  collections:
    model_inputs:
      enabled: 'True'
      data:
        name: my_model_inputs_data_asset
        path: azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/model_inputs
        version: 1
    request:
      enabled: false
""",
    )
    assert config == CollectorConfig(
        sampling_rate=0.29,
        rolling_rate="Day",
        capture_headers=("x-tenant", "x-user"),
        collections={
            "model_inputs": Collection(
                data=DataAsset(
                    name="my_model_inputs_data_asset",
                    path="azureml://datastores/workspaceblobstore/paths/modelDataCollector/my_endpoint/blue/model_inputs",
                    version="1",
                )
            ),
            "request": Collection(enabled=False),
        },
    )


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("'True'", True),
        ("'False'", False),
        ("'false'", False),
        ("true", True),
        ("no", False),
        ("'1'", True),
        ("0", False),
    ],
)
def test_enabled_may_be_text(tmp_path: Path, written: str, *, meant: bool) -> None:
    config = _block(tmp_path, f"  collections: {{a: {{enabled: {written}}}}}")
    assert config.collections == {"a": Collection(enabled=meant)}


@pytest.mark.parametrize(
    ("written", "meant"), [("0.29", 0.29), ("'0.29'", 0.29), ("0.005", 0.005), ("0.0", 0.0), ("1", 1.0)]
)
# S26
def test_a_sampling_rate_is_taken_exactly(tmp_path: Path, written: str, meant: float) -> None:
    assert _block(tmp_path, f"  collections: {{a: {{}}}}\n  sampling_rate: {written}").rate_of("a") == meant


def test_names_are_case_insensitive(tmp_path: Path) -> None:
    config = _block(tmp_path, "  collections: {Model_Inputs: {enabled: true}}")
    assert config.collection("model_inputs") == config.collection("MODEL_INPUTS") == Collection()
    assert config.collection("other") is None


def test_payload_logging_alone_enables_no_frames(tmp_path: Path) -> None:
    assert not _block(tmp_path, "  collections: {request: {}, response: {}}").collects_frames()


def test_every_problem_of_a_file_is_named_in_one_error(tmp_path: Path) -> None:
    path = _deployment(
        tmp_path,
        """\
endpoint_name: ../x
data_collector:
  samplingrate: 0.5
  sampling_rate: 29
  rolling_rate: weekly
  request_logging: {capture: [a]}
  collections:
    model_inputs: {enabeld: true, enabled: perhaps}
    a/b: {}
    model_outputs: 5
""",
    )
    with pytest.raises(ConfigError) as raised:
        read_deployment(path)
    name_rule = "1 to 128 characters of A-Z a-z 0-9 . _ -, the first a letter or digit, no '..', no '.' at the end"
    assert sorted(texts(raised.value)) == sorted(
        [
            f"endpoint_name: expected {name_rule}, got '../x'",
            "data_collector.samplingrate: unknown key, did you mean 'sampling_rate'?",
            "data_collector.sampling_rate: expected a number from 0 to 1, got 29",
            "data_collector.rolling_rate: expected one of Minute, Hour, Day, Month, Year, got 'weekly'",
            "data_collector.request_logging.capture: unknown key, did you mean 'capture_headers'?",
            "data_collector.collections.model_inputs.enabeld: unknown key, did you mean 'enabled'?",
            "data_collector.collections.model_inputs.enabled: expected true or false, got 'perhaps'",
            f"data_collector.collections.a/b: expected {name_rule}, got 'a/b'",
            "data_collector.collections.model_outputs: expected a mapping, got 5",
        ]
    )
    assert str(raised.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("a: [", "expected YAML, got "),
        ("- a", "expected a mapping, got a list"),
        ("name: blue", "data_collector: expected a mapping, got nothing"),
        ("data_collector: {}", "data_collector.collections: expected a mapping, got nothing"),
    ],
)
def test_a_file_that_is_not_a_deployment_is_refused(tmp_path: Path, text: str, problem: str) -> None:
    with pytest.raises(ConfigError) as raised:
        read_deployment(_deployment(tmp_path, text))
    assert any(
        f"{found.path}: {found.message}".removeprefix(": ").startswith(problem) for found in raised.value.problems
    )


@pytest.mark.parametrize("variable", ["OTEL_MODELDATA_CONFIG", "AZUREML_MDC_CONFIG_PATH"])
def test_a_missing_file_is_named_with_its_variable(variable: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({variable: "/no/where.yml"})
    assert str(raised.value) == (
        f"{variable}=/no/where.yml: cannot be read: No such file or directory: /no/where.yml; correct the path, or its "
        "permissions"
    )


def test_a_file_of_a_relative_path_is_named_with_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as raised:
        load_config({"OTEL_MODELDATA_CONFIG": "nope.yaml"})
    assert str(raised.value) == (
        f"OTEL_MODELDATA_CONFIG=nope.yaml: cannot be read: No such file or directory: {tmp_path}/nope.yaml; correct "
        "the path, or its permissions"
    )


def _azure_file(folder: Path, content: dict[str, Any]) -> dict[str, str]:
    path = folder / "mdc.json"
    path.write_text(json.dumps(content), "utf-8")
    return {"AZUREML_MDC_CONFIG_PATH": str(path)}


@pytest.mark.parametrize("key", ["sampleRatePercentage", "sampling_percentage"])
def test_both_names_that_azure_writes_for_the_sampling_percentage_are_read(tmp_path: Path, key: str) -> None:
    environ = _azure_file(tmp_path, {"runMode": "cloud", "collections": {"Model_Inputs": {"enabled": True, key: 25}}})
    assert load_config(environ) == CollectorConfig(
        collections={"model_inputs": Collection(enabled=True, sampling_rate=0.25)}
    )


def test_azures_local_run_mode_is_local_capture(tmp_path: Path) -> None:
    environ = _azure_file(tmp_path, {"runMode": "local", "collections": {"a": {"enabled": "False"}}})
    assert load_config(environ) == CollectorConfig(collections={"a": Collection(enabled=False)}, local_capture=True)


def test_an_unknown_key_in_azures_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    environ = _azure_file(
        tmp_path, {"collections": {"a": {"enabled": True, "rate": 5}}, "runmode": "x", "runMode": "up"}
    )
    with pytest.raises(ConfigError) as raised:
        load_config(environ)
    assert sorted(texts(raised.value)) == [
        (
            "collections.a.rate: unknown key, "
            "expected one of enabled, sampleRatePercentage, sampling_percentage, captureHeaders"
        ),
        "runMode: expected one of cloud, local, got 'up'",
        "runmode: unknown key, did you mean 'runMode'?",
    ]


def test_an_azure_file_that_is_not_json_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "mdc.json"
    path.write_text("{", "utf-8")
    with pytest.raises(ConfigError, match=r"mdc\.json: expected JSON, got "):
        load_config({"AZUREML_MDC_CONFIG_PATH": str(path)})


def test_the_legacy_variables_are_read() -> None:
    environ = {
        "AZUREML_MDC_ENABLED": "true",
        "AZUREML_MDC_SAMPLE_RATE": "10",
        "AZUREML_MDC_QUEUE_CAPACITY": "1500",
        "AZUREML_MDC_LOCAL_CAPTURE": "true",
        "AZUREML_MDC_DEBUG": "True",
    }
    assert load_config(environ) == CollectorConfig(
        enabled=True, sampling_rate=0.1, queue_capacity=1500, local_capture=True, debug=True
    )
    assert not load_config({"AZUREML_MDC_ENABLED": "false"}).collects_frames()


@pytest.mark.parametrize("text", ["0", "-5", "1.5", "many", ""])
def test_a_queue_capacity_that_refuses_every_event_is_refused_in_init(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_QUEUE_CAPACITY": text})
    (problem,) = raised.value.problems
    assert problem.path == "AZUREML_MDC_QUEUE_CAPACITY"
    assert problem.message.startswith("expected a whole number above 0, got ")


def test_a_wrong_legacy_variable_is_an_error_that_names_it() -> None:
    with pytest.raises(ConfigError) as raised:
        load_config({"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_SAMPLE_RATE": "150"})
    assert str(raised.value) == "AZUREML_MDC_SAMPLE_RATE: expected a number from 0 to 100, got '150'"


def test_precedence_is_deployment_yaml_then_azures_file_then_variables(tmp_path: Path) -> None:
    environ = _azure_file(tmp_path, {"collections": {"from_azure": {"enabled": True}}})
    environ["AZUREML_MDC_ENABLED"] = "false"
    assert set(load_config(environ).collections or ()) == {"from_azure"}
    environ["OTEL_MODELDATA_CONFIG"] = str(_deployment(tmp_path, SEED_YAML))
    assert set(load_config(environ).collections or ()) == {"model_inputs", "model_outputs"}


def test_an_error_in_a_version_names_its_key(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        _block(tmp_path, "  collections: {a: {data: {version: [1]}}}\n")
    assert raised.value.problems == (
        Problem(
            "data_collector.collections.a.data.version",
            "expected text or a whole number, got a list",
            str(tmp_path / "deployment.yml"),
        ),
    )


def test_text_in_place_of_a_mapping_is_not_repeated_because_it_may_be_a_secret(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        _block(tmp_path, "  collections: s3cret\n  request_logging: s3cret\n")
    assert texts(raised.value) == [
        "data_collector.collections: expected a mapping, got text",
        "data_collector.request_logging: expected a mapping, got text",
    ]


@pytest.mark.parametrize("rate", [".nan", "-0.1", "1.01", "true", ".inf"])
def test_a_rate_is_a_number_from_0_to_1(tmp_path: Path, rate: str) -> None:
    with pytest.raises(ConfigError, match=r"data_collector\.sampling_rate: expected a number from 0 to 1, got "):
        _block(tmp_path, f"  collections: {{}}\n  sampling_rate: {rate}\n")


def test_a_collection_that_nothing_switches_on_is_off_as_in_azure_and_a_warning_says_so(tmp_path: Path) -> None:
    text = "  collections:\n    a: {enabled: 'True'}\n    b: {sampling_rate: 0.5}\n    c:\n    d: {enabled: 'False'}\n"
    config = _block(tmp_path, text)
    assert {name: entry.enabled for name, entry in (config.collections or {}).items()} == {
        "a": True,
        "b": False,
        "c": False,
        "d": False,
    }
    message = "expected true or false, got nothing, so this collection is off, as in Azure ML: write enabled: 'True'"
    assert config_warnings(config) == (
        Problem("data_collector.collections.b.enabled", message),
        Problem("data_collector.collections.c.enabled", message),
    )


def test_a_collection_that_azures_host_does_not_switch_on_is_off_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    environ = _azure_file(tmp_path, {"collections": {"model_inputs": {"sampleRatePercentage": 50}, "b": None}})
    message = 'expected true or false, got nothing, so this collection is off, as in Azure ML: write "enabled": true'
    assert read_environment(environ).warnings == (
        Problem("collections.model_inputs.enabled", message),
        Problem("collections.b.enabled", message),
    )
    monkeypatch.setenv(*environ.popitem())
    Collector(name="model_inputs")
    assert f"collections.model_inputs.enabled: {message}" in caplog.messages


@pytest.mark.parametrize(
    ("second", "reason"),
    [
        (
            "model_inputs",
            "model_inputs: expected each key once, got it in line 3 and in line 4: remove one of them",
        ),
        (
            "Model_Inputs",
            (
                "Model_Inputs: expected names that differ in more than case, got this one and 'model_inputs': remove "
                "one of them"
            ),
        ),
    ],
)
def test_a_collection_that_is_listed_twice_is_refused(tmp_path: Path, second: str, reason: str) -> None:
    text = f"  collections:\n    model_inputs: {{enabled: 'True'}}\n    {second}: {{enabled: 'False'}}\n"
    with pytest.raises(ConfigError) as raised:
        _block(tmp_path, text)
    assert texts(raised.value) == [f"data_collector.collections.{reason}"]


def test_a_key_of_azures_own_that_is_repeated_is_refused_too(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="name: expected each key once, got it in line 1 and in line"):
        read_deployment(_deployment(tmp_path, SEED_YAML.partition("\n")[2] + "name: green\n"))


@pytest.mark.parametrize(
    ("second", "message"),
    [
        ("A", "collections.A: expected names that differ in more than case, got this one and 'a': remove one of them"),
        ("a", "expected JSON, got the key 'a' twice: remove one of them"),
    ],
)
def test_a_collection_that_azures_host_lists_twice_is_refused(tmp_path: Path, second: str, message: str) -> None:
    path = tmp_path / "mdc.json"
    path.write_text(f'{{"collections": {{"a": {{"enabled": true}}, "{second}": {{"enabled": false}}}}}}')
    with pytest.raises(ConfigError) as raised:
        load_config({"AZUREML_MDC_CONFIG_PATH": str(path)})
    assert texts(raised.value) == [message]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("data_collector: {}\ntags: {created: 2024-02-30}\n", "expected YAML, got day is out of range for month"),
        ("x: " + "[" * 2000 + "]" * 2000, "expected YAML, got too many nested levels: nest it less"),
    ],
)
def test_what_the_parser_of_yaml_raises_is_an_error_of_the_configuration(
    tmp_path: Path, text: str, reason: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        read_deployment(_deployment(tmp_path, text))
    assert texts(raised.value) == [reason]


@pytest.mark.parametrize("name", ["OTEL_MODELDATA_CONFIG", "AZUREML_MDC_CONFIG_PATH"])
def test_the_path_of_a_file_is_taken_as_it_was_meant_or_refused(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    document = "data_collector: {collections: {}}" if "MODELDATA" in name else '{"collections": {}}'
    (tmp_path / "file.yml").write_text(document)
    assert load_config({name: " '~/file.yml'\n"}).collections == {}
    with pytest.raises(ConfigError) as raised:
        load_config({name: "$HOME/file.yml"})
    assert str(raised.value) == (
        f"{name}: expected a file, got '$HOME/file.yml', a variable that no shell has replaced: write the whole path"
    )

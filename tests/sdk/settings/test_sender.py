"""Who sends: names for folders are right or refused, a name for traces is made legal."""

from __future__ import annotations

import dataclasses
import logging
import os
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from opentelemetry.sdk.resources import Resource

from otel_modeldata import Collector, semconv
from otel_modeldata._settings.sender import load_sender
from otel_modeldata.config import CollectorConfig
from otel_modeldata.environment import Settings, read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.payload import ASGIMiddleware, WSGIMiddleware
from otel_modeldata.testing import capture
from otel_modeldata.validation.problems import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

FRAME = pd.DataFrame({"a": [1]})
STARTS: list[Callable[[], object]] = [
    lambda: Collector(name="model_inputs"),
    lambda: ASGIMiddleware(lambda *_: None),  # type: ignore[arg-type, return-value]
    lambda: WSGIMiddleware(lambda *_: []),
]
"""Everything that reads the environment at the start of a process."""


def _names(environ: dict[str, str] | None = None, config: CollectorConfig | None = None) -> tuple[str, str]:
    sender = load_sender(config or CollectorConfig(), environ)
    return sender.endpoint, sender.deployment


def test_without_any_name_the_endpoint_is_local_and_the_deployment_default() -> None:
    sender = load_sender(CollectorConfig())
    assert (sender.endpoint, sender.deployment, sender.warnings) == ("local", "default", ())
    assert semconv.AZUREML_ROLLING_RATE not in sender.attributes


@pytest.mark.parametrize(
    ("environ", "names"),
    [
        ({"OTEL_SERVICE_NAME": "scorer"}, ("scorer", "default")),
        ({"OTEL_SERVICE_NAME": ""}, ("local", "default")),
        ({"OTEL_SERVICE_NAME": " "}, ("local", "default")),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=My%20Workflow"}, ("My-Workflow", "default")),
        ({"OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=e, azureml.deployment.name=d"}, ("e", "d")),
        ({"OTEL_SERVICE_NAME": "a/b", "OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=e"}, ("e", "default")),
        ({"OTEL_SERVICE_NAME": "puntuaci\udcf3n"}, ("puntuaci-n", "default")),
    ],
)
def test_names_are_read_from_this_environment_as_from_another(
    environ: dict[str, str], names: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _names(environ) == names
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert _names() == names


def test_precedence_of_names_is_yaml_then_resource_attributes_then_service_name() -> None:
    environ = {
        "OTEL_SERVICE_NAME": "scorer",
        "OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=e,azureml.deployment.name=d,cloud.resource_id=/s/1",
    }
    assert _names(environ) == ("e", "d")
    config = CollectorConfig(endpoint="my_endpoint", deployment="blue", rolling_rate="Day")
    sender = load_sender(config, environ)
    assert sender.attributes == {
        "azureml.endpoint.name": "my_endpoint",
        "azureml.deployment.name": "blue",
        "cloud.resource_id": "/s/1",
        "service.name": "scorer",
        "azureml.data_collector.rolling_rate": "Day",
    }


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("key", ["azureml.endpoint.name", "azureml.deployment.name"])
def test_a_name_that_was_chosen_for_a_folder_and_cannot_be_one_is_refused_at_the_start(
    key: str, start: Callable[[], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"{key}=../other")
    with pytest.raises(ConfigError) as raised:
        start()
    assert raised.value.problems == read_environment().problems
    assert str(raised.value) == (
        f"OpenTelemetry resource (OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES): {key}: expected {semconv.NAME_RULE}, "
        "got '../other'"
    )


def test_a_name_that_was_chosen_for_traces_is_made_legal_with_one_line(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "team 7/fraud")
    for start in STARTS:
        start()
    with capture() as captured:
        Collector(name="model_inputs").collect(FRAME)
    (event,) = captured.events
    assert event.resource["azureml.endpoint.name"] == "team-7-fraud"
    assert event.resource["service.name"] == "team 7/fraud"
    line = (
        "service.name: 'team 7/fraud' cannot be a folder, so events are stored below 'team-7-fraud': to choose another "
        "name, set azureml.endpoint.name in OTEL_RESOURCE_ATTRIBUTES, or endpoint_name in the deployment YAML"
    )
    assert [record.getMessage() for record in caplog.records] == [line]
    assert list(map(str, read_environment().warnings)) == [line]


def test_text_that_is_not_an_attribute_is_counted_and_not_repeated(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "a=1,s3cr3t,b=2,")
    sender = load_sender(CollectorConfig())
    sender = dataclasses.replace(sender.of_this_process(), warnings=sender.warnings)
    assert "s3cr3t" not in caplog.text
    assert (sender.attributes["a"], sender.attributes["b"]) == ("1", "2")
    assert sender.warnings == (
        Problem(
            "OTEL_RESOURCE_ATTRIBUTES",
            "expected name=value pairs separated by commas, got 1 of another form, which are not sent",
        ),
    )


def test_the_names_stay_those_of_init(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Settings.from_env().sender
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=../x,a=1")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "other")
    later = sender.of_this_process()
    assert (later.endpoint, later.deployment, later.attributes["a"], later.pid) == (
        "local",
        "default",
        "1",
        os.getpid(),
    )


@pytest.mark.parametrize("error", [RuntimeError("cannot schedule new futures"), KeyError("x")])
def test_a_resource_that_cannot_be_read_later_does_not_stop_a_collect(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", f"scorer-{type(error).__name__}")
    sender = load_sender(CollectorConfig())

    def fail() -> None:
        raise error

    monkeypatch.setattr(Resource, "create", fail)
    assert sender.of_this_process() is sender


def test_detectors_that_fail_are_an_error_of_init(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "broken")

    def fail() -> None:
        raise KeyError("s3cr3t")

    monkeypatch.setattr(Resource, "create", fail)
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    assert str(raised.value) == (
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS: expected resource detectors that work, got KeyError: correct or unset it"
    )


def test_a_forked_process_gets_the_names_of_its_parent_and_attributes_of_its_own(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "a b")
    sender = load_sender(CollectorConfig(deployment="blue"))
    assert sender.attributes["process.pid"] == os.getpid()
    pid = os.getppid()
    monkeypatch.setattr(os, "getpid", lambda: pid)
    child = dict(sender.of_this_process().attributes)
    mine = dict(sender.attributes)
    for attributes in (child, mine):  # newer versions of OpenTelemetry give each process one
        attributes.pop("service.instance.id", None)
    assert child == {**mine, "process.pid": pid}


def test_values_that_otlp_cannot_carry_are_changed_in_init(monkeypatch: pytest.MonkeyPatch) -> None:
    found = {"text": "caf\udce9 \ud800", "big": 2**70, "list": ("a",), "yes": True, "half": 0.5, "n": -(2**63)}
    monkeypatch.setattr(Resource, "create", lambda: Resource(found))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "unique-for-this-test")
    with capture() as captured:
        Collector(name="model_inputs").collect(FRAME)
    resource = captured.events[0].resource
    assert {key: resource.get(key) for key in found} == {
        **found,
        "text": "caf\ufffd \ufffd",
        "big": str(2**70),
        "list": None,
    }

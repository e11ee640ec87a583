"""Collections that the configuration enables, switches off, samples or prints."""

from __future__ import annotations

import gc
import time
import weakref
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from deployment_block import configure

from otel_modeldata import Collector, semconv
from otel_modeldata.context import BasicCorrelationContext, WrapperContext
from otel_modeldata.exceptions import (
    NotEnabledError,
)
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from pathlib import Path

FRAME = pd.DataFrame({"a": [1, 2]})


def test_a_collection_that_is_not_configured_is_refused_with_azures_text(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(monkeypatch, tmp_path, "  collections: {model_inputs: {}}")
    sentence = "collection model_outputs is not enabled, drop the data"
    with pytest.raises(NotEnabledError, match=f"^{sentence}$"):
        Collector(name="model_outputs")
    errors: list[Exception] = []
    collector = Collector(name="model_outputs", on_error=errors.append)
    collector.collect(FRAME)
    assert [str(error) for error in errors] == [sentence, sentence]


@pytest.mark.parametrize(
    ("listed", "near"),
    [
        ("{model_input: {}, request: {}}", ["model_input"]),
        ("{model_outputs: {}, other: {}}", []),
        ("{other: {}}", []),
    ],
)
def test_a_collection_that_is_not_listed_but_nearly_is_named_once_in_the_log(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    listed: str,
    near: list[str],
) -> None:
    configure(monkeypatch, tmp_path, f"  collections: {listed}")
    for _ in range(2):
        Collector(name="model_inputs", on_error=lambda _: None)
    found = [one for one in caplog.messages if "among the collections" in one]
    assert found == [
        f"OTEL_MODELDATA_CONFIG={tmp_path}/deployment.yml: expected 'model_inputs' among the collections, got {one!r}: "
        "correct one of them"
        for one in near
    ]


def test_payload_logging_alone_refuses_frames_with_azures_text(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(monkeypatch, tmp_path, "  collections: {request: {}, response: {}}")
    with pytest.raises(NotEnabledError, match=r"^custom logging is not enabled, drop the data$"):
        Collector(name="model_inputs")


# S40
def test_a_collection_that_was_switched_off_drops_its_frames_and_never_breaks_scoring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    configure(
        monkeypatch, tmp_path, "  collections: {model_inputs: {enabled: 'False'}, model_outputs: {enabled: 'True'}}"
    )
    monkeypatch.setenv("AZUREML_MDC_DEBUG", "true")
    with capture() as captured:
        context = Collector(name="model_inputs").collect(FRAME)
        Collector(name="model_outputs").collect(FRAME, context)
    assert [event.collection for event in captured.events] == ["model_outputs"]
    assert isinstance(context, WrapperContext)
    assert (context.is_success(), context.get_message()) == (
        False,
        "collection model_inputs is not enabled, drop the data",
    )


def test_on_error_is_called_for_a_collection_that_is_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MDC_ENABLED", "false")
    errors: list[Exception] = []
    Collector(name="model_inputs", on_error=errors.append).collect(FRAME)
    assert [str(error) for error in errors] == ["custom logging is not enabled, drop the data"] * 2


@pytest.mark.parametrize("name", ["switched_off", "not_listed"])
def test_frames_that_are_refused_are_not_kept_in_memory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    configure(monkeypatch, tmp_path, "  collections: {switched_off: {enabled: 'False'}, listed: {enabled: 'True'}}")
    collector, frames = Collector(name=name, on_error=lambda _: None), []
    for _ in range(10):
        frame = FRAME.copy()
        frames.append(weakref.ref(frame))
        collector.collect(frame)
    del frame
    gc.collect()
    assert [found for found in frames if found() is not None] == []


def test_debug_mode_returns_whether_the_call_succeeded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZUREML_MDC_DEBUG", "true")
    with capture():
        collector = Collector(name="model_inputs", on_error=lambda _: None)
        accepted, refused = collector.collect(FRAME), collector.collect(5)  # type: ignore[arg-type]
    assert isinstance(accepted, WrapperContext)
    assert isinstance(refused, WrapperContext)
    assert (accepted.is_success(), accepted.get_message()) == (True, "accepted")
    assert (refused.is_success(), refused.get_message()) == (
        False,
        "data type (int) not supported, supported types: pandas.DataFrame",
    )


def test_local_capture_prints_one_line_and_sends_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AZUREML_MDC_ENABLED", "true")
    monkeypatch.setenv("AZUREML_MDC_LOCAL_CAPTURE", "true")
    with capture() as captured:
        Collector(name="model_inputs").collect(FRAME, BasicCorrelationContext(id="test"))
    line = capsys.readouterr().out
    assert line.endswith(' | model_inputs | test | [{"a":1},{"a":2}]\n')
    time.strptime(line.split(" | ")[0], "%Y-%m-%d %H:%M:%S")
    assert captured.events == []


def test_sampling_keeps_inputs_and_outputs_together(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    configure(
        monkeypatch,
        tmp_path,
        "  sampling_rate: 0.1\n  collections: {model_inputs: {enabled: 'True'}, model_outputs: {enabled: 'True'}}",
    )
    monkeypatch.setenv("AZUREML_MDC_DEBUG", "true")
    with capture() as captured:
        inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
        dropped = 0
        for n in range(2000):
            context = inputs.collect(FRAME, BasicCorrelationContext(id=f"r{n}"))
            outputs.collect(FRAME, context)
            dropped += context.get_message() == "dropped_sampling"  # type: ignore[attr-defined]
        by_collection: dict[str, set[str]] = {"model_inputs": set(), "model_outputs": set()}
        for event in captured.events:
            by_collection[event.collection].add(event.correlation_id)
            assert event.attributes[semconv.AZUREML_SAMPLING_RATE] == 0.1
    assert by_collection["model_inputs"] == by_collection["model_outputs"]
    assert by_collection["model_inputs"] == {f"r{n}" for n in range(2000) if semconv.is_sampled(f"r{n}", 0.1)}
    assert len(by_collection["model_inputs"]) == 2000 - dropped

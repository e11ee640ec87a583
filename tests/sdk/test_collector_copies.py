"""A copy of a collector, through pickle or `copy`: it has what the caller passed, and reads the rest where it is."""

from __future__ import annotations

import copy
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from deployment_block import configure

from otel_modeldata import Collector, _forking, collector, flush, semconv
from otel_modeldata._settings.settings import Settings
from otel_modeldata.exceptions import ConfigError, NotEnabledError
from otel_modeldata.testing import capture

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from recording_backend import RecordingBackend

FRAME = pd.DataFrame({"a": [1, 2]})
SWITCHED_OFF = "  collections: {model_inputs: {enabled: 'False'}}"
SAMPLED = "  sampling_rate: 0.001\n  collections: {model_inputs: {enabled: 'True'}}"
NOT_LISTED = "  collections: {model_outputs: {enabled: 'True'}}"

errors: list[str] = []


def keep_error(error: Exception) -> None:
    errors.append(str(error))


class Named(Collector):
    """A collector of an application, which adds an attribute."""

    def __init__(self, *, team: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.team = team


def pickled(one: Collector) -> Collector:
    loaded: Collector = pickle.loads(pickle.dumps(one))
    return loaded


COPIES = pytest.mark.parametrize("copied", [pickled, copy.copy, copy.deepcopy], ids=["pickle", "copy", "deepcopy"])


def test_a_pickle_has_what_the_caller_passed_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    passed = {"name": "model_inputs", "_on_error": keep_error, "_model_version": "7", "_logger_provider": None}
    one = Named(name="model_inputs", on_error=keep_error, model_version="7", team="fraud")
    with capture():
        one.collect(FRAME)
    assert one.__getstate__() == passed | {"team": "fraud"}
    assert pickled(one).__getstate__() == passed | {"team": "fraud"}
    monkeypatch.setenv("AZUREML_MDC_ENABLED", "false")
    assert Collector(name="model_inputs", on_error=keep_error, model_version="7").__getstate__() == passed


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_no_setting_and_no_secret_is_in_the_bytes(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, protocol: int
) -> None:
    configure(monkeypatch, tmp_path, "  sampling_rate: 0.5\n  collections: {model_inputs: {enabled: 'True'}}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "Authorization=Bearer s3cr3t")
    monkeypatch.setenv("OTEL_MODELDATA_SPOOL", str(tmp_path / "spool"))
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=lab,azureml.deployment.name=notebook")
    content = pickle.dumps(Collector(name="model_inputs"), protocol)
    for text in (b"s3cr3t", b"127.0.0.1", b"spool", b"lab", b"notebook", tmp_path.name.encode(), b"0.5"):
        assert text not in content


def test_what_an_earlier_release_pickled_with_a_collector_has_no_effect() -> None:
    state = {"name": "model_inputs", "_on_error": None, "_model_version": "7", "_logger_provider": None}
    one = Collector.__new__(Collector)
    one.__setstate__(state | {"_settings": None, "_config": None, "_refusal": NotEnabledError("in the lab")})
    with capture() as captured:
        one.collect(FRAME)
    assert [event.attributes[semconv.AZUREML_MODEL_VERSION] for event in captured.events] == ["7"]
    assert one.__getstate__() == state


@COPIES
def test_a_copy_collects_what_its_own_process_enables(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copied: Callable[[Collector], Collector]
) -> None:
    configure(monkeypatch, tmp_path, SWITCHED_OFF)
    one = copied(Collector(name="model_inputs", model_version="7"))
    monkeypatch.delenv("OTEL_MODELDATA_CONFIG")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    with capture() as captured:
        one.collect(FRAME)
        one.collect(FRAME)
    (first, second) = captured.events
    assert first.rows == second.rows == [{"a": 1}, {"a": 2}]
    assert first.attributes[semconv.AZUREML_MODEL_VERSION] == "7"
    assert first.resource["azureml.endpoint.name"] == "shop"


@COPIES
def test_a_copy_drops_what_its_own_process_switches_off(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, copied: Callable[[Collector], Collector]
) -> None:
    one = copied(Collector(name="model_inputs"))
    configure(monkeypatch, tmp_path, SWITCHED_OFF)
    with capture() as captured:
        one.collect(FRAME)
    assert captured.events == []


def test_a_copy_samples_at_the_rate_of_its_own_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = pickled(Collector(name="model_inputs"))
    configure(monkeypatch, tmp_path, SAMPLED)
    with capture() as captured:
        given = [one.collect(FRAME).get_id() for _ in range(50)]
    assert [event.correlation_id for event in captured.events] == [
        id_ for id_ in given if semconv.is_sampled(id_, 0.001)
    ]


def test_a_copy_refuses_what_its_own_process_does_not_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    one = pickled(Collector(name="model_inputs"))
    configure(monkeypatch, tmp_path, NOT_LISTED)
    for _ in range(2):
        with pytest.raises(NotEnabledError, match=r"^collection model_inputs is not enabled, drop the data$"):
            one.collect(FRAME)


def test_a_wrong_environment_is_an_error_of_collect_and_not_of_loading(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(Collector(name="model_inputs"))
    monkeypatch.setenv("OTEL_MODELDATA_OVERFLOW", "never")
    one, depths = pickle.loads(content), set()
    for _ in range(3):
        with pytest.raises(ConfigError, match=r"^OTEL_MODELDATA_OVERFLOW: expected ") as raised:
            one.collect(FRAME)
        depths.add(len(raised.traceback))
    assert len(depths) == 1  # the error of the first call does not grow, and keeps no frame
    monkeypatch.delenv("OTEL_MODELDATA_OVERFLOW")
    with capture() as captured:
        pickle.loads(content).collect(FRAME)
    assert [event.collection for event in captured.events] == ["model_inputs"]


def test_a_wrong_environment_does_not_stop_scoring_with_on_error(monkeypatch: pytest.MonkeyPatch) -> None:
    errors.clear()
    one = pickled(Collector(name="model_inputs", on_error=keep_error))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://gateway")
    one.collect(FRAME)
    one.collect(FRAME)
    assert len(errors) == 2
    assert errors[0] == errors[1]
    assert errors[0].startswith("OTEL_EXPORTER_OTLP_ENDPOINT: expected http://HOST:PORT, ")


def test_loading_reads_no_file_and_opens_no_store(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = pickle.dumps(Collector(name="model_inputs"))
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(tmp_path / "missing.yml"))
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("OTEL_MODELDATA_SPOOL", str(tmp_path / "spool"))
    assert pickle.loads(content).name == "model_inputs"
    assert list(tmp_path.iterdir()) == []


def test_threads_that_share_a_copy_read_the_environment_once(monkeypatch: pytest.MonkeyPatch) -> None:
    one, barrier, reads = pickled(Collector(name="model_inputs")), threading.Barrier(8), []
    read = Settings.from_env

    def counted() -> Settings:
        reads.append(threading.get_ident())
        return read()

    def collect(number: int) -> None:
        barrier.wait(60)
        one.collect(pd.DataFrame({"n": [number]}))

    with capture() as captured, ThreadPoolExecutor(8) as threads:
        monkeypatch.setattr(Settings, "from_env", counted)
        list(threads.map(collect, range(8)))
        assert sorted(event.rows[0]["n"] for event in captured.events) == list(range(8))
    assert len(reads) == 1


def test_a_copy_in_a_signal_handler_waits_for_the_start_that_was_interrupted(backend: RecordingBackend) -> None:
    other, one = Collector(name="model_outputs"), pickled(Collector(name="model_inputs"))
    with _forking.guard:  # as the thread that starts the delivery side does
        one.collect(FRAME)
    other.collect(FRAME)
    assert flush(60).delivered == 2
    values = [{one.key: one.value.string_value for one in record.attributes} for record in backend.records()]
    assert sorted(of[semconv.AZUREML_COLLECTION_NAME] for of in values) == ["model_inputs", "model_outputs"]


def test_a_copy_sends_where_the_other_collectors_of_its_process_send(
    backend: RecordingBackend, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    one = pickled(Collector(name="model_inputs"))
    Collector(name="model_outputs").collect(FRAME)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4")
    one.collect(FRAME)
    assert flush(60).delivered == 2
    assert len(backend.records()) == 2
    (message,) = caplog.messages
    assert message.startswith("expected the endpoint or store and the names with which this process began, got others")


def test_the_name_of_a_copy_disables_automatic_collection_as_any_other(monkeypatch: pytest.MonkeyPatch) -> None:
    content = pickle.dumps(Collector(name="model_inputs"))
    monkeypatch.setattr(collector, "application_names", set())
    pickle.loads(content)
    assert collector.application_names == {"model_inputs"}

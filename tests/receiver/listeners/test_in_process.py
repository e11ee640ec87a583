"""The transport that writes to a store: it answers as a receiver does, without a receiver."""

from __future__ import annotations

import _thread
import asyncio
import fcntl
import json
import resource
import threading
from typing import TYPE_CHECKING, NoReturn

import pytest
from otlp_requests import NOON, record, request
from receiver_process import lines_below
from recorded_metrics import RecordedMetrics
from waiting import wait_until

from otel_modeldata import Collector
from otel_modeldata.environment import read_environment
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.transport import Delivered, Refused, Retry
from otel_modeldata_receiver import telemetry
from otel_modeldata_receiver.listeners.in_process import StoreTransport
from otel_modeldata_receiver.storage import sink
from otel_modeldata_receiver.storage.sink_limits import SinkLimits

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from otel_modeldata.transport import Answer

INSTANCE = "0123456789abcdef0123456789abcdef"
BLOB = f"credit/blue/model_inputs/2026/11/22/12/{INSTANCE}000000.jsonl"


@pytest.fixture(autouse=True)
def no_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_MODELDATA_CONFIG", raising=False)
    monkeypatch.delenv("OTEL_MODELDATA_STORE_CONFIG", raising=False)


@pytest.fixture
def transport(tmp_path: Path) -> Iterator[StoreTransport]:
    opened = StoreTransport(str(tmp_path), INSTANCE)
    yield opened
    opened.close()


def one(event_id: str) -> bytes:
    return request(record(event_id=event_id, time_ns=NOON))


def test_delivered_events_are_in_the_blob(transport: StoreTransport, tmp_path: Path) -> None:
    assert transport.send(one("1")) == Delivered()
    assert transport.send(one("2")) == Delivered()
    assert [line["id"] for line in lines_below(tmp_path)] == ["1", "2"]
    assert (tmp_path / BLOB).exists()


def test_its_records_are_counted_with_their_own_transport(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = RecordedMetrics()
    monkeypatch.setattr(telemetry, "instruments", lambda: recorded.instruments)
    transport = StoreTransport(str(tmp_path), INSTANCE)
    assert transport.send(request(record(event_id="1"), record(event_id="2"))) == Delivered()
    transport.close()
    assert recorded.values()["otelcol_receiver_accepted_log_records"] == {
        (("receiver", "otel-modeldata"), ("transport", "in_process")): 2
    }
    recorded.close()


def test_an_event_that_is_stored_already_is_not_stored_again(transport: StoreTransport, tmp_path: Path) -> None:
    assert [transport.send(one("1")) for _ in range(3)] == [Delivered()] * 3
    assert len(lines_below(tmp_path)) == 1


def test_a_bad_record_is_rejected_and_kept_in_quarantine(transport: StoreTransport, tmp_path: Path) -> None:
    answer = transport.send(request(record(event_id="1"), record("no rows", event_id="2")))
    assert isinstance(answer, Delivered)
    assert answer.rejected == 1
    assert [line["id"] for line in lines_below(tmp_path) if "reason" not in line] == ["1"]


def test_bytes_that_are_not_a_request_are_refused(transport: StoreTransport) -> None:
    answer = transport.send(b"\xff\xff\xff")
    assert isinstance(answer, Refused)
    assert answer.code == "INVALID_ARGUMENT"


def test_while_the_store_is_down_the_answer_is_to_retry(
    monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    monkeypatch.setattr(sink, "SinkLimits", lambda: SinkLimits(retry_seconds=0.1))
    transport: StoreTransport = request.getfixturevalue("transport")
    (tmp_path / "credit").write_text("a file where a folder should be")
    answer = transport.send(one("1"))
    assert isinstance(answer, Retry)
    assert (answer.code, answer.delay) == ("UNAVAILABLE", 1.0)
    (tmp_path / "credit").unlink()
    assert transport.send(one("1")) == Delivered()


def test_a_close_ends_a_request_in_progress_at_once_and_later_ones_are_not_begun(
    transport: StoreTransport, tmp_path: Path
) -> None:
    assert transport.send(one("1")) == Delivered()
    answers: list[Answer] = []
    before = transport._attempt
    sending = threading.Thread(target=lambda: answers.append(transport.send(one("2"))))
    closing = threading.Thread(target=transport.close)
    with (tmp_path / BLOB).open("rb+") as blob:
        fcntl.flock(blob, fcntl.LOCK_EX)  # the next append waits for this event
        sending.start()
        wait_until(lambda: transport._attempt is not before)
        closing.start()
        sending.join(30)
    closing.join(30)
    transport.close()
    answers.append(transport.send(one("3")))
    assert answers == [Retry("CANCELLED", "the store is closed")] * 2


@pytest.mark.parametrize(
    ("size", "act"), [(1, "append to"), (5 * 2**20, "write")], ids=["in a line", "in a file of its own"]
)
def test_a_close_on_a_full_disk_answers_why_the_request_in_progress_is_not_stored(
    transport: StoreTransport, size: int, act: str
) -> None:
    """A limit on the file size simulates a full disk."""
    answers: list[Answer] = []
    message = request(record(event_id="1", time_ns=NOON, body=json.dumps([{"x": "x" * size}])))
    sending = threading.Thread(target=lambda: answers.append(transport.send(message)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
    try:
        sending.start()
        wait_until(lambda: transport._trouble() is not None)
        transport.close()
        sending.join(30)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    (answer,) = answers
    assert isinstance(answer, Retry)
    assert answer.code == "UNAVAILABLE"
    assert answer.details.startswith(f"expected to {act} ")
    assert ", got File too large: " in answer.details
    assert transport.send(one("2")) == answer


class Interrupted(_thread.RLock):
    """A signal handler raises at the end of `acquire`, if that has taken it; else in it."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        super().acquire(blocking, min(timeout, 0.01))
        raise TimeoutError


def test_a_signal_handler_that_raises_in_the_hooks_of_a_fork_leaves_no_request_blocked(
    transport: StoreTransport,
) -> None:
    """The exception of a hook is printed, the process forks, and the other hooks are called."""
    transport._inside = Interrupted()
    with pytest.raises(TimeoutError):
        transport.hold_for_fork()
    transport.go_on_after_fork()
    answers: list[Answer] = []
    sending = threading.Thread(target=lambda: answers.append(transport.send(one("1"))))
    sending.start()
    sending.join(30)
    assert answers == [Delivered()]


def test_a_fork_that_a_signal_handler_interrupts_leaves_a_request_in_progress_alone(transport: StoreTransport) -> None:
    transport._inside = inside = Interrupted()
    begun, go = threading.Event(), threading.Event()

    def send() -> None:
        with inside:
            begun.set()
            go.wait(30)

    sending = threading.Thread(target=send)
    sending.start()
    begun.wait(30)
    with pytest.raises(TimeoutError):
        transport.hold_for_fork()
    transport.go_on_after_fork()  # would raise for a lock of another thread
    go.set()
    sending.join(30)
    transport._inside = _thread.RLock()


def refuse(*_: object) -> NoReturn:
    raise RuntimeError("can't create new thread at interpreter shutdown")


def test_a_store_that_is_opened_while_the_interpreter_ends_needs_no_thread(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    StoreTransport.check(str(tmp_path))
    transport = StoreTransport(str(tmp_path), INSTANCE)
    assert [transport.send(one(event_id)) for event_id in ("1", "2", "1")] == [Delivered()] * 3
    transport.close()
    assert [line["id"] for line in lines_below(tmp_path)] == ["1", "2"]
    assert transport.send(one("3")) == Retry("CANCELLED", "the store is closed")


def test_no_thread_starts_after_the_store_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transport = StoreTransport(str(tmp_path), INSTANCE)
    monkeypatch.setattr("otel_modeldata_receiver.daemon_executor.DaemonThread", refuse)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    large = request(record("x" * 3_000_000, event_id="2", time_ns=NOON))
    assert transport.send(one("1")) == Delivered()
    transport.send(large)
    transport.close()
    assert "1" in [line["id"] for line in lines_below(tmp_path) if "id" in line]


def test_a_closed_transport_leaves_no_thread_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    transport = StoreTransport(str(tmp_path))
    transport.send(one("1"))
    assert set(threading.enumerate()) - before
    transport.close()
    wait_until(lambda: not set(threading.enumerate()) - before)


@pytest.mark.anyio
async def test_a_running_event_loop_does_not_interfere(tmp_path: Path) -> None:
    StoreTransport.check(str(tmp_path / "store"))
    transport = StoreTransport(str(tmp_path / "store"))
    assert await asyncio.to_thread(transport.send, one("1")) == Delivered()
    assert transport.send(one("2")) == Delivered()
    transport.close()


def test_two_transports_never_share_a_blob(tmp_path: Path) -> None:
    transports = [StoreTransport(str(tmp_path)) for _ in range(2)]
    for number, transport in enumerate(transports):
        assert transport.send(one(str(number))) == Delivered()
        transport.close()
    assert len(list(tmp_path.rglob("*.jsonl"))) == 2


def test_a_check_leaves_nothing_behind(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    StoreTransport.check(str(tmp_path))
    wait_until(lambda: not set(threading.enumerate()) - before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://host/x", "expected a store URL that starts with file://, az:// or https://, or a path"),
        ("az://Not_A_Container", "expected a container name of 3 to 63 lower-case letters"),
        ("{folder}/file/store", "expected to write into '{folder}/file/store', got "),
    ],
)
def test_a_store_that_cannot_be_used_is_reported_with_the_sdks_own_error(
    tmp_path: Path, url: str, sentence: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError) as caught:
        StoreTransport.check(url.format(folder=tmp_path))
    assert str(caught.value).startswith(f"OTEL_MODELDATA_STORE: {sentence.format(folder=tmp_path)}")
    if "://" in url:
        with pytest.raises(ConfigError):
            StoreTransport(url)


def test_the_deployment_file_defines_folders_and_destinations(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deployment, config = tmp_path / "deployment.yml", tmp_path / "store.yml"
    path = "azureml://datastores/mine/paths/custom/outputs"
    collections = {"model_inputs": {"enabled": "True"}, "model_outputs": {"data": {"path": path}}}
    block = {"rolling_rate": "Day", "collections": collections}
    deployment.write_text(json.dumps({"endpoint_name": "credit", "name": "blue", "data_collector": block}))
    config.write_text(json.dumps({"datastores": {"mine": str(tmp_path / "mine")}}))
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(deployment))
    with pytest.raises(ConfigError, match="expected a known datastore, got 'mine'"):
        StoreTransport.check(str(tmp_path / "store"))
    monkeypatch.setenv("OTEL_MODELDATA_STORE_CONFIG", str(config))
    transport = StoreTransport(str(tmp_path / "store"), INSTANCE)
    outputs = record(event_id="2", time_ns=NOON, collection="model_outputs")
    assert transport.send(request(record(event_id="1", time_ns=NOON), outputs)) == Delivered()
    transport.close()
    assert sorted(str(blob.relative_to(tmp_path)) for blob in tmp_path.rglob("*.jsonl")) == [
        f"mine/custom/outputs/2026/11/22/{INSTANCE}000000.jsonl",
        f"store/credit/blue/model_inputs/2026/11/22/{INSTANCE}000000.jsonl",
    ]


def test_a_deployment_file_without_names_defines_no_destinations(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployment = tmp_path / "deployment.yml"
    deployment.write_text("data_collector: {collections: {model_inputs: {enabled: 'True'}}}\n")
    monkeypatch.setenv("OTEL_MODELDATA_CONFIG", str(deployment))
    StoreTransport.check(str(tmp_path / "store"))


def test_a_wrong_settings_file_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "store.yml").write_text("stroe: x\n")
    monkeypatch.setenv("OTEL_MODELDATA_STORE_CONFIG", str(tmp_path / "store.yml"))
    with pytest.raises(ConfigError, match=r"stroe: unknown key, did you mean 'store'\?"):
        StoreTransport.check(str(tmp_path))


def test_a_store_is_validated_without_a_write(tmp_path: Path) -> None:
    StoreTransport.validate(str(tmp_path / "not" / "yet"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ConfigError, match=r"OTEL_MODELDATA_STORE: .*got scheme 'ftp'"):
        StoreTransport.validate("ftp://somewhere")


@pytest.mark.parametrize("form", ["{}", "{}/below", "file://{}"])
def test_a_store_that_cannot_be_a_folder_is_found_without_a_write(form: str, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ConfigError, match=r"OTEL_MODELDATA_STORE: expected to write into '.*/file") as raised:
        StoreTransport.validate(form.format(file))
    assert str(raised.value).endswith("correct it or choose another")


def test_the_path_of_its_settings_is_taken_as_it_was_meant_or_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "receiver.yml").write_text("stroe: x\n")
    monkeypatch.setenv("OTEL_MODELDATA_STORE_CONFIG", "'~/receiver.yml'\n")
    with pytest.raises(ConfigError, match="stroe: unknown key"):
        StoreTransport.validate(str(tmp_path))
    monkeypatch.setenv("OTEL_MODELDATA_STORE_CONFIG", "$HOME/receiver.yml")
    with pytest.raises(ConfigError) as raised:
        StoreTransport.validate(str(tmp_path))
    assert str(raised.value) == (
        "OTEL_MODELDATA_STORE_CONFIG: expected a file, got '$HOME/receiver.yml', a variable that no shell has "
        "replaced: write the whole path"
    )


def test_diagnosis_finds_the_same_as_a_collector_without_a_write(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_MODELDATA_STORE", "ftp://somewhere")
    (problem,) = read_environment().problems
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    assert raised.value.problems == (problem,)

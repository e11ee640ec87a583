"""The protocol of Azure's sidecar: its mapping, and how requests are held because their sender does not retry."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from http_posts import OLD, http_receiver
from hypothesis import given
from hypothesis import strategies as st
from live_receiver import INSTANCE, until
from otlp_requests import NOON, decoded

from otel_modeldata import semconv
from otel_modeldata_receiver.config.receiver import OldProtocolConfig, ReceiverConfig
from otel_modeldata_receiver.exceptions import ConfigError, StoreError, UndecodableError
from otel_modeldata_receiver.listeners import azureml_sidecar
from otel_modeldata_receiver.listeners.external_event import ExternalEvent, request_of
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits

if TYPE_CHECKING:
    from pathlib import Path

    from otel_modeldata_receiver.storage.store import BlobState

HEADERS = {
    "Content-Type": "application/json",
    "trace-id": "0b1f6a5e-0f8e-4d4f-9a57-0d8a5b0c2a10",
    "ce-time": "1795348800",
    "ce-type": "azureml.inference.model_inputs",
    "ce-collect-data-type": "pandas.DataFrame",
    "ce-agent": "azureml-ai-monitoring/1.0.0",
    "ce-x-request-id": "order-4711",
    "ce-model-version": "default",
}
"""The headers of the wheel for a frame under pandas 3."""
LOWER = {name.lower(): value for name, value in HEADERS.items()}
ROWS = b'[{"a":1}]'


class AwayStore(LocalStore):
    """A local store that is down while `away` is set."""

    away = False
    tried = 0

    async def append(self, name: str, state: BlobState, block: bytes) -> BlobState:
        self.tried += 1
        if self.away:
            raise StoreError("the store is away")
        return await super().append(name, state, block)


def hasty(store: LocalStore) -> Sink:
    return Sink(store, instance=INSTANCE, limits=SinkLimits(retry_seconds=0.0))


# --- The mapping ------------------------------------------------------------------------------------------------


def test_a_request_of_the_wheel_is_read_header_by_header() -> None:
    event = azureml_sidecar.read({**LOWER, "ce-tenant": "acme", "accept": "*/*"}, ROWS, {"r": "x"})
    assert event == ExternalEvent(
        body=ROWS,
        attributes={
            semconv.CLOUDEVENTS_EVENT_TYPE: "azureml.inference.model_inputs",
            semconv.CLOUDEVENTS_EVENT_ID: "0b1f6a5e-0f8e-4d4f-9a57-0d8a5b0c2a10",
            semconv.AZUREML_CORRELATION_ID: "order-4711",
            semconv.AZUREML_MODEL_VERSION: "default",
            semconv.AZUREML_DATA_TYPE: "pandas.core.frame.DataFrame",
            semconv.AZUREML_DATA_CONTENT_TYPE: "application/json",
            semconv.AZUREML_AGENT: "azureml-ai-monitoring/1.0.0",
        },
        resource={"r": "x"},
        extensions={"tenant": "acme"},
        time_ns=NOON,
    )


def test_two_events_without_an_id_are_two_lines() -> None:
    headers = {name: value for name, value in LOWER.items() if name != "trace-id"}
    ids = {azureml_sidecar.read(headers, ROWS, {}).attributes[semconv.CLOUDEVENTS_EVENT_ID] for _ in range(2)}
    assert len(ids) == 2


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"]), min_size=1))
def test_an_id_arrives_unchanged_in_every_character_of_latin_1(text: str) -> None:
    as_aiohttp_reads_it = text.encode("latin-1").decode("utf-8", "surrogateescape")
    event = azureml_sidecar.read({**LOWER, "ce-x-request-id": as_aiohttp_reads_it}, ROWS, {})
    assert event.attributes[semconv.AZUREML_CORRELATION_ID] == text


@given(st.dictionaries(st.sampled_from(sorted(LOWER)), st.binary(max_size=40)), st.binary(max_size=40))
def test_any_headers_become_an_event_or_an_error(values: dict[str, bytes], body: bytes) -> None:
    headers = LOWER | {name: value.decode("utf-8", "surrogateescape") for name, value in values.items()}
    try:
        made = decoded(request_of([azureml_sidecar.read(headers, body, {})]))
    except UndecodableError:
        return
    assert made.resource_logs[0].scope_logs[0].log_records[0].body.bytes_value == body


@pytest.mark.parametrize("event_type", [None, "", "model_inputs", "com.example.thing"])
def test_the_answer_to_a_request_without_a_collection_names_what_is_missing(event_type: str | None) -> None:
    headers = {name: value for name, value in LOWER.items() if name != "ce-type"}
    if event_type is not None:
        headers["ce-type"] = event_type
    with pytest.raises(UndecodableError) as caught:
        azureml_sidecar.read(headers, ROWS, {})
    assert str(caught.value) == (
        "undecodable request: expected the header ce-type with azureml.inference. and a collection, "
        f"got {event_type or ''!r}; correct the sender"
    )


# --- The deployment of an event ---------------------------------------------------------------------------------


def deployment_of(**settings: object) -> dict[str, str]:
    resource = azureml_sidecar.resource_of(ReceiverConfig(**settings))  # type: ignore[arg-type]
    return {key.removeprefix("azureml."): value for key, value in resource.items() if value}


def test_the_settings_name_the_deployment_of_an_event(tmp_path: Path) -> None:
    known = tmp_path / "deployment.yml"
    known.write_text("endpoint_name: credit\nname: green\ndata_collector: {collections: {model_inputs: {}}}\n")
    settings = OldProtocolConfig(endpoint="loans", resource_id="/arm")
    assert deployment_of() == {}
    assert deployment_of(deployments=(str(known),)) == {"endpoint.name": "credit", "deployment.name": "green"}
    assert deployment_of(deployments=(str(known), str(known))) == {}
    assert deployment_of(deployments=(str(tmp_path),)) == {}
    assert deployment_of(old_protocol=settings, deployments=(str(known),)) == {
        "endpoint.name": "loans",
        "deployment.name": "green",
        "cloud.resource_id": "/arm",
    }


def test_a_deployment_yaml_that_cannot_be_read_is_reported_at_start(tmp_path: Path) -> None:
    bad = tmp_path / "deployment.yml"
    bad.write_text("data_collector: {wrong: 1}")
    with pytest.raises(ConfigError, match="wrong"):
        deployment_of(deployments=(str(bad),))


# --- The route --------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_event_is_durable_when_it_is_answered(tmp_path: Path) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(OLD, "/modeldata/log", ROWS, HEADERS)
        assert (answer.status, answer.body) == (200, b"")
        (line,) = receiver.live.lines(f"local/default/model_inputs/2026/11/22/12/{INSTANCE}000000.jsonl")
        assert line == {
            "specversion": "1.0",
            "id": HEADERS["trace-id"],
            "source": "/endpoints/local/deployments/default",
            "type": "azureml.inference.model_inputs",
            "datacontenttype": "application/json",
            "time": "2026-11-22T12:00:00Z",
            "data": [{"a": 1}],
            "contentrange": "bytes 0-8/9",
            "correlationid": "order-4711",
            "xrequestid": "order-4711",
            "modelversion": "default",
            "collectdatatype": "pandas.core.frame.DataFrame",
            "agent": "azureml-ai-monitoring/1.0.0",
            "timens": str(NOON),
        }


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("changed", "body", "reason"),
    [
        ({"ce-type": "azureml.inference.../../../etc"}, ROWS, "name: expected as collection 1 to 128 characters"),
        ({"ce-type": "azureml.inference."}, ROWS, "name: expected as collection 1 to 128 characters"),
        ({"ce-type": "azureml.inference.a%2f..%2fb"}, ROWS, "name: expected as collection 1 to 128 characters"),
        ({"ce-type": "azureml.inference." + "x" * 1100}, ROWS, "name: expected as collection 1 to 128 characters"),
        ({"ce-type": ""}, ROWS, "undecodable request: expected the header ce-type"),
        ({"ce-time": "yesterday"}, ROWS, "undecodable time: expected seconds since 1970 or a time like"),
        ({"ce-time": "99999999999999"}, ROWS, "undecodable time: expected seconds since 1970 or a time like"),
        ({"trace-id": "x" * 200}, ROWS, "event id: expected 1 to 128 printable characters"),
        ({}, b"no json", "body not JSON: expected valid JSON"),
        ({}, b'"text"', "body not rows: expected a JSON array of objects"),
        ({}, b"", "body not JSON: expected valid JSON"),
        ({}, b'[{"a":"\xff"}]', "binary body: expected JSON text"),
        ({"Content-Type": "nonsense"}, ROWS, "content type: expected a media type"),
        ({"ce-x-request-id": "caf\u00e9\udcff"}, b"no json", "body not JSON: expected valid JSON"),
    ],
)
async def test_bad_input_is_answered_with_the_reason_and_quarantined(
    tmp_path: Path, changed: dict[str, str], body: bytes, reason: str
) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(OLD, "/modeldata/log", body, HEADERS | changed)
        assert (answer.status, answer.text[: len(reason)]) == (400, reason)
        assert [line["reason"] for line in receiver.live.quarantine()] == [answer.text.rstrip("\n")]
        good = await receiver.post(OLD, "/modeldata/log", ROWS, HEADERS)
        assert (good.status, [line["data"] for line in receiver.live.lines()]) == (200, [[{"a": 1}]])
        assert {blob.partition("/")[0] for blob in receiver.live.blobs()} == {"local", "_quarantine"}


@pytest.mark.anyio
async def test_while_the_store_is_down_a_request_is_held_and_answered_when_the_store_works_again(
    tmp_path: Path,
) -> None:
    """The wheel never retries: an immediate 503 would lose the event."""
    store = AwayStore(tmp_path)
    store.away = True
    async with http_receiver(tmp_path, sink=hasty(store)) as receiver:
        request = asyncio.create_task(receiver.post(OLD, "/modeldata/log", ROWS, HEADERS))

        async def tried_again() -> bool:
            return store.tried >= 2

        await until(tried_again)
        assert not request.done()
        store.away = False
        assert (await request).status == 200
        assert len(receiver.live.lines()) == 1


@pytest.mark.anyio
async def test_a_store_that_stays_down_is_reported_at_the_deadline(tmp_path: Path) -> None:
    store = AwayStore(tmp_path)
    store.away = True
    async with http_receiver(tmp_path, sink=hasty(store), deadline_seconds=1.0) as receiver:
        answer = await receiver.post(OLD, "/modeldata/log", ROWS, HEADERS)
        assert (answer.status, answer.headers["Retry-After"], answer.text) == (503, "1", "the store is away\n")
        assert store.tried >= 2


@pytest.mark.anyio
async def test_no_more_than_a_few_requests_are_held(tmp_path: Path) -> None:
    """Each holds its body, in addition to the bytes that are admitted."""
    store = AwayStore(tmp_path)
    store.away = True
    async with http_receiver(tmp_path, sink=hasty(store)) as receiver:
        headers = [HEADERS | {"trace-id": str(number)} for number in range(azureml_sidecar.MOST_HELD + 1)]
        requests = [asyncio.create_task(receiver.post(OLD, "/modeldata/log", ROWS, one)) for one in headers]
        first, _ = await asyncio.wait(requests, return_when=asyncio.FIRST_COMPLETED)
        assert [request.result().status for request in first] == [503]
        store.away = False
        answers = sorted([answer.status for answer in await asyncio.gather(*requests)])
        assert answers == [200] * azureml_sidecar.MOST_HELD + [503]
        assert len(receiver.live.lines()) == azureml_sidecar.MOST_HELD


@pytest.mark.anyio
async def test_requests_are_held_during_an_overload(tmp_path: Path) -> None:
    mebibyte = 1 << 20
    rows = json.dumps([{"a": "x" * (mebibyte // 2 + 1000)}]).encode()
    store = AwayStore(tmp_path)
    settings = {"max_message_bytes": mebibyte, "max_in_flight_bytes": mebibyte, "linger_ms": 100}
    async with http_receiver(tmp_path, sink=Sink(store, instance=INSTANCE, linger=0.2), **settings) as receiver:
        headers = [HEADERS | {"trace-id": str(number)} for number in range(4)]
        answers = await asyncio.gather(*(receiver.post(OLD, "/modeldata/log", rows, one) for one in headers))
        assert [answer.status for answer in answers] == [200] * 4
        assert sorted(line["id"] for line in receiver.live.lines()) == ["0", "1", "2", "3"]

"""KServe's inference logger, with requests from its documentation and its source."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from cloudevents.core.bindings.http import to_binary, to_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from http_posts import HTTP, http_receiver
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.listeners import kserve
from otel_modeldata_receiver.listeners.external_event import request_of

if TYPE_CHECKING:
    from pathlib import Path

DOCUMENTED_ID = "0009174a-24a8-4603-b098-09c8799950e9"
REQUEST_BODY = b'{"instances": [[6.8, 2.8, 4.8, 1.4], [6.0, 3.4, 4.5, 1.6]]}'
RESPONSE_BODY = b'{"predictions": [1, 1]}'
DOCUMENTED = {
    "Ce-Specversion": "1.0",
    "Ce-Id": DOCUMENTED_ID,
    "Ce-Source": "http://localhost:9081/",
    "Ce-Inferenceservicename": "sklearn-iris",
    "Ce-Namespace": "default",
    "Ce-Component": "predictor",
    "Ce-Endpoint": "",
    "Ce-Metadata": "{%22X-Tenant%22:[%22acme%22]}",
    "Content-Type": "application/json",
}
"""The example of KServe's documentation (docs/samples/logger/basic), with attributes that were added later."""
REQUEST = DOCUMENTED | {
    "Ce-Type": "org.kubeflow.serving.inference.request",
    "Ce-Time": "2021-04-10T00:23:26.0789529Z",
    "Ce-Traceparent": "00-90bdf848647d50283394155d2df58f19-84dacdfdf07cadfc-00",
}
RESPONSE = DOCUMENTED | {
    "Ce-Type": "org.kubeflow.serving.inference.response",
    "Ce-Time": "2021-04-10T00:23:26.080736102Z",
    "Traceparent": "00-55de1514e1d23ee17eb50dda6167bb8c-b6c6e0f6dd8f741d-00",
}
FOLDER = "sklearn-iris.default/default"


def attributes_of(headers: dict[str, str]) -> dict[str, Any]:
    return {
        name.lower().removeprefix("ce-"): value
        for name, value in headers.items()
        if name.startswith("Ce-") and value and name != "Ce-Metadata"
    } | {"datacontenttype": "application/json"}


@pytest.mark.anyio
async def test_the_documented_request_and_its_response_become_a_joined_pair_of_lines(tmp_path: Path) -> None:
    async with http_receiver(tmp_path) as receiver:
        assert (await receiver.post(HTTP, "/", REQUEST_BODY, REQUEST)).status == 200
        assert (await receiver.post(HTTP, "/", RESPONSE_BODY, RESPONSE)).status == 200
        (request,) = receiver.live.lines(f"{FOLDER}/request/2021/04/10/00/*.jsonl")
        (response,) = receiver.live.lines(f"{FOLDER}/response/2021/04/10/00/*.jsonl")
    assert request["id"] != response["id"]
    assert {key: text for key, text in request.items() if key != "id"} == {
        "specversion": "1.0",
        "source": "/endpoints/sklearn-iris.default/deployments/default",
        "type": "azureml.inference.request",
        "datacontenttype": "application/json",
        "time": "2021-04-10T00:23:26Z",
        "data": json.loads(REQUEST_BODY),
        "contentrange": f"bytes 0-{len(REQUEST_BODY) - 1}/{len(REQUEST_BODY)}",
        "correlationid": DOCUMENTED_ID,
        "xrequestid": DOCUMENTED_ID,
        "modelversion": "default",
        "agent": "kserve-logger",
        "timens": "1618014206078952900",
        "traceparent": "00-90bdf848647d50283394155d2df58f19-84dacdfdf07cadfc-00",
        "inferenceservicename": "sklearn-iris",
        "namespace": "default",
        "component": "predictor",
        "metadata": '{"X-Tenant":["acme"]}',
    }
    assert (response["correlationid"], response["data"]) == (DOCUMENTED_ID, {"predictions": [1, 1]})
    assert response["traceparent"] == "00-55de1514e1d23ee17eb50dda6167bb8c-b6c6e0f6dd8f741d-00"


@pytest.mark.anyio
async def test_an_event_delivered_twice_is_stored_once_but_two_events_with_one_id_are_both_stored(
    tmp_path: Path,
) -> None:
    async with http_receiver(tmp_path) as receiver:
        for headers in (REQUEST, REQUEST, REQUEST | {"Ce-Time": "2021-04-10T00:23:27Z"}):
            assert (await receiver.post(HTTP, "/", REQUEST_BODY, headers)).status == 200
        assert [line["time"][-3:] for line in receiver.live.lines()] == ["26Z", "27Z"]


@pytest.mark.anyio
async def test_a_canary_and_a_service_of_the_same_name_in_another_namespace_have_separate_folders(
    tmp_path: Path,
) -> None:
    async with http_receiver(tmp_path) as receiver:
        for changed in ({}, {"Ce-Endpoint": "canary"}, {"Ce-Namespace": "team-b"}):
            assert (await receiver.post(HTTP, "/", REQUEST_BODY, REQUEST | changed)).status == 200
        folders = {blob.partition("/request/")[0] for blob in receiver.live.blobs()}
    assert folders == {FOLDER, "sklearn-iris.default/canary", "sklearn-iris.team-b/default"}


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["binary", "structured", "batched", "base64"])
async def test_every_mode_of_the_cloudevents_library_makes_the_same_line(tmp_path: Path, mode: str) -> None:
    """The official library as the sender, as a broker between KServe and the receiver may use it."""
    from datetime import datetime

    attributes = attributes_of(REQUEST)
    attributes["time"] = datetime.fromisoformat("2021-04-10T00:23:26.078952+00:00")
    event = CloudEvent(attributes, json.loads(REQUEST_BODY))
    message = to_binary(event, JSONFormat()) if mode == "binary" else to_structured(event, JSONFormat())
    headers, body = dict(message.headers), message.body
    if mode == "batched":
        headers, body = {"content-type": "application/cloudevents-batch+json"}, b"[" + body + b"]"
    if mode == "base64":
        event = json.loads(body)
        event["data_base64"] = base64.b64encode(json.dumps(event.pop("data")).encode()).decode()
        body = json.dumps(event).encode()
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, "/", body, headers)
        assert (answer.status, answer.text) == (200, "")
        (line,) = receiver.live.lines()
    assert line["data"] == json.loads(REQUEST_BODY)
    assert (line["correlationid"], line["time"]) == (DOCUMENTED_ID, "2021-04-10T00:23:26Z")
    assert (line["component"], line["timens"]) == ("predictor", "1618014206078952000")


@pytest.mark.anyio
async def test_a_json_body_that_curl_declares_as_a_form_is_json(tmp_path: Path) -> None:
    """KServe's own examples post with `curl -d`, and the logger forwards that media type."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    async with http_receiver(tmp_path) as receiver:
        assert (await receiver.post(HTTP, "/", REQUEST_BODY, REQUEST | form)).status == 200
        (line,) = receiver.live.lines()
    assert (line["data"], line["datacontenttype"]) == (json.loads(REQUEST_BODY), "application/json")


@pytest.mark.anyio
async def test_a_binary_payload_is_an_object_that_its_line_points_to(tmp_path: Path) -> None:
    image = b"\x89PNG\r\n\x1a\n\x00\xff"
    async with http_receiver(tmp_path) as receiver:
        assert (await receiver.post(HTTP, "/", image, REQUEST | {"Content-Type": "image/png"})).status == 200
        (line,) = receiver.live.lines()
        (kept,) = [blob for blob in receiver.live.blobs() if "/files/" in blob]
    assert (line["datacontenttype"], line["datainblob"]) == ("image/png", "true")
    assert line["data"].endswith(kept)
    assert kept.startswith(f"{FOLDER}/request/2021/04/10/00/files/")


BAD_TYPE = "undecodable CloudEvent: expected the type org.kubeflow.serving.inference.request or "
BAD_JSON = "undecodable CloudEvent: expected an event in the JSON format"
STRUCTURED = {"Content-Type": "application/cloudevents+json; charset=utf-8"}


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("headers", "body", "reason"),
    [
        (REQUEST | {"Ce-Type": "com.example.other"}, REQUEST_BODY, BAD_TYPE),
        ({"Content-Type": "application/json"}, REQUEST_BODY, BAD_TYPE),
        (REQUEST | {"Ce-Inferenceservicename": ""}, REQUEST_BODY, BAD_TYPE),
        (REQUEST | {"Ce-Inferenceservicename": "../x"}, REQUEST_BODY, "name: expected as endpoint 1 to 128"),
        (REQUEST | {"Ce-Inferenceservicename": "%2e%2e%2fx"}, REQUEST_BODY, "name: expected as endpoint 1 to 128"),
        (REQUEST | {"Ce-Endpoint": "a/b"}, REQUEST_BODY, "name: expected as deployment 1 to 128"),
        (REQUEST | {"Ce-Time": "noon"}, REQUEST_BODY, "undecodable time: expected seconds since 1970 or a time"),
        (REQUEST | {"Ce-Id": "a%0d%0ab"}, REQUEST_BODY, "attribute text: expected azureml.correlation.id without"),
        (STRUCTURED, b"no json", BAD_JSON),
        (STRUCTURED, b"[1]", BAD_JSON),
        (STRUCTURED, b'{"type":"\xff"}', BAD_JSON),
        (STRUCTURED, b'{"type":"\\ud800"}', BAD_JSON),
        (STRUCTURED, b'{"type":' + b"[" * 100_000, BAD_JSON),
        (STRUCTURED, json.dumps(attributes_of(REQUEST) | {"data_base64": "*"}).encode(), BAD_JSON),
        ({"Content-Type": "application/cloudevents-batch+json"}, b"{}", BAD_JSON),
    ],
)
async def test_a_request_without_an_event_is_quarantined_and_answered_with_the_reason(
    tmp_path: Path, headers: dict[str, str], body: bytes, reason: str
) -> None:
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, "/", body, headers)
        assert (answer.status, answer.text[: len(reason)]) == (400, reason)
        assert [line["reason"] for line in receiver.live.quarantine()] == [answer.text.rstrip("\n")]
        assert receiver.live.lines() == []


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
NAMES = st.sampled_from([*attributes_of(REQUEST), "data", "data_base64"])


@settings(suppress_health_check=[HealthCheck.too_slow])  # slow machines
@given(st.dictionaries(NAMES, JSON_VALUES), st.dictionaries(NAMES, st.binary(max_size=20)))
def test_any_event_is_read_or_refused(members: dict[str, object], headers: dict[str, bytes]) -> None:
    event = attributes_of(REQUEST) | members
    texts = {f"ce-{name}": value.decode("utf-8", "surrogateescape") for name, value in headers.items()}
    binary = {f"ce-{name}": str(value) for name, value in attributes_of(REQUEST).items()} | texts
    for arguments in (
        ({}, "application/cloudevents+json", json.dumps(event).encode()),
        ({}, "application/cloudevents-batch+json", json.dumps([event, members]).encode()),
        (binary, "application/json", json.dumps(members).encode()),
    ):
        with suppress(UndecodableError):
            assert request_of(kserve.read(*arguments))


@pytest.mark.anyio
async def test_one_bad_event_of_a_batch_does_not_affect_the_others(tmp_path: Path) -> None:
    good = attributes_of(REQUEST) | {"data": {"instances": []}}
    batch = json.dumps([{"type": "other"}, good]).encode()
    async with http_receiver(tmp_path) as receiver:
        answer = await receiver.post(HTTP, "/", batch, {"Content-Type": "application/cloudevents-batch+json"})
        assert (answer.status, answer.text.partition(":")[0]) == (400, "not model data")
        assert [line["data"] for line in receiver.live.lines()] == [{"instances": []}]
        assert len(receiver.live.quarantine()) == 1

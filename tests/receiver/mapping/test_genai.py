"""Input, output, type and framework of spans of any library, and the result of Azure's preprocessor for their lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from genai_preprocessor import JobFailedError, preprocess
from otlp_requests import NOON, key_values, span, span_request

from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import signal
from otel_modeldata_receiver.mapping.genai import completed, has_content
from otel_modeldata_receiver.mapping.request import decode, map_records

ENTRY = ("POST /score", "OK")
NO_EVENTS: list[tuple[str, dict[str, object]]] = []


def added(
    attributes: dict[str, object],
    events: list[tuple[str, dict[str, object]]] | None = None,
    *,
    entry: tuple[str, str] | None = None,
) -> dict[str, object]:
    """What is added to the attributes of a span."""
    all_of_them = completed(attributes, events or NO_EVENTS, framework="library", entry=entry)
    assert {key: all_of_them[key] for key in attributes} == attributes
    return {key: value for key, value in all_of_them.items() if key not in attributes}


@pytest.mark.parametrize(
    ("name_in", "name_out"),
    [
        ("gen_ai.input.messages", "gen_ai.output.messages"),
        ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
        ("input.value", "output.value"),
        ("traceloop.entity.input", "traceloop.entity.output"),
        ("mlflow.spanInputs", "mlflow.spanOutputs"),
        ("gen_ai.prompt", "gen_ai.completion"),
        ("gen_ai.prompt.0.content", "gen_ai.completion.0.content"),
    ],
)
def test_inputs_and_outputs_are_found_under_the_names_of_every_convention(name_in: str, name_out: str) -> None:
    recorded: dict[str, object] = {name_in: '[{"role":"user"}]', name_out: ["yes", 1]}
    assert has_content(recorded, NO_EVENTS)
    assert added(recorded) == {
        "inputs": '[{"role":"user"}]',
        "output": '["yes",1]',
        "span_type": "Function",
        "framework": "library",
    }
    on_events = [("gen_ai.content", {name: value}) for name, value in recorded.items()]
    assert has_content({}, on_events)
    assert added({}, on_events) == added(recorded)


def test_the_attributes_of_prompt_flow_are_kept() -> None:
    own: dict[str, object] = {"inputs": "i", "output": "o", "span_type": "LLM", "framework": "promptflow"}
    assert added({**own, "input.value": "other"}, entry=ENTRY) == {}
    events = [("promptflow.function.inputs", {"payload": "[1]"}), ("promptflow.function.output", {"payload": "2"})]
    assert has_content({}, [*events])
    found = added({}, [*events])
    assert (found["inputs"], found["output"]) == ("[1]", "2")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "LLM"),
        ({"gen_ai.operation.name": "embeddings"}, "Embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "Tool"),
        ({"openinference.span.kind": "RETRIEVER"}, "Retrieval"),
        ({"traceloop.span.kind": "workflow"}, "Flow"),
        ({"mlflow.spanType": "CHAT_MODEL"}, "LLM"),
        ({"gen_ai.operation.name": "something new"}, "Function"),
        ({"gen_ai.operation.name": 7}, "Function"),
    ],
)
def test_a_span_has_the_type_that_azure_gives_its_kind(attributes: dict[str, object], kind: str) -> None:
    assert added(attributes) == {"span_type": kind, "framework": "library"}


def about(collection: str, event_id: str) -> tuple[str, dict[str, object]]:
    """The SDK's span event of one `collect`."""
    attributes: dict[str, object] = {
        "azureml.collection.name": collection,
        "azureml.correlation.id": "c",
        "cloudevents.event_id": event_id,
        "azureml.data.rows": 3,
        "azureml.data.folder": f"credit/blue/{collection}/2026/11/22/12",
    }
    return f"azureml.inference.{collection}", attributes


def pointer(collection: str, event_id: str) -> dict[str, str]:
    return {
        "azureml.collection.name": collection,
        "azureml.correlation.id": "c",
        "cloudevents.event_id": event_id,
        "azureml.data.folder": f"credit/blue/{collection}/2026/11/22/12",
    }


def test_the_input_and_output_of_a_request_are_the_lines_that_hold_them_and_not_the_data() -> None:
    found = added({}, [about("model_inputs", "1"), about("model_outputs", "2")], entry=ENTRY)
    assert json.loads(str(found["inputs"])) == [pointer("model_inputs", "1")]
    assert json.loads(str(found["output"])) == [pointer("model_outputs", "2")]
    both = added({}, [about("model_inputs_outputs", "3")])
    assert json.loads(str(both["inputs"])) == json.loads(str(both["output"])) == [pointer("model_inputs_outputs", "3")]
    assert added({}, [about("features", "4")]).keys() == {"span_type", "framework"}
    assert not has_content({}, [about("model_inputs", "1"), about("model_outputs", "2")])


@pytest.mark.parametrize(
    ("attributes", "inputs", "output"),
    [
        (
            {"http.request.method": "POST", "url.path": "/score", "http.response.status_code": 200},
            {"method": "POST", "target": "/score"},
            {"status_code": 200, "status": "OK"},
        ),
        (
            {"http.method": "GET", "http.target": "/score?a=1", "http.status_code": 500},
            {"method": "GET", "target": "/score?a=1"},
            {"status_code": 500, "status": "OK"},
        ),
        (
            {"rpc.service": "inference.GRPCInferenceService", "rpc.method": "ModelInfer", "rpc.grpc.status_code": 0},
            {"method": "ModelInfer", "target": "inference.GRPCInferenceService"},
            {"status_code": 0, "status": "OK"},
        ),
        ({}, {"target": "POST /score"}, {"status": "OK"}),
    ],
)
def test_a_request_without_collected_data_has_its_request_line_and_its_status(
    attributes: dict[str, object], inputs: dict[str, Any], output: dict[str, Any]
) -> None:
    found = added(attributes, entry=ENTRY)
    assert (json.loads(str(found["inputs"])), json.loads(str(found["output"]))) == (inputs, output)


# --- The result of Azure's preprocessor ----------------------------------------------------------------------------

KINDS: list[dict[str, Any]] = [
    {"attributes": {}},
    {"attributes": {"http.request.method": "POST"}},
    {"attributes": {"gen_ai.input.messages": "q", "gen_ai.output.messages": "a"}},
    {"attributes": {"gen_ai.input.messages": "q"}, "status": {"code": 2, "message": "failed"}},
    {"attributes": {}, "parent_span_id": b"p" * 8, "flags": 0x301},
]


def lines(kept: KeptSpans) -> list[dict[str, Any]]:
    """Traces of every kind, each of a request and a call inside it."""
    spans = []
    for number, fields in enumerate(KINDS):
        trace_id, root = bytes([number + 1] * 16), bytes([number + 1] * 8)
        spans.append(span(**{"trace_id": trace_id, "span_id": root, **fields}))
        spans.append(span("call", trace_id=trace_id, span_id=bytes([99] * 8), parent_span_id=root, kind=1))
    mapped = map_records(decode(span_request(*spans), signal.spans(kept)), arrival_ns=NOON, destinations=Destinations())
    return [json.loads(line.data) for group in mapped.lines.values() for line in group]


def test_no_trace_of_a_request_is_dropped_by_azures_preprocessor() -> None:
    kept = preprocess(lines(KeptSpans.ALL))
    assert [row["trace_id"] for row in kept] == [f"0x{bytes([number + 1] * 16).hex()}" for number in range(len(KINDS))]
    assert kept[2] == {"trace_id": f"0x{'03' * 16}", "input": "q", "output": "a", "root": "POST /score"}


def test_with_the_setting_content_every_trace_has_an_input_and_an_output() -> None:
    assert preprocess(lines(KeptSpans.CONTENT)) == [
        {"trace_id": f"0x{'03' * 16}", "input": "q", "output": "a", "root": "POST /score"}
    ]


def test_spans_without_added_attributes_do_not_meet_the_rules_of_the_preprocessor() -> None:
    bare = lines(KeptSpans.ALL)
    for line in bare:
        for shape in line["data"]:
            shape["attributes"] = {"span_type": "Function", "framework": "library"}
    with pytest.raises(JobFailedError, match="5 of 5 traces have no input or no output"):
        preprocess(bare)


def test_the_events_of_prompt_flow_are_the_input_and_the_output() -> None:
    events = [
        {"name": "promptflow.function.inputs", "attributes": key_values({"payload": '{"q":1}'})},
        {"name": "promptflow.function.output", "attributes": key_values({"payload": '"a"'})},
    ]
    mapped = map_records(
        decode(span_request(span(events=events)), signal.spans(KeptSpans.ALL)),
        arrival_ns=NOON,
        destinations=Destinations(),
    )
    (row,) = preprocess(json.loads(line.data) for group in mapped.lines.values() for line in group)
    assert (row["input"], row["output"]) == ('{"q":1}', '"a"')

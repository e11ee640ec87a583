"""Input, output, type and framework of spans of any library, and the result of Azure's preprocessor for their lines."""

from __future__ import annotations

import json
from typing import Any

import pytest
from genai_preprocessor import JobFailedError, preprocess
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from otlp_requests import NOON, key_values, span, span_request

from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.layout.destination import Destinations
from otel_modeldata_receiver.mapping import signal
from otel_modeldata_receiver.mapping.genai.content import _INPUT, _OUTPUT, completed, content_of, span_type
from otel_modeldata_receiver.mapping.genai.messages import _NOTHING
from otel_modeldata_receiver.mapping.request import decode, map_records

Events = list[tuple[str, dict[str, object]]]
NO_EVENTS: Events = []


def added(attributes: dict[str, object], events: Events | None = None) -> dict[str, object]:
    """What is added to the attributes of a span."""
    content = content_of(attributes, events or NO_EVENTS)
    all_of_them = completed(attributes, content, kind=span_type(attributes), framework="library")
    assert {key: all_of_them[key] for key in attributes} == attributes
    return {key: value for key, value in all_of_them.items() if key not in attributes}


@pytest.mark.parametrize(
    ("name_in", "name_out"),
    [
        ("gen_ai.input.messages", "gen_ai.output.messages"),
        ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
        ("input.value", "output.value"),
        ("traceloop.entity.input", "traceloop.entity.output"),
        ("gen_ai.task.input", "gen_ai.task.output"),
        ("mlflow.spanInputs", "mlflow.spanOutputs"),
        ("gen_ai.prompt", "gen_ai.completion"),
    ],
)
def test_inputs_and_outputs_are_found_under_the_names_of_every_convention(name_in: str, name_out: str) -> None:
    recorded: dict[str, object] = {name_in: '[{"role":"user","content":"q"}]', name_out: ["yes", 1]}
    assert content_of(recorded, NO_EVENTS).is_whole
    assert added(recorded) == {
        "inputs": '[{"role":"user","content":"q"}]',
        "output": '["yes",1]',
        "span_type": "Function",
        "framework": "library",
    }
    on_events: Events = [("gen_ai.content", {name: value}) for name, value in recorded.items()]
    assert content_of({}, on_events).is_whole
    assert added({}, on_events) == added(recorded)


ASKED, ANSWERED = "what is a loan?", "A loan costs interest."


@pytest.mark.parametrize(
    ("attributes", "events", "content"),
    [
        pytest.param(
            {
                "gen_ai.prompt.0.role": "user",
                "gen_ai.prompt.0.content": ASKED,
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.content": ANSWERED,
                "gen_ai.completion.0.finish_reason": "stop",
            },
            [],
            (ASKED, ANSWERED),
            id="OpenLLMetry before it followed OpenTelemetry",
        ),
        pytest.param(
            {
                "gen_ai.prompt.1.role": "user",
                "gen_ai.prompt.1.content": ASKED,
                "gen_ai.prompt.0.role": "system",
                "gen_ai.prompt.0.content": "be brief",
                "gen_ai.completion.0.role": "assistant",
                "gen_ai.completion.0.tool_calls.0.name": "rates",
                "gen_ai.completion.0.tool_calls.0.arguments": "{}",
            },
            [],
            (
                f'[{{"role":"system","content":"be brief"}},{{"role":"user","content":"{ASKED}"}}]',
                '[{"role":"assistant","tool_calls.0.name":"rates","tool_calls.0.arguments":"{}"}]',
            ),
            id="OpenLLMetry with a system prompt and a tool call",
        ),
        pytest.param(
            {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": ASKED,
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.content": ANSWERED,
            },
            [],
            (ASKED, ANSWERED),
            id="OpenInference with hidden values and shown messages",
        ),
        pytest.param(
            {},
            [
                ("gen_ai.system.message", {"gen_ai.event.content": '{"role":"system","content":"be brief"}'}),
                ("gen_ai.user.message", {"gen_ai.event.content": f'{{"role":"user","content":"{ASKED}"}}'}),
                (
                    "gen_ai.choice",
                    {
                        "gen_ai.system": "az.ai.inference",
                        "gen_ai.event.content": f'{{"message":{{"content":"{ANSWERED}"}},"finish_reason":"stop"}}',
                    },
                ),
            ],
            (
                f'[{{"role":"system","content":"be brief"}},{{"role":"user","content":"{ASKED}"}}]',
                f'[{{"message":{{"content":"{ANSWERED}"}},"finish_reason":"stop"}}]',
            ),
            id="Azure AI Inference",
        ),
        pytest.param(
            {},
            [
                ("gen_ai.user.message", {"gen_ai.event.content": ASKED}),
                ("gen_ai.choice", {"gen_ai.event.content": ANSWERED}),
                ("gen_ai.user.message", {}),
                ("other.message", {"gen_ai.event.content": "no message of a model"}),
            ],
            (ASKED, ANSWERED),
            id="events with text that is not JSON",
        ),
        pytest.param(
            {
                "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"{ASKED}"}}]}}]',
                "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"tool_call","name":"rates",'
                '"arguments":{}}]}]',
                "input.value": "another one",
            },
            [],
            (
                f'[{{"role":"user","parts":[{{"type":"text","content":"{ASKED}"}}]}}]',
                '[{"role":"assistant","parts":[{"type":"tool_call","name":"rates","arguments":{}}]}]',
            ),
            id="OpenTelemetry with a tool call without arguments",
        ),
    ],
)
def test_messages_in_parts_are_put_together(
    attributes: dict[str, object], events: Events, content: tuple[str, str]
) -> None:
    assert content_of(attributes, events) == content
    whole = added(attributes, events)
    assert (whole["inputs"], whole["output"]) == content


@pytest.mark.parametrize(
    ("attributes", "events"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini"}, [], id="OpenTelemetry"),
        pytest.param({"input.value": "__REDACTED__", "output.value": "__REDACTED__"}, [], id="OpenInference"),
        pytest.param(
            {
                "llm.input_messages.0.message.role": "user",
                "llm.input_messages.0.message.content": "__REDACTED__",
                "llm.output_messages.0.message.role": "assistant",
                "llm.output_messages.0.message.contents.0.message_content.type": "text",
                "llm.output_messages.0.message.contents.0.message_content.text": "__REDACTED__",
            },
            [],
            id="OpenInference with hidden texts",
        ),
        pytest.param(
            {"gen_ai.prompt.0.role": "user", "gen_ai.completion.0.finish_reason": "stop"}, [], id="OpenLLMetry"
        ),
        pytest.param(
            {
                "gen_ai.input.messages": '[{"role":"user","parts":[]}]',
                "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text"}],"finish_reason":"stop"}]',
            },
            [],
            id="OpenTelemetry's messages without words",
        ),
        pytest.param(
            {},
            [
                ("gen_ai.user.message", {"gen_ai.event.content": '{"role":"user"}'}),
                (
                    "gen_ai.choice",
                    {
                        "gen_ai.event.content": '{"message":{"tool_calls":[{"id":"1","type":"function"}]},'
                        '"finish_reason":"tool_calls","index":0}'
                    },
                ),
            ],
            id="Azure AI Inference",
        ),
        pytest.param({"mlflow.spanInputs": "{}", "mlflow.spanOutputs": "null"}, [], id="MLflow, a call without values"),
        pytest.param({"inputs": "", "output": None}, [], id="prompt flow"),
        pytest.param({}, [("promptflow.function.inputs", {"payload": ""})], id="prompt flow's event"),
        pytest.param(
            {"gen_ai.prompt": [], "gen_ai.prompt.x.content": "a", "gen_ai.prompt.9": "b"}, [], id="no message"
        ),
    ],
)
def test_what_a_library_records_without_content_is_not_content(attributes: dict[str, object], events: Events) -> None:
    assert content_of(attributes, events) == (None, None)
    assert {"inputs", "output"}.isdisjoint(added(attributes, events))


@pytest.mark.parametrize("text", ["[" * 50_000, '{"a":' * 400 + "1" + "}" * 400, f"[{' ' * 100_000}]"])
def test_a_text_that_is_too_deep_or_too_long_for_an_empty_message_is_content_as_it_is(text: str) -> None:
    events: Events = [("gen_ai.choice", {"gen_ai.event.content": text})]
    inputs, output = content_of({"gen_ai.input.messages": text}, events)
    assert inputs == text
    assert output in {text, f"[{text}]"}


LABELS = st.sampled_from(["role", "id", "type", "index", "finish_reason", "tool_call_id"])
EMPTY = st.sampled_from(["", " ", None, "[]", "{}", "null", "__REDACTED__", [], {}])
SILENT = st.recursive(
    EMPTY,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text(max_size=5), inner, max_size=3)
        | st.dictionaries(LABELS, st.text(max_size=5) | st.integers(), max_size=3)
    ),
    max_leaves=10,
)
NAMES_OF_CONTENT = st.sampled_from([*_INPUT.names, *_OUTPUT.names])


@given(SILENT, NAMES_OF_CONTENT, st.sampled_from(["gen_ai.choice", "gen_ai.user.message"]))
def test_labels_and_empty_values_are_never_content(value: object, name: str, event: str) -> None:
    text = json.dumps(value)
    assert content_of({}, [(event, {"gen_ai.event.content": text})]) == (None, None)
    if name in {"gen_ai.input.messages", "gen_ai.output.messages"}:
        assert content_of({name: text}, NO_EVENTS) == (None, None)


@given(SILENT, st.text(min_size=1).filter(lambda words: words.strip() not in _NOTHING), NAMES_OF_CONTENT)
def test_words_are_always_content_whatever_stands_around_them(around: object, words: str, name: str) -> None:
    text = json.dumps([around, {"role": "user", "parts": [{"type": "text", "content": words}]}])
    recorded = content_of({name: text}, NO_EVENTS)
    assert text in recorded
    asked, answered = content_of(
        {}, [(event, {"gen_ai.event.content": text}) for event in ("gen_ai.user.message", "gen_ai.choice")]
    )
    assert json.loads(str(asked)) == json.loads(str(answered)) == [json.loads(text)]


def test_the_attributes_of_prompt_flow_are_kept() -> None:
    own: dict[str, object] = {"inputs": "i", "output": "o", "span_type": "LLM", "framework": "promptflow"}
    assert added({**own, "input.value": "other"}) == {}
    events: Events = [
        ("promptflow.function.inputs", {"payload": "[1]"}),
        ("promptflow.function.output", {"payload": "2"}),
    ]
    assert content_of({}, events) == ("[1]", "2")


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"gen_ai.operation.name": "chat"}, "LLM"),
        ({"gen_ai.operation.name": "embeddings"}, "Embedding"),
        ({"gen_ai.operation.name": "execute_tool"}, "Tool"),
        ({"openinference.span.kind": "RETRIEVER"}, "Retrieval"),
        ({"traceloop.span.kind": "workflow"}, "Flow"),
        ({"llm.request.type": "completion"}, "LLM"),
        ({"llm.request.type": "rerank"}, "Retrieval"),
        ({"mlflow.spanType": "CHAT_MODEL"}, "LLM"),
        ({"mlflow.spanType": '"CHAT_MODEL"'}, "LLM"),
        ({"mlflow.spanType": '"RETRIEVER"'}, "Retrieval"),
        ({"gen_ai.operation.name": "something new"}, "Function"),
        ({"gen_ai.operation.name": 7}, "Function"),
    ],
)
def test_a_span_has_the_type_that_azure_gives_its_kind(attributes: dict[str, object], kind: str) -> None:
    assert added(attributes) == {"span_type": kind, "framework": "library"}


# --- The result of Azure's preprocessor ----------------------------------------------------------------------------

CONTENT = {"gen_ai.input.messages": "q", "gen_ai.output.messages": "a"}
LINES_OF_A_REQUEST = [
    Span.Event(
        name=f"azureml.inference.{collection}",
        attributes=key_values({"azureml.collection.name": collection, "cloudevents.event_id": collection}),
    )
    for collection in ("model_inputs", "model_outputs")
]
KINDS: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {}),
    ({"attributes": {"http.request.method": "POST"}}, {}),
    ({"attributes": CONTENT}, {}),
    ({"attributes": {"http.request.method": "POST"}}, {"attributes": CONTENT}),
    ({}, {"attributes": CONTENT | {"gen_ai.operation.name": "embeddings"}}),
    ({}, {"attributes": CONTENT | {"openinference.span.kind": "RETRIEVER"}}),
    ({}, {"attributes": CONTENT | {"gen_ai.operation.name": "execute_tool"}}),
    ({}, {"attributes": CONTENT | {"gen_ai.operation.name": "embeddings", "span_type": "LLM"}}),
    ({"attributes": {"gen_ai.input.messages": "q"}, "status": {"code": 2, "message": "failed"}}, {}),
    ({"parent_span_id": b"p" * 8, "flags": 0x301}, {}),
    ({"events": LINES_OF_A_REQUEST}, {}),
    ({"name": "chat gpt-4o-mini", "kind": Span.SPAN_KIND_CLIENT, "attributes": {"gen_ai.operation.name": "chat"}}, {}),
]
"""Fields of the span of a request, and of a call inside it."""
GRADED = [
    {"trace_id": f"0x{'03' * 16}", "input": "q", "output": "a", "root": "POST /score"},
    {"trace_id": f"0x{'04' * 16}", "input": "q", "output": "a", "root": "call"},
    {"trace_id": f"0x{'08' * 16}", "input": "q", "output": "a", "root": "call"},
]


def lines(kept: KeptSpans) -> list[dict[str, Any]]:
    """The lines of traces of every kind."""
    spans = []
    for number, (fields, call) in enumerate(KINDS, 1):
        trace_id, root = bytes([number] * 16), bytes([number] * 8)
        spans.append(span(**{"trace_id": trace_id, "span_id": root, **fields}))
        spans.append(span("call", trace_id=trace_id, span_id=b"c" * 8, parent_span_id=root, **{"kind": 1, **call}))
    mapped = map_records(decode(span_request(*spans), signal.spans(kept)), arrival_ns=NOON, destinations=Destinations())
    return [json.loads(line.data) for group in mapped.lines.values() for line in group]


def of_collection(stored: list[dict[str, Any]], collection: str) -> list[dict[str, Any]]:
    return [line for line in stored if line["type"] == f"azureml.inference.{collection}"]


@pytest.mark.parametrize("kept", list(KeptSpans))  # prompt flow marks the types of its spans itself, as the eighth
def test_azures_monitor_grades_every_question_with_an_answer_and_nothing_else(kept: KeptSpans) -> None:
    assert preprocess(of_collection(lines(kept), "app_traces")) == GRADED


def test_all_other_spans_are_stored_too() -> None:
    stored = lines(KeptSpans.ALL)
    assert len(stored) == 2 * len(KINDS)
    assert len(of_collection(stored, "app_spans")) == len(stored) - len(GRADED)


def test_a_monitor_that_got_all_spans_would_fail() -> None:
    with pytest.raises(JobFailedError, match="of 12 traces have no input or no output"):
        preprocess(lines(KeptSpans.ALL))


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

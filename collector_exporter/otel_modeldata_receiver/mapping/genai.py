"""The attributes that Azure's GenAI preprocessor needs in addition to OpenTelemetry's: input, output, type, framework.

The preprocessor builds one row for each trace from the root of the trace: the first span whose parent is not in the
folder. It drops a trace whose root has no input or no output, and when a third of the traces is dropped the whole job
fails. Every endpoint has request spans, and none of them has inputs and outputs under Azure's names. So `completed`
adds the attributes that are absent:

- `inputs` and `output`, the first available of
  1. the value that a library recorded under another name (OTel's GenAI conventions, OpenInference, Traceloop, MLflow);
  2. references to the lines of `model_inputs` and `model_outputs`, from the SDK's span events. The data itself stays in
     those lines;
  3. for a span at the entry of a service, which is a root for that reason: the request line and the status;
- `span_type` and `framework`, because the job cannot write a column without any value.

Attributes that a span has are never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    Attributes = Mapping[str, object]

__all__ = ["completed", "has_content"]


INPUTS: Final = "inputs"
OUTPUT: Final = "output"
SPAN_TYPE: Final = "span_type"
FRAMEWORK: Final = "framework"
"""The four attributes of Azure's prompt flow that become columns of the preprocessor."""

_INPUTS_EVENT: Final = "promptflow.function.inputs"
_OUTPUT_EVENT: Final = "promptflow.function.output"
_PAYLOAD: Final = "payload"

_INPUT_NAMES: Final = (
    "gen_ai.input.messages",  # OTel semantic conventions 1.37 and later
    "gen_ai.tool.call.arguments",
    "input.value",  # OpenInference
    "traceloop.entity.input",
    "mlflow.spanInputs",
    "gen_ai.prompt",  # OTel before 1.37, on the span or on its event gen_ai.content.prompt
    "gen_ai.prompt.0.content",  # Traceloop before it followed OTel
)
_OUTPUT_NAMES: Final = (
    "gen_ai.output.messages",
    "gen_ai.tool.call.result",
    "output.value",
    "traceloop.entity.output",
    "mlflow.spanOutputs",
    "gen_ai.completion",
    "gen_ai.completion.0.content",
)
_TYPE_NAMES: Final = (
    "gen_ai.operation.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "mlflow.spanType",
)
_TYPES: Final = {
    "chat": "LLM",
    "text_completion": "LLM",
    "generate_content": "LLM",
    "llm": "LLM",
    "chat_model": "LLM",
    "embeddings": "Embedding",
    "embedding": "Embedding",
    "retrieval": "Retrieval",
    "retriever": "Retrieval",
    "execute_tool": "Tool",
    "tool": "Tool",
    "workflow": "Flow",
    "chain": "Flow",
}
_OTHER_TYPE: Final = "Function"
_METHODS: Final = (
    "http.request.method",
    "http.method",
    "rpc.method",
    "messaging.operation.type",
    "messaging.operation",
)
_TARGETS: Final = (
    "url.path",
    "http.target",
    "http.route",
    "rpc.service",
    "messaging.destination.name",
    "messaging.destination",
)
_STATUSES: Final = (
    "http.response.status_code",
    "http.status_code",
    "rpc.response.status_code",
    "rpc.grpc.status_code",
)


def has_content(attributes: Attributes, events: Sequence[tuple[str, Attributes]]) -> bool:
    """Whether a span has an input and an output.

    Args:
        attributes: of the span.
        events: names and attributes of its events.
    """
    return _has(attributes, events, INPUTS, _INPUTS_EVENT, _INPUT_NAMES) and _has(
        attributes, events, OUTPUT, _OUTPUT_EVENT, _OUTPUT_NAMES
    )


def completed(
    attributes: Attributes,
    events: Sequence[tuple[str, Attributes]],
    *,
    framework: str,
    entry: tuple[str, str] | None,
) -> dict[str, object]:
    """The attributes of a span, with those added that the preprocessor needs; see the module's docstring.

    Args:
        attributes: of the span.
        events: names and attributes of its events.
        framework: which library made the span.
        entry: name and status of a span at the entry of a service, None for others.
    """
    complete = dict(attributes)
    if INPUTS not in attributes:
        found = _recorded(attributes, events, _INPUTS_EVENT, _INPUT_NAMES) or _lines(events, "input")
        if found is None and entry is not None:
            found = _text({"method": _first(attributes, _METHODS), "target": _first(attributes, _TARGETS) or entry[0]})
        if found is not None:
            complete[INPUTS] = found
    if OUTPUT not in attributes:
        found = _recorded(attributes, events, _OUTPUT_EVENT, _OUTPUT_NAMES) or _lines(events, "output")
        if found is None and entry is not None:
            found = _text({"status_code": _first(attributes, _STATUSES), "status": entry[1]})
        if found is not None:
            complete[OUTPUT] = found
    complete.setdefault(SPAN_TYPE, _TYPES.get(str(_first(attributes, _TYPE_NAMES)).lower(), _OTHER_TYPE))
    complete.setdefault(FRAMEWORK, framework)
    return complete


def _has(
    attributes: Attributes, events: Sequence[tuple[str, Attributes]], own: str, event: str, names: Sequence[str]
) -> bool:
    return own in attributes or _recorded(attributes, events, event, names) is not None


def _recorded(
    attributes: Attributes, events: Sequence[tuple[str, Attributes]], event: str, names: Sequence[str]
) -> str | None:
    """The value that a library recorded: in prompt flow's event, or under one of `names` on the span or an event."""
    for event_name, event_attributes in events:
        if event_name == event and _PAYLOAD in event_attributes:
            return _text(event_attributes[_PAYLOAD])
    for holder in (attributes, *(event_attributes for _, event_attributes in events)):
        found = _first(holder, names)
        if found is not None:
            return _text(found)
    return None


def _lines(events: Iterable[tuple[str, Attributes]], side: str) -> str | None:
    """The lines of the inputs, or the outputs, of a request: their collections, ids and folders, as JSON text."""
    lines = [
        {key: about[key] for key in _ABOUT_A_LINE if key in about}
        for _, about in events
        if side in str(about.get(semconv.AZUREML_COLLECTION_NAME, "")) and semconv.CLOUDEVENTS_EVENT_ID in about
    ]
    return _text(lines) if lines else None


_ABOUT_A_LINE: Final = (
    semconv.AZUREML_COLLECTION_NAME,
    semconv.AZUREML_CORRELATION_ID,
    semconv.CLOUDEVENTS_EVENT_ID,
    semconv.AZUREML_DATA_FOLDER,
)


def _first(attributes: Attributes, names: Iterable[str]) -> object | None:
    return next((attributes[name] for name in names if attributes.get(name) is not None), None)


def _text(value: object) -> str:
    """Text as it is; any other value as JSON, without unknown keys."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        value = {key: item for key, item in value.items() if item is not None}
    return msgspec.json.encode(value).decode()

"""The content of a span, and the attributes that Azure's GenAI preprocessor needs: input, output, type, framework.

Content is what a library recorded as the input and the output of a call: the question and the answer. The preprocessor
builds one row for each trace from the root of the trace: the first span whose parent is not in the folder. It drops a
trace whose root has no input or no output, and when a third of the traces is dropped the whole job fails. And a monitor
grades every text that it gets. So only spans with an input and an output are in the collection that it reads; nothing
is made up for the others. Nor does it get the steps towards an answer: a vector is no answer to a text.

Libraries record content in four ways, which are tried in this order: under Azure's own names, as one value
(`_INPUT_NAMES`), as one attribute for each part of a message, and as events of the span (both in `messages.py`).

`completed` adds Azure's names. Attributes that a span has are never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from . import messages

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    Attributes = Mapping[str, object]
    Events = Sequence[tuple[str, Attributes]]

__all__ = ["LLM", "Content", "completed", "content_of", "is_graded", "span_type"]


INPUTS: Final = "inputs"
OUTPUT: Final = "output"
SPAN_TYPE: Final = "span_type"
FRAMEWORK: Final = "framework"
"""The four attributes of Azure's prompt flow that become columns of the preprocessor."""

_PAYLOAD: Final = "payload"

LLM: Final = "LLM"
"""The type of a call of a language model."""


class _Side(NamedTuple):
    """Where the input, or the output, of a span may be."""

    own: str
    """Azure's own attribute."""
    event: str
    """Azure's own event."""
    names: tuple[str, ...]
    """Attributes, of the span or of an event, that are one value."""
    lists: tuple[str, ...]
    """Prefixes of attributes that are one part of a message each."""


_INPUT: Final = _Side(
    own=INPUTS,
    event="promptflow.function.inputs",
    names=(
        "gen_ai.input.messages",  # OTel semantic conventions 1.37 and later
        "gen_ai.tool.call.arguments",
        "input.value",  # OpenInference
        "traceloop.entity.input",
        "gen_ai.task.input",  # Traceloop, for agents
        "mlflow.spanInputs",
        "gen_ai.prompt",  # OTel before 1.37, on the span or on its event gen_ai.content.prompt
    ),
    lists=("gen_ai.prompt.", "llm.input_messages."),  # Traceloop before it followed OTel; OpenInference
)
_OUTPUT: Final = _Side(
    own=OUTPUT,
    event="promptflow.function.output",
    names=(
        "gen_ai.output.messages",
        "gen_ai.tool.call.result",
        "output.value",
        "traceloop.entity.output",
        "gen_ai.task.output",
        "mlflow.spanOutputs",
        "gen_ai.completion",
    ),
    lists=("gen_ai.completion.", "llm.output_messages."),
)
_PREFIXES: Final = ("gen_ai.", "input", "output", "llm.", "mlflow.", "traceloop.", _PAYLOAD)
"""One of them begins each name above."""
_MESSAGES: Final = frozenset({"gen_ai.input.messages", "gen_ai.output.messages"})
"""JSON that may hold messages without a word, for example of a library that records roles only."""
_TYPE_NAMES: Final = (
    "gen_ai.operation.name",
    "openinference.span.kind",
    "traceloop.span.kind",
    "llm.request.type",  # Traceloop before it followed OTel
    "mlflow.spanType",
)
_TYPES: Final = {
    "chat": LLM,
    "completion": LLM,
    "text_completion": LLM,
    "generate_content": LLM,
    "llm": LLM,
    "chat_model": LLM,
    "embeddings": "Embedding",
    "embedding": "Embedding",
    "retrieval": "Retrieval",
    "retriever": "Retrieval",
    "rerank": "Retrieval",
    "reranker": "Retrieval",
    "execute_tool": "Tool",
    "tool": "Tool",
    "workflow": "Flow",
    "chain": "Flow",
}
_OTHER_TYPE: Final = "Function"
_STEPS: Final = frozenset({"Embedding", "Retrieval", "Tool"})
"""Types of calls whose output is not for the one who asked."""


class Content(NamedTuple):
    """What a library recorded of a call.

    Attributes:
        inputs: what the caller asked; None where nothing was recorded.
        output: the answer; None where nothing was recorded.
    """

    inputs: str | None
    output: str | None

    @property
    def is_whole(self) -> bool:
        """Whether both were recorded."""
        return self.inputs is not None and self.output is not None


def content_of(attributes: Attributes, events: Events) -> Content:
    """The content of a span.

    Args:
        attributes: of the span.
        events: names and attributes of its events.
    """
    if not any(map(_may_have_content, (attributes, *(of_event for _, of_event in events)))):
        return Content(None, None)
    inputs, output = _recorded(attributes, events, _INPUT), _recorded(attributes, events, _OUTPUT)
    if inputs is None or output is None:
        asked, answered = messages.of_events(events)
        inputs = asked if inputs is None and INPUTS not in attributes else inputs
        output = answered if output is None and OUTPUT not in attributes else output
    return Content(inputs, output)


def is_graded(attributes: Attributes, content: Content, kind: str) -> bool:
    """Whether a monitor gets a span: it has a question and an answer, or is of prompt flow, which marks its steps.

    Args:
        attributes: of the span.
        content: of the span.
        kind: its `span_type`.
    """
    return content.is_whole and (SPAN_TYPE in attributes or kind not in _STEPS)


def completed(attributes: Attributes, content: Content, *, kind: str, framework: str) -> dict[str, object]:
    """The attributes of a span, with those added that the preprocessor needs; see the module's docstring.

    Args:
        attributes: of the span.
        content: of the span.
        kind: its `span_type`.
        framework: which library made the span.
    """
    complete = dict(attributes)
    if content.inputs is not None:
        complete.setdefault(INPUTS, content.inputs)
    if content.output is not None:
        complete.setdefault(OUTPUT, content.output)
    # The job cannot write a column without any value.
    complete.setdefault(SPAN_TYPE, kind)
    complete.setdefault(FRAMEWORK, framework)
    return complete


def span_type(attributes: Attributes) -> str:
    """The type that Azure gives to the kind of call that `attributes` name."""
    for name in _TYPE_NAMES:
        kind = attributes.get(name)
        if kind is not None:
            # MLflow writes every attribute as JSON: a text is in quotes.
            return _TYPES.get(str(kind).strip('"').lower(), _OTHER_TYPE)
    return _OTHER_TYPE


def _may_have_content(attributes: Attributes) -> bool:
    """Whether a name is one of a library's; most spans of a service have none, and need no search for each name."""
    return any(key.startswith(_PREFIXES) for key in attributes)


def _recorded(attributes: Attributes, events: Events, side: _Side) -> str | None:
    """The value under Azure's names, or under one of the names of `side`."""
    for event_name, event_attributes in events:
        if event_name == side.event and _PAYLOAD in event_attributes:
            return _said(side.event, event_attributes[_PAYLOAD])
    if side.own in attributes:
        return _said(side.own, attributes[side.own])
    for holder in (attributes, *(event_attributes for _, event_attributes in events)):
        for name in side.names:
            found = _said(name, holder.get(name))
            if found is not None:
                return found
    lists = (messages.of_attributes(attributes, prefix) for prefix in side.lists)
    return next((found for found in lists if found is not None), None)


def _said(name: str, value: object) -> str | None:
    """The value of an attribute as text; None where it says nothing."""
    if not messages.says_something(value):
        return None
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if name not in _MESSAGES or messages.says_something(messages.parsed(text)) else None

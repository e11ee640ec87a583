"""The mapper of spans: the bytes of a whole request become lines; nothing is lost or made up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuzz_target import FuzzTarget
from google.protobuf.message import DecodeError
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from otlp_requests import span, span_request
from target_otlp_mapper import WORDS, check_mapped, mapped
from template_records import VALUES
from wire_messages import records_of, with_a_change

from otel_modeldata_receiver.config.kept_spans import KeptSpans
from otel_modeldata_receiver.exceptions import UndecodableError
from otel_modeldata_receiver.mapping.signal import spans

if TYPE_CHECKING:
    import random

__all__ = ["TARGET"]

_KEYS = (
    *("gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.operation.name", "gen_ai.request.model"),
    *("gen_ai.usage.input_tokens", "gen_ai.prompt.0.content", "gen_ai.completion.0.content", "input.value"),
    *("output.value", "llm.input_messages.0.message.content", "mlflow.spanInputs", "mlflow.spanOutputs", "error.type"),
)
_WORDS = (
    *WORDS,
    *(key.encode() for key in _KEYS),
    b'[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    b'{"messages":[{"role":"user","content":"hi"}]}',
)


def check(request: bytes) -> None:
    """The oracle; see above."""
    everything, with_content = (mapped(request, spans(kept)) for kept in (KeptSpans.ALL, KeptSpans.CONTENT))
    if isinstance(everything, UndecodableError) or isinstance(with_content, UndecodableError):
        assert type(everything) is type(with_content)
        try:
            ExportTraceServiceRequest.FromString(request)
        except DecodeError:
            return
        has_groups = records_of(request) is None  # old Protocol Buffers, no part of OTLP
        assert has_groups, f"a request of {len(request)} bytes that decodes is refused"
        return
    for outcome in (everything, with_content):
        check_mapped(request, outcome, keeps_bytes=False)
    assert everything.left_out == 0, "spans are left out although all are kept"
    assert everything.records == with_content.records
    kept = {line.data for group in with_content.lines.values() for line in group}
    assert kept <= {line.data for group in everything.lines.values() for line in group}, "another line"


def _mutate(request: bytes, chance: random.Random) -> bytes:
    return with_a_change(request, chance, _WORDS)


_SPANS = st.builds(
    span,
    st.sampled_from(["POST /score", "chat", "", "embeddings"]),
    st.dictionaries(st.sampled_from(_KEYS), VALUES | st.just('[{"role":"user","content":"hi"}]'), max_size=4),
    parent_span_id=st.sampled_from([b"", b"p" * 8, b"p"]),
    kind=st.integers(0, 5),
)

TARGET = FuzzTarget(
    name="otlp_spans",
    about="bytes of an OTLP request of spans -> lines and rejections, for both settings of `spans`",
    check=check,
    mutate=_mutate,
    inputs=st.lists(_SPANS, min_size=1, max_size=3).map(lambda sent: span_request(*sent)),
    runs=12_000,
)

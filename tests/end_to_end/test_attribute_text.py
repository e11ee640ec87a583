"""What `collect` accepts as an id or header, a receiver stores: the two have one rule, in two packages."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

from otel_modeldata._payload.captured_headers import text_of as header_text
from otel_modeldata.context import checked_text
from otel_modeldata.exceptions import ContextError
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.mapping.otlp import text_of

_TEXTS = st.text(
    st.one_of(st.characters(), st.sampled_from("\x00\t\n\r\x1f\x20\x7f\x80\x9f\xa0\u2028\ufffe")), max_size=8
)


@given(_TEXTS)
def test_an_id_is_refused_by_collect_exactly_if_a_receiver_refuses_it(text: str) -> None:
    try:
        stored = text_of("azureml.correlation.id", AnyValue(string_value=text))
    except (BadRecordError, UnicodeEncodeError):
        with pytest.raises(ContextError):
            checked_text(text)
    else:
        assert checked_text(text) == stored


@given(st.binary(max_size=12))
def test_a_receiver_stores_a_header_of_any_bytes(raw: bytes) -> None:
    text = header_text(raw.decode("latin-1"))
    assert text_of("azureml.request.id", AnyValue(string_value=text)) == text

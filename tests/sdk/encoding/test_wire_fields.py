from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_modeldata._encoding.otlp_messages import KeyValue, LogRecord
from otel_modeldata._encoding.wire_fields import any_value, attribute


@given(st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False) | st.booleans() | st.text())
@example(0)
@example(2**63 - 1)
@example(-(2**63))
def test_an_attribute_has_the_bytes_that_the_protobuf_library_makes(value: str | float) -> None:
    expected = LogRecord(attributes=[KeyValue(key="k", value=any_value(value))])
    assert attribute("k", value) == expected.SerializeToString()


@pytest.mark.parametrize("value", [2**63, 2**64 - 1, 2**64, 2**70, 10**400, -(2**63) - 1])
def test_an_integer_of_more_than_64_bits_is_refused(value: int) -> None:
    with pytest.raises(ValueError, match="out of range"):
        attribute("k", value)

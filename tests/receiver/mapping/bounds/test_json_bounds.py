"""Bodies in JSON are refused before they are decoded if they have too many bytes or values."""

from __future__ import annotations

import pytest

from otel_modeldata_receiver.config.limits import LimitsConfig
from otel_modeldata_receiver.exceptions import TooLargeError, UndecodableError
from otel_modeldata_receiver.mapping.bounds.json_bounds import MOST_OBJECTS, check_json

LIMITS = LimitsConfig()


def test_a_large_body_is_refused_with_the_setting() -> None:
    with pytest.raises(TooLargeError, match=r"^expected a request in JSON of at most 10 bytes .limits.max_json_bytes"):
        check_json(b"x" * 11, LimitsConfig(max_json_bytes=10))


@pytest.mark.parametrize(
    "text",
    [b"{}," * (MOST_OBJECTS + 1), b"[" * 400_000, b'"a":1,' * 400_000, b"[[]," * 300_000],
    ids=["objects", "depth", "keys", "arrays"],
)
def test_a_body_of_too_many_values_is_undecodable(text: bytes) -> None:
    with pytest.raises(UndecodableError, match=r"^undecodable request: expected at most 131072 objects"):
        check_json(text, LIMITS)


def test_rows_in_a_text_do_not_count() -> None:
    rows = b"[" + b'{\\"a\\":1},' * 500_000 + b"{}]"
    check_json(b'{"body":{"stringValue":"' + rows + b'"}}', LIMITS)

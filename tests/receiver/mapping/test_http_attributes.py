"""Keys of an HTTP exchange: the values that were sent, if they are valid."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import any_value

from otel_modeldata import semconv
from otel_modeldata_receiver.mapping import http_attributes

VALUES = st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats() | st.binary(max_size=9) | st.text()


def keys(**values: str) -> dict[str, str]:
    return http_attributes.line_keys({getattr(semconv, name): text for name, text in values.items()})


def total(text: str, size: int = 10) -> int | str | None:
    return http_attributes.total_bytes({semconv.AZUREML_DATA_TOTAL_BYTES: text}, size)


def test_a_line_has_the_keys_that_were_sent() -> None:
    assert keys() == {}
    assert keys(URL_PATH="/", HTTP_REQUEST_METHOD="GET") == {"path": "/", "method": "GET"}
    assert keys(HTTP_RESPONSE_STATUS_CODE="503", AZUREML_RESPONSE_LATENCY_MS="0.25") == {
        "statuscode": "503",
        "latencyms": "0.25",
    }


@pytest.mark.parametrize(
    ("query", "path"), [("size=1", "/score?size=1"), ("", "/score"), ("?", "/score??"), ("a=%20&b", "/score?a=%20&b")]
)
def test_a_path_ends_with_its_query(query: str, path: str) -> None:
    """S71."""
    assert keys(URL_PATH="/score", URL_QUERY=query) == {"path": path}


def test_a_query_without_a_path_is_left_out() -> None:
    assert keys(URL_QUERY="a=1") == {}


@pytest.mark.parametrize("text", ["", "0", "99", "1000", "-200", "2e2", "OK", "\u0662\u0660\u0660", "200.0", "true"])
def test_a_status_code_has_three_digits(text: str) -> None:
    assert keys(HTTP_RESPONSE_STATUS_CODE=text) == {}


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1e999", "fast"])
def test_a_latency_is_a_number_that_is_not_negative(text: str) -> None:
    assert keys(AZUREML_RESPONSE_LATENCY_MS=text) == {}


def test_a_total_is_at_least_what_was_collected_or_unknown() -> None:
    """S51."""
    assert (total("10"), total("52000"), total("*"), total("0", 0)) == (10, 52000, "*", 0)


@pytest.mark.parametrize("text", ["", "9", "-1", "1e3", "10.0", "many", "**", "1" * 19, "\u0661\u0661"])
def test_an_impossible_total_is_left_out(text: str) -> None:
    assert total(text) is None


def test_control_characters_are_encoded_as_in_a_url() -> None:
    found = http_attributes.text_of(semconv.URL_PATH, any_value("/a\r\nb\x00\x85é"))
    assert found == "/a%0D%0Ab%00%C2%85é"


@given(VALUES | st.lists(VALUES, max_size=2), st.sampled_from(sorted(http_attributes.ATTRIBUTES)))
def test_every_value_is_a_text_without_control_characters_or_none(value: object, key: str) -> None:
    found = http_attributes.text_of(key, any_value(value))
    assert found is None or not any(ord(char) < 32 or 127 <= ord(char) < 160 for char in found)
    assert set(http_attributes.line_keys({key: found or ""})) <= {"path", "method", "statuscode", "latencyms"}

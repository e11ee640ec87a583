from __future__ import annotations

import logging

import pytest

from otel_modeldata._payload.captured_headers import CapturedHeaders


def read(names: list[str], headers: dict[str, str]) -> dict[str, str]:
    return CapturedHeaders(names).read(headers.get)


def test_a_header_becomes_a_line_key_of_letters_and_digits() -> None:
    """S44."""
    names = ["x-tenant-id", "X_App.Version", "x-ms-client-request-id"]
    headers = {"x-tenant-id": "contoso", "x_app.version": "1", "x-ms-client-request-id": "c", "x-other": "no"}
    assert read(names, headers) == {
        "cloudevents.extension.xtenantid": "contoso",
        "cloudevents.extension.xappversion": "1",
        "cloudevents.extension.xmsclientrequestid": "c",
    }


def test_a_long_name_is_cut_to_the_length_that_cloudevents_allows() -> None:
    assert read(["x-forwarded-preferred-username"], {"x-forwarded-preferred-username": "u"}) == {
        "cloudevents.extension.xforwardedpreferredu": "u"
    }


@pytest.mark.parametrize(
    "name",
    [
        "authorization",
        "proxy-authorization",
        "cookie",
        "x-api-key",
        "apikey",
        "ocp-apim-subscription-key",
        "x-functions-key",
        "x-amz-security-token",
        "x-csrf-token",
        "x-client-secret",
    ],
)
def test_credentials_are_refused_even_if_listed(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read([name.upper()], {name: "hunter2"}) == {}
    (record,) = caplog.records
    assert record.getMessage() == (
        f"request_logging.capture_headers: header {name!r} is not collected: "
        "it carries credentials, which cannot be taken back from a store"
    )


@pytest.mark.parametrize(
    ("sent", "text"),
    [
        (b"Z\xc3\xbcrich", "Zürich"),  # UTF-8
        (b"\xc3\x9cbung", "Übung"),  # UTF-8 of which a byte is a control character in ISO-8859-1
        (b"Z\xfcrich", "Zürich"),  # ISO-8859-1
        (b"a\x85b\x7f\x00", "a%C2%85b%7F%00"),
        (b"\xc2\x85", "%C2%85"),
        (b"a%0Ab", "a%0Ab"),
        (b"\xed\xa0\x80", "í\xa0%C2%80"),  # not UTF-8: a surrogate
    ],
)
def test_a_value_becomes_text_that_a_line_can_hold(sent: bytes, text: str) -> None:
    assert read(["x-city"], {"x-city": sent.decode("latin-1")}) == {"cloudevents.extension.xcity": text}


@pytest.mark.parametrize("name", ["idempotency-key", "x-tokenizer", "x-author", "x-keyboard", "x-request-cost"])
def test_headers_that_only_look_like_credentials_are_collected(name: str) -> None:
    assert list(read([name], {name: "1"}).values()) == ["1"]


@pytest.mark.parametrize("name", ["correlationid", "Data", "data-ref", "--", ""])
def test_a_header_without_its_own_line_key_is_refused(name: str, caplog: pytest.LogCaptureFixture) -> None:
    assert read([name], {name.lower(): "x"}) == {}
    assert "expected a header that gives a line key of its own" in caplog.text


def test_the_second_header_with_the_same_line_key_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    assert read(["x-a-b", "x-ab", "x-a-b"], {"x-a-b": "1", "x-ab": "2"}) == {"cloudevents.extension.xab": "1"}
    assert caplog.text.count("another header of the list has its line key 'xab' already") == 1


def test_the_request_id_need_not_be_listed(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(["x-request-id"], {"x-request-id": "1"}) == {}
    assert caplog.text == ""

from __future__ import annotations

import codecs
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata.validation.media_type import MediaType, parse, type_of_body, utf8_of

FORM = "application/x-www-form-urlencoded"
JSON = "application/json"
CHARSETS = ("iso-8859-1", "latin1", "windows-1252", "utf-16", "UTF-16LE", "utf-32", "shift_jis", "euc-kr", "gb18030")


def text(body: bytes, content_type: str, *, is_cut: bool = False) -> bytes | None:
    return utf8_of(body, parse(content_type), is_cut=is_cut)


@pytest.mark.parametrize(
    ("content_type", "media_type"),
    [
        ("application/json", MediaType("application/json", "")),
        ("APPLICATION/Json;Charset=UTF-8", MediaType("application/json", "utf-8")),
        ('text/csv ; header=present; charset="ISO-8859-1"', MediaType("text/csv", "iso-8859-1")),
        ("text/plain; x-charset=utf-16", MediaType("text/plain", "")),
    ],
)
def test_a_media_type_has_a_name_and_maybe_a_charset(content_type: str, media_type: MediaType) -> None:
    assert parse(content_type) == media_type


@pytest.mark.parametrize(
    "content_type", ["", "json", "a/b/c", "a b/c", "text/plain; \x00", "a/b; " + "x" * 256, "a/b, c/d", "*/*", "ä/b"]
)
def test_text_that_is_not_a_media_type_is_none(content_type: str) -> None:
    assert parse(content_type) is None


@pytest.mark.parametrize("name", ["application/json", "text/json", "image/vnd.x+json", "application/problem+json"])
def test_json_types(name: str) -> None:
    assert MediaType(name, "").is_json
    assert MediaType(name, "").is_text


@pytest.mark.parametrize(
    "name",
    [
        *("text/plain", "text/event-stream", "text/x-anything", "application/x-ndjson", "application/ndjson"),
        *("application/jsonlines", "application/x-jsonlines", "application/jsonl", "application/json-seq"),
        *("application/geo+json-seq", "application/xml", "application/soap+xml", "application/yaml"),
        *("application/openapi+yaml", "application/graphql", "application/csv", "application/x-ldjson", FORM),
        *("application/x-json-stream", "application/x-amz-json-1.1"),
    ],
)
def test_types_of_text_that_is_not_json(name: str) -> None:
    assert (MediaType(name, "").is_text, MediaType(name, "").is_json) == (True, False)


@pytest.mark.parametrize(
    "name",
    [
        *("application/octet-stream", "image/png", "image/svg+xml", "application/x-npy", "application/x-parquet"),
        *("multipart/form-data", "application/protobuf", "application/cbor", "application/vnd.x+cbor", "audio/json5"),
        *("application/vnd.apache.arrow.stream", "application/msgpack", "application/grpc+proto", "video/mp4"),
    ],
)
def test_types_of_bytes(name: str) -> None:
    assert not MediaType(name, "").is_text
    assert utf8_of(b"{}", MediaType(name, "")) is None


JSON_BODIES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
).map(json.dumps)


@given(JSON_BODIES)
def test_json_that_is_declared_as_a_form_is_json(body: str) -> None:
    for declared in (FORM, f"{FORM}; charset=utf-8", FORM.upper()):
        assert type_of_body(declared, body.encode()) == JSON
        assert type_of_body(declared, codecs.BOM_UTF8 + body.encode()) == JSON


@pytest.mark.parametrize("declared", ["", "json", "application/json, text/plain, x"])
@pytest.mark.parametrize(("body", "is_json"), [(b"{}", True), (b" [1]", True), (b"1", False), (b'"x"', False)])
def test_a_body_without_a_media_type_is_json_if_it_is_an_object_or_an_array(
    declared: str, body: bytes, is_json: bool
) -> None:
    assert type_of_body(declared, body) == (JSON if is_json else declared)


@given(st.dictionaries(st.text("abc", min_size=1), st.text("abc1"), min_size=1))
def test_a_form_stays_a_form(fields: dict[str, str]) -> None:
    body = "&".join(f"{key}={value}" for key, value in fields.items()).encode()
    assert type_of_body(FORM, body) == FORM


@pytest.mark.parametrize("declared", ["application/octet-stream", "text/plain", "multipart/form-data; boundary=x"])
def test_any_other_declared_type_counts_even_if_the_body_is_json(declared: str) -> None:
    assert type_of_body(declared, b"{}") == declared


@pytest.mark.parametrize("body", [b"[" * 100_000, b'{"a":', b"\xff", b"", b"NaN", b'{"a":"\xff"}'])
def test_what_is_not_json_keeps_its_type(body: bytes) -> None:
    assert type_of_body(FORM, body) == FORM
    assert type_of_body("", body) == ""


@pytest.mark.parametrize("charset", CHARSETS)
def test_text_in_another_charset_is_decoded(charset: str) -> None:
    body = "año 日本".encode(charset, "ignore")
    assert text(body, f"text/csv; charset={charset}") == body.decode(charset).encode()


@given(st.text(), st.sampled_from(["utf-8", "utf-16", "utf-16-le", "utf-32"]), st.integers(0, 40))
def test_text_that_is_cut_is_its_beginning(given_text: str, charset: str, size: int) -> None:
    body = given_text.encode(charset)
    kept = text(body[:size], f"text/plain; charset={charset}", is_cut=True)
    assert kept is not None
    assert given_text.startswith(kept.decode())


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"\xff", "text/plain"),
        (b"\xff", "text/plain; charset=utf-8"),
        (b"\xff", "text/plain; charset=us-ascii"),
        (b"\xff", "text/plain; charset=unknown"),
        (b"\xff", "text/plain; charset=punycode"),
        (b"a", "text/plain; charset=utf-16"),
        ("año".encode("latin-1"), "text/csv"),
        (b"\x00\xd8", "text/plain; charset=utf-16le"),
    ],
)
def test_a_body_that_is_not_in_its_charset_is_bytes(body: bytes, content_type: str) -> None:
    assert text(body, content_type) is None


@pytest.mark.parametrize(
    "charset", ["unknown", "punycode", "rot13", "zlib", "unicode_escape", "idna", "utf-7", "x/../y"]
)
def test_an_unknown_charset_counts_as_utf_8(charset: str) -> None:
    assert text("ñ".encode(), f"text/plain; charset={charset}") == "ñ".encode()


@pytest.mark.parametrize(
    ("body", "charset"),
    [('{"ñ":1}'.encode(), "iso-8859-1"), ('{"ñ":1}'.encode("utf-16"), "utf-16"), (b'{"\xf1":1}', "iso-8859-1")],
)
def test_json_is_utf_8_unless_only_its_charset_fits(body: bytes, charset: str) -> None:
    assert text(body, f"application/json; charset={charset}") == '{"ñ":1}'.encode()

"""Headers hold credentials: each is sent as it was meant, or refused without any part of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from recording_backend import RecordingBackend

from otel_modeldata import Collector
from otel_modeldata._delivery.grpc_transport import GrpcTransport
from otel_modeldata._settings.otlp_endpoint import load_endpoint
from otel_modeldata.exceptions import ConfigError
from otel_modeldata.transport import Delivered

if TYPE_CHECKING:
    from collections.abc import Iterator

    import grpc


def _headers(text: str) -> tuple[tuple[str, str], ...]:
    return load_endpoint({"OTEL_EXPORTER_OTLP_HEADERS": text}).headers


@pytest.mark.parametrize(
    ("text", "headers"),
    [
        ("", ()),
        (" ,, ", ()),
        ("Authorization=Bearer abc.def", (("authorization", "Bearer abc.def"),)),
        ("Authorization=Bearer%20abc.def", (("authorization", "Bearer abc.def"),)),
        ("authorization=Basic MTE2NjAwMTpXWFhY==", (("authorization", "Basic MTE2NjAwMTpXWFhY=="),)),
        ("x-team=k, x-dataset = d ", (("x-team", "k"), ("x-dataset", "d"))),
        ("a=1,a=2", (("a", "2"),)),
        ("x-key=abc%0A", (("x-key", "abc"),)),
        ("x-key=abc\n", (("x-key", "abc"),)),
        ("x-list=a%2Cb%3Bc", (("x-list", "a,b;c"),)),
        ("x.y_z=1", (("x.y_z", "1"),)),
        ("x-half=100% sure", (("x-half", "100% sure"),)),
        ("x-key=%24TOKEN,y=a$B,z='tis", (("x-key", "$TOKEN"), ("y", "a$B"), ("z", "'tis"))),
    ],
)
def test_headers_are_read_as_opentelemetry_reads_them(text: str, headers: tuple[tuple[str, str], ...]) -> None:
    assert _headers(text) == headers


_UNFILLED = "got a variable or placeholder in place of the value of"
_AS_CODE = ": write the value, a '$' in it as %24"
_NO_NAME = "got an entry without a name that gRPC sends: write 'name=value'"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('"Authorization=Bearer s3cr3t"', "got quotes: remove them, because env files and YAML blocks pass them on"),
        ("'Authorization=Bearer s3cr3t'", "got quotes: remove them, because env files and YAML blocks pass them on"),
        ("Authorization: Bearer s3cr3t", _NO_NAME),
        ("Authorization: Basic s3cr3t==", _NO_NAME),
        ("Authorization Bearer s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("api key=s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("Bearer s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("s3cr3t==", "got a header without a value: give it one, or remove it"),
        ("authorization=", "got a header without a value: give it one, or remove it"),
        ('{"Authorization": "Bearer s3cr3t"}', f"{_NO_NAME}, a space as %20"),
        ("=s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("authorization=Basic s3cr3té", "got a value of 'authorization' with characters that must be percent-encoded"),
        ('key="s3cr3t"', "got a value of 'key' with characters that must be percent-encoded: encode it"),
        ("a=1\nb=s3cr3t", "got a value with characters that must be percent-encoded: encode it"),
        ("s3cr3t-abc=é", "got a value with characters that must be percent-encoded: encode it"),
        ("s3cr3t=a%C3%A9", "got a value that gRPC cannot send: use printable ASCII characters"),
        ("s3cr3t='a'", "got quotes around the value: remove them, or write them as %27"),
        ("s3cr3t=${TOKEN}", f"got a variable or placeholder in place of the value{_AS_CODE}"),
        ("s3cr3t-bin=a", "got a name that ends in '-bin', which says that its value is bytes: choose another name"),
        ("grpc-s3cr3t=a", "got a name that begins with 'grpc-', as those that gRPC sets itself: remove it"),
        ("x-team=s3cr3t%C3%A9", "got a value of 'x-team' that gRPC cannot send: use printable ASCII characters"),
        ("x-key=s3cr3t%0Ab", "got a value of 'x-key' that gRPC cannot send: use printable ASCII characters"),
        ("x-key-bin=s3cr3t", "got a name that ends in '-bin', which says that its value is bytes: choose another name"),
        ("grpc-timeout=s3cr3t", "got a name that begins with 'grpc-', as those that gRPC sets itself: remove it"),
        ("Content-Type=s3cr3t", "got 'content-type', which gRPC sets itself: remove it"),
        ("TE=s3cr3t", "got 'te', which gRPC sets itself: remove it"),
        ("x!=s3cr3t", f"{_NO_NAME}, a space as %20"),
        ("key='s3cr3t'", "got quotes around the value of 'key': remove them, or write them as %27"),
        ("OTEL_EXPORTER_OTLP_HEADERS=key=s3cr3t", "got the name of a variable before it: write only what follows it"),
        ("authorization=Bearer ${s3cr3t}", f"{_UNFILLED} 'authorization'{_AS_CODE}"),
        ("authorization=Bearer $(s3cr3t)", f"{_UNFILLED} 'authorization'{_AS_CODE}"),
        ("key=$TOKEN", f"{_UNFILLED} 'key'{_AS_CODE}"),
        ("key={{ s3cr3t }}", f"{_UNFILLED} 'key'{_AS_CODE}"),
        ("key=<your s3cr3t>", f"{_UNFILLED} 'key'{_AS_CODE}"),
        ("Authorization=Bearer ", "got a value of 'authorization' that has a scheme and nothing after it: add the"),
        ("Authorization=Basic%20", "got a value of 'authorization' that has a scheme and nothing after it: add the"),
    ],
)
def test_what_cannot_be_sent_is_refused_in_init_and_no_part_of_it_is_repeated(
    text: str, reason: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_LOGS_HEADERS", f"x-other=1,{text}")
    with pytest.raises(ConfigError) as raised:
        Collector(name="model_inputs")
    expected = "expected name=value pairs, percent-encoded and separated by commas"
    start = f"OTEL_EXPORTER_OTLP_LOGS_HEADERS: {expected}, in entry 2 {reason}"
    assert str(raised.value).startswith(start)
    assert "s3cr3t" not in f"{raised.value!r} {caplog.text}"


@given(st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60))
def test_no_value_fails_in_another_way_and_every_header_can_be_sent(text: str) -> None:
    try:
        headers = _headers(text)
    except ConfigError:
        return
    for name, value in headers:
        assert name.islower() or not any(map(str.isalpha, name))
        assert value.isascii()
        assert value.isprintable()
        assert value == value.strip()


class Listener:
    """A server that keeps the headers of the last call."""

    def __init__(self, backend: RecordingBackend) -> None:
        self.endpoint = backend.endpoint
        self.headers: dict[str, str | bytes] = {}
        backend.refuse(self._keep)

    def _keep(self, context: grpc.ServicerContext) -> None:
        self.headers = dict(context.invocation_metadata())


@pytest.fixture(scope="module")
def listener() -> Iterator[Listener]:
    with RecordingBackend() as backend:
        yield Listener(backend)


_NAMES = st.text("abcXYZ019-_.", min_size=1, max_size=12) | st.sampled_from(
    ["host", "accept", "accept-encoding", "cookie", "date", "x-bin", "grpc-x", "te", "trailer", "user-agent", "via"]
)
_VALUES = st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=20)


@given(st.dictionaries(_NAMES, _VALUES, max_size=4))
def test_every_header_that_is_accepted_arrives_as_it_is(listener: Listener, given_headers: dict[str, str]) -> None:
    text = ",".join(f"{name}={value}" for name, value in given_headers.items())
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{listener.endpoint}", "OTEL_EXPORTER_OTLP_HEADERS": text}
    try:
        endpoint = load_endpoint(environ)
    except ConfigError:
        return
    transport = GrpcTransport(endpoint)
    assert transport.send(b"") == Delivered()
    transport.close()
    assert {name: listener.headers.get(name) for name, _ in endpoint.headers} == dict(endpoint.headers)

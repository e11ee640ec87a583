"""Answers without the credentials that a target repeats."""

from __future__ import annotations

import base64
import html
import json
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.replaying.answer_secrets import secrets_of_query, without_secrets

if TYPE_CHECKING:
    from collections.abc import Callable

WRITTEN: list[Any] = [str, json.dumps, lambda one: json.dumps(one, ensure_ascii=False), html.escape, quote]


@pytest.mark.parametrize("write", WRITTEN)
@settings(max_examples=30)
@given(st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f ;=,"), min_size=8))
def test_a_value_is_in_no_answer_however_it_is_written(write: Callable[[str], str], value: str) -> None:
    secret = f"<{value.strip()}/4711>"
    content = f"before {write(secret)} after".encode()
    found = without_secrets(content, [f"Bearer {secret}"])
    assert b"REDACTED" in found
    assert found.startswith(b"before ")
    assert found.endswith(b" after")
    assert b"4711" not in found


@pytest.mark.parametrize(
    ("value", "content"),
    [
        ("Bearer abcdefgh1", b"abcdefgh1"),
        ("abcdefgh1", b"abcdefgh1"),
        ("Basic " + base64.b64encode(b"me:abcdefgh1").decode(), b"abcdefgh1"),
        ("a=b; session=abcdefgh1; c=d", b"abcdefgh1"),
        ('Signature keyId="x",signature="abcdefgh1"', b"abcdefgh1"),
        ("SharedAccessSignature sr=x,sig=abcdefgh1", b"abcdefgh1"),
    ],
)
def test_what_is_secret_of_a_value_is_so_alone(value: str, content: bytes) -> None:
    assert without_secrets(b"[" + content + b"]", [value]) == b"[REDACTED]"


def test_short_texts_and_other_answers_stay() -> None:
    assert without_secrets(b'[{"score": 1.5}]', ["1.5", "Bearer score", ""]) == b'[{"score": 1.5}]'


def test_the_credentials_of_a_url_are_those_of_its_names() -> None:
    assert secrets_of_query("https://h/score?code=a%2Fb&version=2&api-key=c&Sig=d") == ["a/b", "c", "d"]

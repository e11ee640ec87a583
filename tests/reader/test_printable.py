"""Texts of clients on a terminal: what steers it, or is not seen, is escaped."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.printable import printable


@given(st.text(st.characters(categories=["Cc", "Cs", "Zl", "Zp", "L", "Nd"])))
def test_no_control_character_is_left(text: str) -> None:
    assert printable(text).isprintable()


@pytest.mark.parametrize("character", ["\u061c", "\u200b", "\u2060", "\ufeff", "\xad", "\ufff9", "\U000e0041"])
def test_a_character_that_is_not_seen_is_escaped(character: str) -> None:
    assert unicodedata.category(character) == "Cf"
    assert printable(f"a{character}b") == f"a{character.encode('unicode_escape').decode()}b"


@pytest.mark.parametrize(
    "text", ["\u0645\u06cc\u200c\u062e", "\U0001f469\u200d\U0001f469", "e\u0301 \u8a9e \u05d0", "\\"]
)
def test_words_and_emoji_are_as_they_are(text: str) -> None:
    assert printable(text) == text

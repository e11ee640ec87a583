"""The size of texts is never too small, and text that has no UTF-8 is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata._encoding.text_size import text_bytes

NARROW, WIDE, WIDEST = st.characters(max_codepoint=0xFF), st.characters(codec="utf-8"), st.sampled_from("a€😀")
TEXT = st.text(st.one_of(NARROW, WIDE, WIDEST), max_size=200) | st.text(NARROW, min_size=65, max_size=200)


@given(st.lists(TEXT))
def test_the_size_is_that_of_utf_8_or_of_the_characters_in_memory_or_of_latin_1_at_most_twice(texts: list[str]) -> None:
    exact = sum(len(text.encode()) for text in texts)
    in_memory = sum(len(text) * _width(text) for text in texts)
    assert (
        max(exact, in_memory) <= text_bytes(texts) <= max(exact, in_memory + 32 * len(texts), 2 * sum(map(len, texts)))
    )


def _width(text: str) -> int:
    """Bytes that Python takes for each character."""
    largest = max(map(ord, text), default=0)
    return 1 if largest <= 0xFF else 2 if largest <= 0xFFFF else 4


def test_text_with_an_emoji_counts_four_bytes_for_each_character() -> None:
    for length in (10, 1000):
        assert text_bytes(["a" * length + "😀"] * 3) >= 3 * 4 * (length + 1)


@given(st.lists(TEXT, min_size=1), st.data())
def test_a_lone_surrogate_anywhere_is_refused(texts: list[str], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(texts) - 1))
    at = data.draw(st.integers(0, len(texts[which])))
    texts[which] = texts[which][:at] + "\udfff" + texts[which][at:]
    with pytest.raises(UnicodeEncodeError):
        text_bytes(texts)


@pytest.mark.parametrize("first", ["", "a" * 65, "é" * 65, "€" * 65])
@pytest.mark.parametrize("other", [b"bytes", 1, None, ["list"], ("a",)])
def test_what_is_not_text_is_noticed(first: str, other: object) -> None:
    for cells in ([first, other], [other, first]):
        with pytest.raises(TypeError):
            text_bytes(cells)  # type: ignore[arg-type]


def test_long_text_in_latin_1_counts_twice_because_it_is_not_read() -> None:
    assert text_bytes(["é" * 100, "e"]) == 202
    assert text_bytes(["€" * 100, "e"]) == 301

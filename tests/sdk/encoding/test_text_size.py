"""The size of texts is never too small, and text that has no UTF-8 is refused."""

from __future__ import annotations

from operator import mul

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata._encoding.text_size import text_bytes

NARROW, WIDE, WIDEST = st.characters(max_codepoint=0xFF), st.characters(codec="utf-8"), st.sampled_from("a€😀")
TEXT = st.text(st.one_of(NARROW, WIDE, WIDEST), max_size=200)
LONG_TEXT = st.builds(mul, TEXT | st.text(NARROW, min_size=1), st.integers(1, 600))
TEXTS = st.lists(TEXT) | st.lists(LONG_TEXT, max_size=8)


@given(TEXTS)
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
    for length in (10, 100, 1000):
        assert text_bytes(["a" * length + "😀"] * 3) >= 3 * 4 * (length + 1)


@given(st.lists(LONG_TEXT, min_size=1, max_size=8), st.data())
def test_text_that_was_encoded_before_counts_with_the_utf_8_that_python_keeps(
    texts: list[str], data: st.DataObject
) -> None:
    texts = [f"{text}!" for text in texts]
    for text in texts:
        if data.draw(st.booleans()):
            msgspec.json.encode(text)
    utf8 = sum(len(text.encode()) for text in texts)
    least = max(utf8, sum(len(text) * _width(text) for text in texts))
    assert least <= text_bytes(texts) <= utf8 + sum((len(text) + 32) * max(2, _width(text)) for text in texts)


@pytest.mark.parametrize("text", ["é" * 700, "€" * 700, "e€" * 700])
def test_text_that_was_encoded_before_is_counted_with_both_forms(text: str) -> None:
    msgspec.json.encode(text)  # Python keeps its UTF-8
    assert 0 <= text_bytes([text] * 3) - 3 * (len(text) * _width(text) + len(text.encode())) <= 3 * 32


@given(st.lists(LONG_TEXT, min_size=1, max_size=8), st.data())
def test_a_lone_surrogate_is_refused_beside_text_that_was_encoded_before(texts: list[str], data: st.DataObject) -> None:
    texts = ["é" * 600, *(f"{text}!" for text in texts)]
    for text in texts:
        msgspec.json.encode(text)
    surrogate = data.draw(st.sampled_from(["\ud800", "\udfff", "\ud83d😀"]))
    texts.append(data.draw(LONG_TEXT) + surrogate)
    with pytest.raises(UnicodeEncodeError):
        text_bytes(texts)


@given(TEXTS.filter(bool), st.data())
def test_a_lone_surrogate_anywhere_is_refused(texts: list[str], data: st.DataObject) -> None:
    which = data.draw(st.integers(0, len(texts) - 1))
    at = data.draw(st.integers(0, len(texts[which])))
    texts[which] = texts[which][:at] + "\udfff" + texts[which][at:]
    with pytest.raises(UnicodeEncodeError):
        text_bytes(texts)


@pytest.mark.parametrize("first", ["", "a" * 700, "é" * 700, "€" * 700])
@pytest.mark.parametrize("other", [b"bytes", 1, None, ["list"], ("a",)])
def test_what_is_not_text_is_noticed(first: str, other: object) -> None:
    for cells in ([first, other], [other, first]):
        with pytest.raises(TypeError):
            text_bytes(cells)  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [100, 700])
def test_ascii_is_exact_and_latin_1_counts_twice_because_it_is_not_read(length: int) -> None:
    assert text_bytes(["e" * length, "e"]) == length + 1
    assert text_bytes(["é" * length, "e"]) == 2 * length + 2
    assert text_bytes(["€" * length, "e"]) == 3 * length + 1


def test_many_short_texts_are_exact() -> None:
    assert text_bytes(["é" + "e" * 99] * 20_000) == 101 * 20_000


class Subclass(str):  # noqa: SLOT000 - as an application may have it
    """Text that Python keeps in another way, with a length of its own: that of words."""

    def __len__(self) -> int:
        return self.count(" ") + 1


@given(LONG_TEXT)
def test_a_subclass_of_text_counts_no_less_and_is_refused_for_a_lone_surrogate(text: str) -> None:
    cells = ["a" * 700, Subclass(text)]
    assert text_bytes(cells) >= 700 + max(len(text.encode()), len(text) * _width(text))
    with pytest.raises(UnicodeEncodeError):
        text_bytes([*cells, Subclass(text + "\udfff")])
    assert text_bytes(["a" * 700, Subclass("a" * 700)]) >= 1400

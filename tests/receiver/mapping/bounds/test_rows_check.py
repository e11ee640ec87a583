"""Rows are arrays of objects whose numbers every reader can read; large ones are checked piece by piece."""

from __future__ import annotations

import json
import math

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from otel_modeldata.validation import json_rows
from otel_modeldata_receiver.exceptions import BadRecordError
from otel_modeldata_receiver.mapping import body
from otel_modeldata_receiver.mapping.bounds import rows_check
from otel_modeldata_receiver.mapping.bounds.record_cost import LEAST_BYTES_OF_MANY_ROWS, MANY_ROWS
from otel_modeldata_receiver.mapping.bounds.rows_check import (
    are_rows_as_they_are,
    are_rows_in_lines,
    check_numbers,
    check_rows,
)

BAD = ["1e400", "-1e400", "1E+400", "1e0400", "9" * 400, "-" + "1" * 5000, "1" * 5000 + ".5", "1.5e999999"]
GOOD = ["1e308", "1e-400", "-1.5E-5000", "0e0", "1" * 300, "0." + "1" * 5000, str(2**64), '"1e400"', '"\\"1e400"']
GOOD += ['"' + "9" * 400 + '"', '"\\\\\\"1e400"', "1e0000000000000005"]


@pytest.mark.parametrize("number", BAD)
def test_a_number_that_readers_refuse_is_rejected(number: str) -> None:
    for text in (f'[{{"a":{number}}}]', f'[{{"b":"\\\\","a":[1,{number}]}}]'):
        with pytest.raises(BadRecordError, match=r"^number out of range: expected numbers of at most 1.8e308"):
            body.rows_of(text.encode())


@pytest.mark.parametrize("number", GOOD)
def test_a_number_in_range_and_text_are_passed_on(number: str) -> None:
    text = f'[{{"a":{number}}}]'.encode()
    assert body.rows_of(text) == text


def test_the_decimals_of_the_projects_own_sdk_are_looked_at_too() -> None:
    with pytest.raises(BadRecordError, match=r"^number out of range"):
        body.rows_of(b'[{"a":1E+400}]', is_own=True)


@given(st.lists(st.floats() | st.integers() | st.text() | st.decimals(allow_nan=False).map(str), max_size=20))
def test_what_json_reads_as_finite_numbers_is_passed_on(values: list[object]) -> None:
    finite = [None if isinstance(one, float) and not math.isfinite(one) else one for one in values]
    check_numbers(json.dumps([{"a": finite}]).encode())


@given(st.text(), st.sampled_from(BAD), st.text())
def test_a_bad_number_is_found_beside_any_text(before: str, number: str, after: str) -> None:
    text = f"[{{{json.dumps(before)}:{number},{json.dumps(after)}:1}}]"
    with pytest.raises(BadRecordError):
        check_numbers(text.encode())


ROW = st.dictionaries(st.text(max_size=3) | st.just("},{"), st.integers() | st.just("},{") | st.just([{}, {}]))


@pytest.mark.parametrize("byte", [b"\x0b", b"\x0c", b"\x00", b"\x1c", b"\xa0", b"\xef\xbb\xbf", b"1"])
@pytest.mark.parametrize("rows", [1, 2_000, 30_000, 100_000])
def test_rows_with_anything_but_json_white_space_beside_them_are_none(byte: bytes, rows: int) -> None:
    text = b"[" + b",".join([b'{"a":12345678}'] * rows) + b"]"
    check_rows(b" \t\r\n" + text + b" \t\r\n")
    for broken in (byte + text, text + byte, b" " + byte + text, text.replace(b"},{", b"}," + byte + b"{")):
        if broken != text:
            with pytest.raises(msgspec.DecodeError):
                check_rows(broken)
            whole = b"before" + broken + b"after"
            if rows > MANY_ROWS:
                assert not are_rows_as_they_are(memoryview(whole)[6:-5], whole, 6)
                continue
            with pytest.raises(msgspec.DecodeError):
                are_rows_as_they_are(memoryview(whole)[6:-5], whole, 6)


@given(st.lists(ROW, max_size=60), st.sampled_from([None, 1]))
def test_rows_are_checked_in_pieces_as_they_are_checked_whole(rows: list[object], indent: int | None) -> None:
    text = json.dumps(rows, indent=indent).encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "PIECE_BYTES", 40)
        patch.setattr(json_rows, "ONE_PIECE_BYTES", 80)
        check_rows(text)
        for broken in (text[:-1], text + b"x", text[:-1] + b",1]", b"x" + text):
            if broken in {b"[]", b"[1]"} or not rows:
                continue
            with pytest.raises(msgspec.DecodeError):
                check_rows(broken)


def test_rows_that_cannot_be_checked_in_pieces_are_bounded_in_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "MOST_OBJECTS", 100)
    text = b'[{"a":"' + b"},{" * 200_000 + b'"}]'
    with pytest.raises(BadRecordError, match=r"^too many rows: expected at most 100 objects"):
        check_rows(text)
    check_rows(b"[" + b"{}," * 300_000 + b"{}]")


@pytest.mark.parametrize("number", ["1e400", "-1E+0400", "1" * 400, "1.5e309"])
def test_a_number_out_of_range_is_found_wherever_a_long_text_is_divided(number: str) -> None:
    for before in range(1024 * 1024 - len(number) - 20, 1024 * 1024, 29):
        text = '[{"a":[' + "1" + " " * before + "," + number + ",1" + " " * 700_000 + "]}]"
        with pytest.raises(BadRecordError, match=r"^number out of range"):
            check_numbers(text.encode())


@pytest.mark.parametrize("cell", ["9" * 2_400_000, "-1." + "0" * 400_000, "1e400\\" * 100_000, '9"' * 400_000])
def test_a_long_text_that_looks_like_a_number_is_passed_on(cell: str) -> None:
    check_numbers(json.dumps([{"a": "1e400", "b": cell, "c": 1}]).encode())
    with pytest.raises(BadRecordError, match=r"^number out of range"):
        check_numbers(json.dumps([{"b": cell}])[:-2].encode() + b',"c":1e400}]')


@given(st.lists(st.text("019eE+-.\\\"'a"), min_size=1), st.booleans())
def test_numbers_are_told_from_text_wherever_a_text_is_divided(cells: list[str], is_bad: bool) -> None:
    text = json.dumps(["1e400", *cells]).encode()[:-1] + (b",1e400]" if is_bad else b"]")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "PIECE_BYTES", 8)
        if not is_bad:
            check_numbers(text)
            return
        with pytest.raises(BadRecordError, match=r"^number out of range"):
            check_numbers(text)


def is_row_text(text: bytes, *, are_own: bool) -> bool:
    """Whether a text alone is rows, and in one line of UTF-8."""
    try:
        text.decode()
        return body.rows_of(text, is_own=are_own) == text and b"\n" not in text and b"\r" not in text
    except (BadRecordError, UnicodeDecodeError):
        return False


FRAGMENTS = [
    b"[{",
    b"}]",
    b'[{"a":1}]',
    b'[{"a":[1,',
    b"2]}]",
    b"[{}]",
    b" ",
    b",",
    b"\n",
    b"\r",
    b'"',
    b'[{"a":"',
    b'"}]',
]
FRAGMENTS += [
    b"1e400",
    b'[{"E":1E400}]',
    b"\xc3",
    b"\xa9",
    b'[{"b":"\xc3\xa9"}]',
    b"\\",
    b"[]",
    b'[{"a":[{}]',
    b"]}]",
    b"[[{}]]",
]


@given(st.lists(st.lists(st.sampled_from(FRAGMENTS), max_size=4).map(b"".join), min_size=1, max_size=6), st.booleans())
@example([b'[{"a":[1,', b"2]}]", b"[{}] [{}]"], True)
@example([b'[{"a":[{}]', b'[{"b":2}]]}]', b"[{}][{}]"], True)
@example([b'[{"a":"}]', b'[{"}]', b"[{}][{}]"], True)
@example([b'[{"a":"\\"}]', b'[{"}]', b"[{}]"], True)
def test_texts_that_are_checked_together_are_rows_each(texts: list[bytes], are_own: bool) -> None:
    if are_rows_in_lines(texts, are_own=are_own):
        assert all(is_row_text(text, are_own=are_own) for text in texts)


@pytest.mark.parametrize("are_own", [True, False])
def test_rows_that_are_checked_together_are_recognized(are_own: bool) -> None:
    texts = [b"[{}]", b'[{"a":1.5},{"a":null}]', '[{"E":"\u00e9"}]'.encode(), b'[{"b":[{"c":"}]"}]}]']
    assert are_rows_in_lines(texts, are_own=are_own)
    assert are_rows_in_lines(texts[:1], are_own=are_own)


def test_large_rows_of_the_projects_sdk_are_checked_where_they_are() -> None:
    row = b'{"a":' + b"1" * 200 + b',"b":[{},{}]}'
    for count, inner in ((1, b"{}" + b",{}" * 60_000), (2, b'"' + b"},{" * 60_000 + b'"'), (2_000, b"1")):
        text = b"[" + b",".join([row.replace(b"[{},{}]", b"[%b]" % inner), *[row] * (count - 1)]) + b"]"
        assert len(text) > LEAST_BYTES_OF_MANY_ROWS
        whole = b"before{" + text + b"}after"
        view = memoryview(whole)[7 : 7 + len(text)]
        few = text.count(b"{") <= MANY_ROWS or count == 2_000
        assert are_rows_as_they_are(view, whole, 7) is few
        for broken in (text[:-1] + b" ", text[:-2] + b"]]", b"[1," + text[1:], text.replace(b"111,", b"11,,")):
            whole = b"before{" + broken + b"}after"
            view = memoryview(whole)[7 : 7 + len(broken)]
            if few:
                with pytest.raises(msgspec.DecodeError):
                    are_rows_as_they_are(view, whole, 7)
            else:
                assert not are_rows_as_they_are(view, whole, 7)


@given(st.lists(ROW, max_size=60), st.integers(0, 60), st.sampled_from([b"", b"x", b",1", b"\n"]))
def test_rows_are_checked_where_they_are_as_they_are_checked_whole(rows: list[object], most: int, end: bytes) -> None:
    text = json.dumps(rows, separators=(",", ":")).encode()[:-1] + end + b"]"
    whole = b"[{" + text + b"},{"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rows_check, "_COUNTED_BYTES", 40)
        patch.setattr(rows_check, "LEAST_BYTES_OF_MANY_ROWS", 90)
        patch.setattr(rows_check, "MANY_ROWS", most)
        patch.setattr(rows_check, "may_have_many_rows", lambda raw, start, end: raw.count(b"{", start, end) > most)
        try:
            result = are_rows_as_they_are(memoryview(whole)[2 : 2 + len(text)], whole, 2)
        except msgspec.DecodeError:
            result = None
    if end or b"E" in text:  # perhaps an exponent: its numbers must be looked at
        assert not result
    elif len(text) <= 90 or text.count(b"{") <= most:
        assert result is True
    elif len(rows) > most:
        assert result is False


def test_many_small_objects_are_not_checked_together_because_each_takes_time() -> None:
    rows = b"[" + b",".join([b"{}"] * 4000) + b"]"
    assert are_rows_in_lines([rows] * 2, are_own=True)
    assert not are_rows_in_lines([rows] * 3, are_own=True)

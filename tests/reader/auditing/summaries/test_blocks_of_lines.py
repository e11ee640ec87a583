"""Lines that are decoded together are counted and checked as each of them alone, wherever blocks are cut."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import pytest
from audited_lines import BLOB, HOUR, SOURCE, Blobs, line
from hypothesis import given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.auditing.summaries import blob_blocks, line_columns, segments
from otel_modeldata_reader.auditing.summaries.blob_blocks import read_blocks
from otel_modeldata_reader.auditing.summaries.hour_summary import Summarized, decoded, encoded
from otel_modeldata_reader.auditing.summaries.line_decoder import LineDecoder
from otel_modeldata_reader.auditing.summaries.segment_summary import summarize
from otel_modeldata_reader.auditing.summaries.segments import Segment, whole
from otel_modeldata_reader.auditing.summaries.summary_maker import SummaryMaker

if TYPE_CHECKING:
    from collections.abc import Callable

ODD: list[Callable[[int], bytes]] = [
    lambda _: b"",
    lambda _: b" \r",
    lambda _: b"{}",
    lambda _: b"null",
    lambda n: line(n)[:-1],
    lambda n: line(n) + line(n),
    lambda n: line(n) + b"\r",
    lambda n: b" " + line(n),
    lambda n: line(n).replace(b'"data":', b'"data":\t'),
    lambda n: line(n, rows='["?"]').replace(b"?", b"\xff"),
    lambda n: line(n, rows='["\u00e9"]'),
    lambda n: line(n, rows='[{"age":NaN}]'),
    lambda n: line(n, timens=5),
    lambda n: line(n, timens=None, contentrange="bytes 0-1/2"),
    lambda n: line(n, id=f"\u00e9{n}"),
    lambda n: line(n, id="x" * (n % 70)),
    lambda n: line(n, time="2026-11-22T14:00:00+02:00"),
    lambda n: line(n, time=""),
    lambda n: line(n, time="2026-11-22T13:00:00Z"),
    lambda n: line(n, producersequence=["", "-1", "007", "9" * 30, "\u0663", "1" * 19, str(2**62)][n % 7]),
    lambda n: line(n, producersequence=None, sequence=str(n), agent="otel-modeldata/0.1.0"),
    lambda n: line(n, producer=None),
    lambda n: line(n, producer="q"),
    lambda n: line(n, source="/endpoints/credit/deployments/green"),
    lambda n: line(n, type="azureml.inference.other"),
    lambda n: line(n, dataref=f"x/{HOUR}/files/{n}.json", data=None),
    lambda n: line(n, rows='"x"', datainblob="true"),
    lambda n: line(n, contentrange="bytes 0-98/99"),
    lambda n: line(n, contentrange=None),
]
NUMBERS = st.integers(0, 60)
ODD_LINES = st.builds(lambda made, number: made(number), st.sampled_from(ODD), NUMBERS)
LINES = st.lists(st.one_of(NUMBERS.map(line), ODD_LINES), max_size=120)
SHORT_LINES = st.lists(st.binary(max_size=9).map(lambda one: one.replace(b"\n", b"")), max_size=12)


def made(contents: list[bytes]) -> Summarized:
    maker, before = SummaryMaker(), 0
    for content in contents:
        before += maker.add(BLOB, before, content)
    return maker.made()


def facts(one: Summarized) -> tuple[Any, ...]:
    return one.summary, one.ids.tolist(), one.named.tolist()


@settings(max_examples=300)
@given(LINES, st.integers(1, 40), st.booleans())
def test_a_block_of_lines_is_summarized_as_each_line_alone(lines: list[bytes], piece: int, is_torn: bool) -> None:
    terminated = [one + b"\n" for one in lines]
    if is_torn and lines and lines[-1]:
        terminated[-1] = lines[-1]
    blocks = [b"".join(terminated[start : start + piece]) for start in range(0, len(lines), piece)]
    alone = made(terminated)
    for contents in (blocks, [b"".join(terminated)], [memoryview(b"".join(terminated))]):
        assert facts(made(contents)) == facts(alone)  # type: ignore[arg-type]


def test_an_event_that_spans_lines_is_no_event() -> None:
    """A line feed is white space in JSON, so a decoder of lines would take it."""
    spread = line(1).replace(b'"data":', b'"data":\n')
    for content in (spread + b"\n", line(0) + b"\n" + spread + b"\n" + line(2) + b"\n", line(0) + line(1) + b"\n\n"):
        summary = made([content]).summary
        assert summary.faults["unreadable"].count == len([one for one in content.split(b"\n") if one]) - sum(
            one.stored for one in summary.accounts
        )
        assert sum(one.stored for one in summary.accounts) == content.startswith(line(0) + b"\n") * 2


def test_a_decoder_that_has_learned_decodes_new_values_too() -> None:
    decoder = LineDecoder()
    for number in range(100):  # more producers than a decoder keeps
        (one,) = decoder.decode_lines(line(number, producer=f"p{number}")) or ()
        assert (one.producer, one.id, one.source) == (
            f"p{number}",
            f"event-{number}",
            SOURCE,
        )
    assert decoder.decode_lines(line(0, agent=5)) is None
    assert len(decoder.decode_lines(line(0, producer=None) + b"\n" + line(1)) or ()) == 2


def test_a_summary_is_read_as_it_was_written() -> None:
    whole_hour = b"".join(one(number) + b"\n" for number, one in enumerate(ODD))
    few = b"".join(line(number, id=f"event-{number}") + b"\n" for number in (10, 11))  # whose hashes are far apart
    for content in (whole_hour, few, line() + b"\n"):
        check_written(content)


def check_written(content: bytes) -> None:
    one = made([content])
    found = decoded(encoded(one), {BLOB: len(content)})
    assert found is not None
    assert facts(found) == facts(one)
    assert decoded(encoded(one), {BLOB: len(content) - 1}) is None
    assert decoded(encoded(one), {}) is None


@given(st.binary(max_size=60), st.integers(0, 400))
def test_a_summary_that_was_damaged_is_none(noise: bytes, start: int) -> None:
    content = encoded(made([line(0) + b"\n" + line(1) + b"\n"]))
    damaged = content[:start] + noise + content[start + len(noise) :]
    found = decoded(damaged, {BLOB: len(line(0) + line(1)) + 2})
    assert found is None or len(damaged) == len(content)
    assert decoded(content[:-1], None) is decoded(b"x" + content, None) is decoded(content + b"x", None) is None


# --- ranges of blobs --------------------------------------------------------------------------------------------------


async def _content(blobs: dict[str, bytes], one: Segment) -> bytes:
    found = b""
    async with aclosing(read_blocks(Blobs(blobs), one.ranges)) as blocks:  # type: ignore[arg-type]
        async for block in blocks:
            found += bytes(block.content)
    return found


@settings(max_examples=200)
@given(
    SHORT_LINES,
    st.integers(1, 20),
    st.integers(1, 9),
)
def test_each_line_is_in_the_range_in_which_it_begins(lines: list[bytes], size: int, read: int) -> None:
    content = b"\n".join(lines)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(segments, "_SEGMENT_BYTES", size)
        patch.setattr(blob_blocks, "_READ_BYTES", read)
        parts = list(segments.segments([whole("b", len(content))]))
        found = [asyncio.run(_content({"b": content}, one)) for one in parts]
    assert b"".join(found) == content
    assert all(one.endswith(b"\n") for one in [one for one in found if one][:-1])


def test_a_segment_has_lines_of_one_deployment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(segments, "_SEGMENT_BYTES", 10)
    names = ["a/b/c/2026/11/22/10/x.jsonl", "a/b/d/2026/11/22/10/x.jsonl", "a/c/d/2026/11/22/10/x.jsonl"]
    ranges = [whole(name, 4) for name in names]
    assert [[one.blob[:5] for one in part.ranges] for part in segments.segments(ranges)] == [
        ["a/b/c", "a/b/d"],
        ["a/c/d"],
    ]
    assert len(list(segments.segments(ranges, by_folder=True))) == 3
    (first, second, third) = segments.segments([whole(names[0], 25)])
    assert [(one.ranges[0].start, one.ranges[0].end, one.size) for one in (first, second, third)] == [
        (0, 10, 10),
        (10, 20, 10),
        (20, 25, 5),
    ]


def test_ids_that_are_stored_elsewhere_are_duplicates() -> None:
    content = b"".join(line(number) + b"\n" for number in range(4))
    stored = made([line(1) + b"\n" + line(3) + b"\n"]).ids
    one = asyncio.run(
        summarize(Blobs({BLOB: content}), Segment((whole(BLOB, len(content)),)), LineDecoder(), stored)  # type: ignore[arg-type]
    ).summary
    assert (one.accounts[0].stored, one.accounts[0].duplicates, one.accounts[0].ranges) == (2, 2, [(0, 0), (2, 2)])
    assert [location.line for location in one.faults["duplicated"].locations] == [2, 4]


def test_the_texts_of_content_ranges_that_are_kept_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(line_columns, "_MOST_SIZES", 2)
    texts = line_columns._Ranges()
    assert [texts[size] for size in (0, 1, 2, 3)] == ["bytes */0", "bytes 0-0/1", "bytes 0-1/2", "bytes 0-2/3"]
    assert len(texts) == 2

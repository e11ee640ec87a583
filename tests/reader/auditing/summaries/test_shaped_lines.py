"""Lines of a known shape are read from the places of their values, with the result of a decoder."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from audited_lines import BLOB, ROWS, line
from hypothesis import example, given, settings
from hypothesis import strategies as st

from otel_modeldata_reader.auditing import stored_line
from otel_modeldata_reader.auditing.summaries import shaped_lines
from otel_modeldata_reader.auditing.summaries.line_decoder import LineDecoder
from otel_modeldata_reader.auditing.summaries.line_shape import learned_shape
from otel_modeldata_reader.auditing.summaries.summary_maker import SummaryMaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from otel_modeldata_reader.auditing.summaries.hour_summary import Summarized

REQUEST = "5d0f2e3c-9a5b-4c7d-8e9f-0a1b2c3d4e5f"


def usual(number: int, rows: str = ROWS, **keys: Any) -> bytes:
    """A line with the keys of one that the SDK sent, whose values have the same lengths in all lines."""
    event_id = f"e730cb28-d22f-02f3-50e9-{number:012d}"
    given = {"id": event_id, "correlationid": REQUEST, "agent": "otel-modeldata/0.2.0"} | keys
    return line(number, rows, **given)


def replaced(old: bytes, new: bytes) -> Callable[[int], bytes]:
    return lambda number: usual(number).replace(old, new)


ODD: list[Callable[[int], bytes]] = [
    # keys in other places, twice, in values, escaped
    replaced(b'"id":', b'"di":'),
    replaced(b'"data":[', b'"data":[],"id":"x","data":['),
    replaced(b'}],"contentrange"', b'}],"id":"x"  ,"contentrange"'),
    replaced(b'}],"contentrange"', b'}],"i\\u0064":"x","contentrange"'),
    lambda n: usual(n, rows='[{"age":42,"id":"x","data":[1],"contentrange":"bytes 0-1/2"}]'),
    lambda n: usual(n, id=f'e730cb28-d22f-02f3-50e9-"{n:011d}'),
    lambda n: usual(n).replace(b"50e9-00000000", b'50e9","id":"0'),
    lambda n: usual(n).replace(b"50e9-00000000", b"50e9-00\\u0041"),
    lambda n: usual(n).replace(b"50e9-00000000", b"50e9-0000000\t"),
    lambda n: usual(n).replace(b"50e9-00000000", "50e9-000000\u00e9".encode()),
    lambda n: usual(n).replace(b"50e9-00000000", b"50e9-0000000\xff"),
    lambda n: usual(n).replace(b"8e9f-0a1b2c3d4e5f", b'8e9f","producer":"'),
    lambda n: usual(n).replace(b"8e9f-0a1b2c3d4e5f", b'8e9f","time":"2026'),
    # rows that are no JSON, or are not the rows
    replaced(ROWS.encode(), b'[{"age":4}]]'),
    replaced(ROWS.encode(), b'[{"age":4}[]'),
    replaced(ROWS.encode(), b"[{age:4242}]"),
    replaced(ROWS.encode(), b"[1],[2],[34]"),
    replaced(ROWS.encode(), b"[1][2][3][4]"),
    replaced(ROWS.encode(), b"[\x00\x00{}, 42]"),
    replaced(ROWS.encode(), b' [{"a":42}] '),
    replaced(ROWS.encode(), b'["\xff\xff", 42]'),
    replaced(ROWS.encode(), b'["\\ud800",42]'),
    replaced(ROWS.encode(), b"[[[[[]]]]  ]"),
    lambda n: usual(n, rows="[]"),
    lambda n: usual(n, rows="[" * (n % 9) + "]" * (n % 7)),
    lambda n: usual(n, rows=json.dumps([{"age": 10**n}])),
    lambda n: usual(n, rows='{"age":4242}'),
    # sizes and numbers
    replaced(b"bytes 0-11/12", b"bytes 0-10/11"),
    replaced(b"bytes 0-11/12", b"bytes 0-10/12"),
    replaced(b"bytes 0-11/12", b"bytes 0-1 /12"),
    replaced(b"bytes 0-11/12", b"bytes 1-11/12"),
    lambda n: usual(n, rows="[12345]", contentrange="bytes 0-06/07"),
    lambda n: usual(n, producersequence=f"{n:03d}"),
    lambda n: usual(n, producersequence=str(10**17 + n)),
    lambda n: usual(n, producersequence="-" * len(str(n))),
    lambda n: usual(n, producersequence=None),
    # other hours, accounts, deployments, payloads
    replaced(b"T12:34:56Z", b"T13:34:56Z"),
    replaced(b"T12:34:56Z", b"T12:34:560"),
    replaced(b"T12:34:56Z", b'T12:34:5"Z'),
    replaced(b"2026-11-22T12:34:56Z", b"2026-11-22T12Z"),
    lambda n: usual(n, producer="pq"[n % 2]),
    lambda n: usual(n, producer=""),
    lambda n: usual(n, source="/endpoints/credit/deployments/gree"),
    lambda n: usual(n, source="machine"),
    lambda n: usual(n, type="azureml.inference.model_output"),
    lambda n: usual(n, dataref="x.json"),
    lambda n: usual(n, datainblob="true"),
    lambda n: usual(n)[:-1],
    lambda n: usual(n) + usual(n),
    lambda n: usual(n) + b" ",
    lambda n: usual(n)[:150],
    lambda _: b"",
]
NUMBERS = st.integers(0, 120)
LINES = st.lists(
    st.one_of(
        NUMBERS.map(usual),
        st.builds(lambda made, number: made(number), st.sampled_from(ODD), NUMBERS),
        st.builds(
            lambda number, place, noise: (
                usual(number)[: place % 300] + noise + usual(number)[place % 300 + len(noise) :]
            ),
            NUMBERS,
            st.integers(0, 299),
            st.binary(min_size=1, max_size=3).map(lambda noise: noise.replace(b"\n", b"\r")),
        ),
    ),
    max_size=60,
)


@pytest.fixture(autouse=True)
def _few_lines_suffice() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shaped_lines, "_LEAST_LINES", 1)
        yield


def decoded(content: bytes) -> Summarized:
    """The summary of lines without shapes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shaped_lines, "_LEAST_LINES", 1 << 40)
        maker = SummaryMaker()
        maker.add(BLOB, 0, content)
        return maker.made()


def shaped(content: bytes, decoder: LineDecoder | None = None) -> Summarized:
    maker = SummaryMaker(decoder)
    maker.add(BLOB, 0, content)
    return maker.made()


def facts(one: Summarized) -> tuple[Any, ...]:
    return one.summary, one.ids.tolist(), one.named.tolist()


@settings(max_examples=400)
@given(LINES, LINES)
@example([usual(0)], [b""])  # shorter than what is read of a line
def test_any_lines_are_summarized_as_a_decoder_reads_them(first: list[bytes], second: list[bytes]) -> None:
    decoder = LineDecoder()
    for lines in (first, second):  # the second block with the shapes of the first one
        content = b"".join(one + b"\n" for one in lines)
        assert facts(shaped(content, decoder)) == facts(decoded(content))


@pytest.mark.parametrize("odd", range(len(ODD)))
def test_an_odd_line_among_usual_ones_is_left_to_the_decoder(odd: int) -> None:
    decoder = LineDecoder()
    shaped(b"".join(usual(number) + b"\n" for number in range(10, 90)), decoder)
    lines = [usual(number) for number in range(10, 50)]
    lines[20] = ODD[odd](30)
    content = b"\n".join(lines)
    assert facts(shaped(content, decoder)) == facts(decoded(content))


def test_usual_lines_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = LineDecoder()
    content = b"".join(usual(number) + b"\n" for number in range(1000, 1100))
    before = shaped(content, decoder)
    monkeypatch.setattr(decoder, "decode_lines", None)
    assert facts(shaped(content, decoder)) == facts(before)
    (account,) = before.summary.accounts
    assert (before.summary.lines, account.stored, account.ranges) == (100, 100, [(1000, 1099)])


def test_a_repeated_line_of_a_known_shape_is_a_duplicate() -> None:
    content = b"".join(usual(number % 90) + b"\n" for number in range(10, 110))
    (account,) = shaped(content).summary.accounts
    assert (account.stored, account.duplicates) == (90, 10)
    assert [one.line for one in shaped(content).summary.faults["duplicated"].locations] == list(range(91, 101))


def test_rows_of_all_lengths_are_read() -> None:
    chosen = [usual(number, rows=json.dumps(["x" * (number * number % 700)])) for number in range(100, 400)]
    content = b"".join(one + b"\n" for one in chosen)
    assert facts(shaped(content)) == facts(decoded(content))


def test_the_shapes_that_are_known_are_bounded() -> None:
    decoder = LineDecoder()
    for length in range(50):
        content = b"".join(usual(number, xrequestid="x" * length) + b"\n" for number in range(10, 30))
        assert shaped(content, decoder).summary.lines == 20
    assert len(decoder.shapes._known) == shaped_lines._MOST_SHAPES


def test_lines_without_a_shape_are_tried_now_and_then_only(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = []
    monkeypatch.setattr(shaped_lines, "learned_shape", lambda raw, _line: tried.append(raw))
    decoder = LineDecoder()
    content = b"".join(usual(number, producersequence=None) + b"\n" for number in range(10))
    for _ in range(32):
        assert shaped(content, decoder).summary.lines == 10
    assert len(tried) == 2 * 2, "two lines of every sixteenth block"


def test_a_shape_has_only_what_lines_may_differ_in() -> None:
    one, other = (
        learned_shape(raw, stored_line.decode(raw))
        for raw in (
            usual(17),
            usual(42, agent="otel-modeldata/0.3.0", time="2026-11-23T01:00:00Z"),
        )
    )
    assert one is not None
    assert other is not None
    assert one.key == other.key
    assert one.within(b"2026-11-22T12:34:56Z") is None, "no time is left"

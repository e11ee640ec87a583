"""The lines to copy fit into 80 columns, and a shell reads them as the command."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata.report import DeliveryReport
from otel_modeldata_receiver.commands.demo import summary
from otel_modeldata_receiver.commands.demo.flights import flights_of_the_day
from otel_modeldata_receiver.commands.demo.stored_lines import Blob, LineKeys
from otel_modeldata_receiver.commands.demo.summary import command_lines, show
from otel_modeldata_receiver.commands.demo.traffic import Request
from otel_modeldata_receiver.commands.demo.verification import Verification


def whole_day() -> Verification:
    """A day whose every event is stored."""
    flights = flights_of_the_day(None, datetime(2026, 11, 29, 18, 0, tzinfo=UTC))
    requests = [
        Request(id=f"{one.row['flight']}-{number:04d}-c3e726", trace_id=f"{number:032x}", flight=one, answer={})
        for number, one in enumerate(flights)
    ]
    lines = [
        LineKeys(id=f"{number}", correlationid="", data=[], traceparent="") for number in range(4 * len(flights) + 57)
    ]
    return Verification(
        requests=requests,
        landings=19,
        labels=906,
        killed_after=469,
        delivery=DeliveryReport(accepted=len(lines), delivered=len(lines)),
        blobs=[Blob(collection="request", path="request", size=1, lines=lines)],
        seconds=20.0,
    )


def test_the_last_lines_of_a_terminal_have_the_counts_and_what_they_count(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 24 lines, the address of Studio takes three, and the cursor one."""
    monkeypatch.setattr(Verification, "joined", 937)
    monkeypatch.setattr(Verification, "problems", [])
    show(whole_day(), "./modeldata", "flights/blue", Path("modeldata-reports"))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    last = lines[next(number for number, line in enumerate(lines) if line.startswith("accepted")) :]
    assert len(last) <= 20
    assert last[:7] == [
        "accepted 3,805 = stored 3,805 events: nothing is lost, nothing is there twice",
        "  3,748 from 937 flights: request, inputs, outputs and response of each, with",
        "        the ids, the traces and the values that were sent",
        "     57 from 19 messages with labels: 906 of 937 flights have landed",
        "from 18:00 in New York on, departure_delay came in seconds: see the report",
        "",
        "to copy:",
    ]


def test_a_short_command_is_one_line() -> None:
    assert command_lines(["ls", "./modeldata"]) == ["otel-modeldata ls ./modeldata"]


def test_a_long_command_goes_on_in_the_next_line_and_an_option_stays_with_its_value() -> None:
    words = ["report", "flights/blue", "--store", "./elsewhere", "--since", "-7h", "--baseline", "-24h..-8h"]
    assert command_lines(words) == [
        "otel-modeldata report flights/blue --store ./elsewhere --since -7h \\",
        "    --baseline -24h..-8h",
    ]


@given(st.lists(st.text(min_size=1).filter(lambda word: "\0" not in word and "\n" not in word), min_size=1))
def test_a_shell_reads_the_words_of_the_command(words: list[str]) -> None:
    text = "\n".join(command_lines(words))
    assert shlex.split(text.replace("\\\n", "")) == ["otel-modeldata", *words]


@given(st.lists(st.text("abc-", min_size=1, max_size=30), min_size=1))
def test_lines_are_not_wider_than_the_terminal_if_their_words_are_not(words: list[str]) -> None:
    assert max(map(len, command_lines(words))) <= 78


@pytest.mark.parametrize(
    ("prefix", "expected"),
    [("/home/a/.cache/uv/archive-v0/3x9Q", True), ("/home/a/work/.venv", False), ("/home/a/archive/venv", False)],
)
def test_an_environment_of_uvx_is_known(prefix: str, *, expected: bool) -> None:
    assert summary._is_borrowed(prefix) is expected


def test_the_alias_is_a_line_of_the_terminal() -> None:
    assert len(summary._ALIAS) <= 78
    name, _, command = summary._ALIAS.removeprefix("alias ").partition("=")
    assert shlex.split(shlex.split(command)[0]) == ["uvx", "--from", "otel-modeldata[demo]", name]

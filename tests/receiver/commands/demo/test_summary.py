"""The lines to copy fit into 80 columns, and a shell reads them as the command."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_receiver.commands.demo import summary
from otel_modeldata_receiver.commands.demo.summary import command_lines


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

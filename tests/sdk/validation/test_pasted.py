"""What was copied with a value is removed, and a value that was never filled in is recognized."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata.validation.pasted import pasted, unfilled

_AROUND = st.sampled_from(["", " ", "\n", "\r\n", "\t", "\ufeff", "\u200b"])
_QUOTES = st.sampled_from([("", ""), ('"', '"'), ("'", "'"), ("\u201c", "\u201d"), ("\u2018", "\u2019")])
_NAMES = st.sampled_from(
    ["", "export AZURE_STORAGE_KEY=", "AZURE_STORAGE_KEY = ", "$env:OTEL_MODELDATA_STORE=", "set OTEL_X="]
)
_VALUES = st.sampled_from(
    ["az://modeldata/prod", "./my models", "/data/a=b", "QUJDRA==", "sv=2022&sig=a%3D", "AccountName=a;AccountKey=QQ=="]
)


@given(before=_AROUND, after=_AROUND, inner=_AROUND, quotes=_QUOTES, name=_NAMES, value=_VALUES)
def test_a_value_is_the_same_whatever_was_copied_with_it(
    *, before: str, after: str, inner: str, quotes: tuple[str, str], name: str, value: str
) -> None:
    first, last = quotes
    assert pasted(f"{before}{name}{first}{inner}{value}{inner}{last}{after}") == value


@pytest.mark.parametrize("text", ["", " ", "\n", '""', "''", '" "', "export AZURE_STORAGE_KEY=", 'OTEL_X=""'])
def test_a_value_of_nothing_but_what_is_around_is_empty(text: str) -> None:
    assert pasted(text) == ""


@pytest.mark.parametrize("text", ['"half', 'half"', "it's", "a 'b'", "DefaultEndpointsProtocol=https", "MY_VARIABLE=1"])
def test_what_may_belong_to_the_value_stays(text: str) -> None:
    assert pasted(text) == text


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("$(az storage account show-connection-string)", "a command that no shell has run"),
        ("`az account show`", "a command that no shell has run"),
        ("$HOME", "a variable that no shell has replaced"),
        ("$HOME/modeldata", "a variable that no shell has replaced"),
        ("${KEY}", "a variable that no shell has replaced"),
        ("${{ secrets.KEY }}", "a variable that no shell has replaced"),
        ("%USERPROFILE%\\modeldata", "a variable that no shell has replaced"),
        ("<your-key>", "a placeholder"),
        ("{{ key }}", "a placeholder"),
        ("[your key]", "a placeholder"),
        ("...", "a placeholder"),
        ("", None),
        ("az://modeldata/$logs", None),
        ("QUJDRA==", None),
        ("../modeldata", None),
        ("sv=2022&sig=abc", None),
    ],
)
def test_a_value_that_was_never_filled_in_is_recognized(text: str, meaning: str | None) -> None:
    assert unfilled(text) == meaning

"""A path is taken as it was meant, or refused with what stands in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata.validation.path_text import read_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("/a/b", "/a/b"),
        ("a b/c", "a b/c"),
        ("~/x", str(Path.home() / "x")),
        ("~", str(Path.home())),
        (" '~/x'\n", str(Path.home() / "x")),
        ('"/tmp/x"', "/tmp/x"),
        ("/tmp/x\r\n", "/tmp/x"),
        ("a~b", "a~b"),
        ("/x/50%", "/x/50%"),
        ("", ""),
        ('""', ""),
    ],
)
def test_a_path_is_taken_as_it_was_meant(text: str, path: str) -> None:
    assert read_path(text) == (path, "")


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("~no-such-user/x", "a '~' without a known home folder: write the whole path"),
        ('"/tmp/x', "one quote without the other: remove it"),
        ("/tmp/x'", "one quote without the other: remove it"),
        ("/a\n/b", "more than one line: write one path"),
        ("$HOME/x", "a variable that no shell has replaced: write the whole path"),
        ("${HOME}/x", "a variable that no shell has replaced: write the whole path"),
        ("/data/$(POD_NAME)", "a variable that no shell has replaced: write the whole path"),
        ("%USERPROFILE%\\x", "a variable that no shell has replaced: write the whole path"),
        ("<folder>", "a placeholder: write the whole path"),
        ("`pwd`/x", "a variable that no shell has replaced: write the whole path"),
        ("$(pwd)", "a command that no shell has run: write the whole path"),
        ("https://x/y?sig=s3cret", "a URL: write a path of this machine"),
        ("dbfs:/x", "a URL: write a path of this machine"),
        ("file:///x", "a URL: write the path without 'file:'"),
    ],
)
def test_what_is_no_path_is_named(text: str, wrong: str) -> None:
    assert read_path(text)[1] == wrong


@given(st.text())
def test_a_path_that_was_read_is_read_as_itself(text: str) -> None:
    path, wrong = read_path(text)
    assert wrong or read_path(path) == (path, "")

"""Targets: URLs, headers, and paths of recorded requests."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_reader.exceptions import ReplayError
from otel_modeldata_reader.replaying import target_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "url",
    ["", "localhost:5001/score", "ftp://host/x", "http://", "http:///x", "http://h:x/", "http://h/a b", "http://[/"],
)
def test_a_target_is_a_url_of_http(url: str) -> None:
    with pytest.raises(ReplayError, match="expected a URL like http://localhost:5001/score, got"):
        target_of(url)


def test_a_url_with_a_password_is_refused_without_it() -> None:
    with pytest.raises(ReplayError) as error:
        target_of("https://me:hunter2@host/score")
    assert "hunter2" not in str(error.value)
    with pytest.raises(ReplayError) as error:
        target_of("htps://me:hunter2@host/score?code=hunter2")
    assert "hunter2" not in str(error.value)


def test_secrets_are_in_no_repr() -> None:
    target = target_of("https://host/score?code=hunter2", {"Authorization": "Bearer hunter2"})
    assert target.shown == "https://host/score"
    assert "hunter2" not in repr(target)


@pytest.mark.parametrize(
    ("name", "value"),
    [("a b", "x"), ("", "x"), ("a", "x\r\nb: c"), ("a", "\u20ac"), ("Host", "x"), ("Content-Length", "7")],
)
def test_a_header_that_is_none_is_refused(name: str, value: str) -> None:
    with pytest.raises(ReplayError):
        target_of("http://host/score", {name: value})


def test_a_file_is_read_again_when_it_changes(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("Bearer one\n")
    target = target_of("http://host/score", {"x-plain": "1"}, {"Authorization": str(path)})
    assert target.current_headers() == {"x-plain": "1", "Authorization": "Bearer one"}
    path.write_text("Bearer two\n")
    os.utime(path, ns=(1, 1))
    assert target.current_headers() == {"x-plain": "1", "Authorization": "Bearer two"}
    path.unlink()
    with pytest.raises(ReplayError) as error:
        target.current_headers()
    assert str(error.value) == (
        f"expected a file with the value of Authorization, got No such file or directory at {path}: correct it"
    )


def test_a_recorded_path_never_leaves_the_host_of_the_target() -> None:
    target = target_of("http://host:5001")
    assert target.at("/score?a=1") == "http://host:5001/score?a=1"
    assert target.at(None) == "http://host:5001"
    assert [target.at(path) for path in ("@evil/x", "score", "/a b", "/a\r\nx: y", "", ":80/x")] == [None] * 6
    assert target_of("http://host:5001/mine").at("/score") == "http://host:5001/mine"
    assert target_of("http://host:5001/").at("/score") == "http://host:5001/score"

"""A browser opens where one can be seen, and never inside the terminal."""

from __future__ import annotations

import threading
import webbrowser

import pytest

from otel_modeldata_receiver.commands import browser

VARIABLES = ("BROWSER", "DISPLAY", "WAYLAND_DISPLAY")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize("variable", VARIABLES)
def test_each_variable_that_names_a_browser_or_a_display_is_enough(
    monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    assert not browser.has_browser()
    monkeypatch.setenv(variable, "")
    assert not browser.has_browser()
    monkeypatch.setenv(variable, "/usr/bin/code-browser")
    assert browser.has_browser()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
def test_other_systems_have_one(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr("sys.platform", platform)
    assert browser.has_browser()


def test_the_address_is_opened_and_a_failure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    failed: list[str] = []

    def open_one(url: str) -> bool:
        opened.append(url)
        return True

    monkeypatch.setattr(webbrowser, "open", open_one)
    browser._open("http://127.0.0.1:4390/", failed.append)
    assert (opened, failed) == (["http://127.0.0.1:4390/"], [])

    def fail(_: str) -> None:
        raise webbrowser.Error("no such browser")

    monkeypatch.setattr(webbrowser, "open", fail)
    browser._open("http://127.0.0.1:4390/", failed.append)
    assert failed == ["no such browser"]
    monkeypatch.setattr(webbrowser, "open", lambda _: False)  # as for a program that is missing
    browser._open("http://127.0.0.1:4390/", failed.append)
    assert failed == ["no such browser", "no browser started"]


def test_without_one_nothing_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    before = threading.active_count()
    browser.open_browser("http://127.0.0.1:4390/", lambda _: None)
    assert threading.active_count() == before

"""What `--help` of each command teaches."""

from __future__ import annotations

import re

import pytest

from otel_modeldata_receiver.commands import main


def help_of(command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        main.main([*filter(None, [command]), "--help"])
    return capsys.readouterr().out


def test_every_setting_of_the_file_is_in_the_help(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from otel_modeldata_receiver.config.receiver import SETTINGS

    text = help_of("receive", capsys, monkeypatch)
    for setting in SETTINGS:
        if not setting.key.startswith("datastores.NAME."):  # the same as those of store_access
            assert setting.key in text
            assert setting.meaning.split()[0] in text


@pytest.mark.parametrize("command", ["", *main._COMMANDS])
def test_the_help_fits_80_columns_and_writes_defaults_in_one_way(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    text = help_of(command, capsys, monkeypatch)
    assert [line for line in text.splitlines() if len(line) > 80] == []
    assert re.findall(r"\(default[^:)][^)]*\)", text) == []


@pytest.mark.parametrize("command", main._COMMANDS)
def test_each_command_says_its_exit_codes_and_that_of_ctrl_c(
    command: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = help_of(command, capsys, monkeypatch).partition("exit codes:\n")[2]
    assert {"0", "2"} <= set(re.findall(r"^  (\d+) ", codes, re.MULTILINE))
    assert "Ctrl-C" in codes or "SIGINT" in codes

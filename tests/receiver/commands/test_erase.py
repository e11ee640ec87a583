"""The commands `erase` and `expire`: what they print, ask and write, and their exit codes."""

from __future__ import annotations

import io
import json
import stat
import sys
from typing import TYPE_CHECKING

import pytest
from command_run import run_command
from read_lines import line, write

if TYPE_CHECKING:
    from pathlib import Path

INPUTS = "shop/blue/model_inputs"


@pytest.fixture
def store(tmp_path: Path) -> Path:
    folder = tmp_path / "store"
    write(
        folder, [line([{"x": number, "who": "alice" if number < 2 else "bob"}], number=number) for number in range(5)]
    )
    return folder


def count(store: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in store.glob("shop/**/*.jsonl"))


def test_without_yes_it_says_what_would_go_and_changes_nothing(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "erase", INPUTS, store, "--where", "who = 'alice'")
    assert code == 0
    assert "2026/11/22/10" in out
    assert "2 rows and 2 whole events would go" in out
    assert "request-0_0, request-1_0" in out
    assert [text for text in out.splitlines() if len(text) > 80 and str(store) not in text] == []
    assert count(store) == 5


def test_with_yes_the_rows_are_gone_and_the_receipt_is_a_private_file(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "receipt.json"
    arguments = ["--where", "who = 'alice'", "--yes", "--by", "me", "--receipt", path, "--json"]
    code, out, _ = run_command(capsys, "erase", INPUTS, store, *arguments)
    facts = json.loads(out)
    assert (code, facts["rows"], facts["events"], facts["by"], facts["is_done"]) == (0, 2, 2, "me", True)
    assert json.loads(path.read_text()) == facts
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert count(store) == 3
    code, _, err = run_command(capsys, "erase", INPUTS, store, *arguments)
    assert code == 2
    assert "which exists" in err


@pytest.mark.parametrize(("answer", "left"), [("y\n", 3), ("\n", 5), ("no\n", 5)])
def test_at_a_terminal_it_asks(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, answer: str, left: int
) -> None:
    typed = io.StringIO(answer)
    typed.isatty = lambda: True  # type: ignore[method-assign]
    monkeypatch.setattr(sys, "stdin", typed)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    code, out, _ = run_command(capsys, "erase", INPUTS, store, "--where", "who = 'alice'")
    assert (code, count(store)) == (0, left)
    assert "[y/N]" in out


def test_ids_come_from_a_file(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("request-0\n\n  request-3_0\n")
    code, out, _ = run_command(capsys, "erase", "shop/blue", store, "--ids", file, "--yes")
    assert (code, count(store)) == (0, 3)
    assert "2 rows and 2 whole events are gone" in out


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--where", "x = 1", "--receipt", "r.json"], 2, "expected --yes with --receipt"),
        (["--id", "a", "--since", "-1d"], 2, "expected --where with --since"),
        (["--ids", "nothing.txt"], 2, "expected a file of ids"),
        (["--where", "who IN ('alice', 'bob')", "--yes"], 2, "--all"),
        (["--where", "nobody = 1", "--yes"], 2, "expected a condition in SQL"),
        ([], 2, "one of the arguments --where --id --ids --resume is required"),
    ],
)
def test_a_wrong_command_line_changes_nothing(
    store: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, message: str
) -> None:
    found, _, err = run_command(capsys, "erase", INPUTS, store, *arguments)
    assert (found, message in err) == (code, True)
    assert count(store) == 5


def test_lines_that_cannot_be_read_are_counted_and_the_exit_code_says_so(
    store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with next(store.glob("shop/**/*.jsonl")).open("ab") as file:
        file.write(b"no line of JSON\n")
    code, out, _ = run_command(capsys, "erase", INPUTS, store, "--where", "who = 'alice'", "--yes")
    assert code == 1
    assert "1 line could not be read" in out


def test_resume_says_when_nothing_was_interrupted(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(capsys, "erase", store, "--resume")[:2] == (0, "nothing was interrupted\n")


def test_expire_removes_what_is_old(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run_command(capsys, "expire", store, "--older-than", "5000d")
    assert (code, "nothing would go" in out) == (0, True)
    code, out, _ = run_command(capsys, "expire", store, "--older", "1h")
    assert (code, "5 rows and 5 whole events would go" in out, count(store)) == (0, True, 5)
    code, out, _ = run_command(capsys, "expire", store, "--older", "1h", "--yes", "--json")
    assert (code, json.loads(out)["events"], count(store)) == (0, 5, 0)


@pytest.mark.parametrize("flags", [[], ["--yes"]])
def test_an_id_that_no_event_has_is_named(store: Path, capsys: pytest.CaptureFixture[str], flags: list[str]) -> None:
    ids = ["--id", "request-0_0", "--id", "nosuch", "--id", "request-9_0"]
    code, out, _ = run_command(capsys, "erase", "shop/blue", store, *ids, *flags)
    assert code == 0
    assert "no event has these ids: nosuch, request-9_0" in out
    assert "such as nosuch" not in out
    assert ("such as request-0_0" in out) == (not flags)
    code, out, _ = run_command(capsys, "erase", store, "--id", "nosuch", "--json", *flags)
    assert (code, json.loads(out)["unfound"]) == (0, ["nosuch"])


def test_rows_that_only_parquet_files_have_are_shown_without_a_size_in_lines_of_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = tmp_path / "typed"
    whos = ("alice", "alice", "bob")
    write(store, [line([{"who": who}], number=number, datatypes="s") for number, who in enumerate(whos)])
    assert run_command(capsys, "compact", "--drop-lines", "--store", store)[0] == 0
    code, out, _ = run_command(capsys, "erase", INPUTS, store, "--where", "who = 'alice'")
    assert (code, out.splitlines()[2:]) == (
        0,
        [
            "  2026/11/22/10     2 rows, 2 whole events",
            "such as request-0_0, request-1_0",
            "2 rows and 2 whole events would go; nothing is changed (do it with --yes)",
        ],
    )

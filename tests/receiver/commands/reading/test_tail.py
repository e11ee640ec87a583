"""`tail`: the rows of a collection for people and for programs, until Ctrl-C."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SHOWN = (
    '2026-11-22 10:00:00.000  request-0_0  age=1 text="\\u001b[31m \\x9b \\u202e é" score=0.71 modelversion="default"'
)
TAIL = """
import signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job of a shell ignores it
from otel_modeldata_receiver.commands.main import main
sys.exit(main(["tail", *sys.argv[1:]]))
"""


@contextmanager
def tail(store: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", TAIL, COLLECTION, "--store", str(store), "--poll", "0.02", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env=os.environ | {"PYTHONUTF8": "1"},
    )
    with process:
        yield process
        process.kill()


@pytest.mark.slow
def test_new_rows_are_printed_in_one_line_each_until_ctrl_c(tmp_path: Path) -> None:
    row = [{"age": 1, "text": "\x1b[31m \x9b \u202e é", "score": 0.71}]
    blob = write(tmp_path, [line(row, datatypes="i8,s,f4"), line(number=8)[:9]])
    with tail(tmp_path, "-n", "1") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == f"{SHOWN}\n"
        with blob.open("ab") as file:
            file.write(line(number=8)[9:] + b"no line\n")
        assert process.stdout.readline().endswith('  request-8_0  age=8 modelversion="default"\n')
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=60) == ("", "otel-modeldata: left out 1 line(s) that are no events\n")
        assert process.returncode == 0


@pytest.mark.slow
def test_a_program_that_ends_early_ends_the_command_quietly(tmp_path: Path) -> None:
    write(tmp_path, [line(raw='[{"age":1.5,"d":"\\u00e9"}]')])
    with tail(tmp_path, "--json", "--since", "-900000d", "--where", "age > 1") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        row = json.loads(process.stdout.readline())
        assert row == {
            "row_id": "request-0_0",
            "correlationid": "request-0",
            "time": "2026-11-22T10:00:00+00:00",
            "endpoint": "shop",
            "deployment": "blue",
            "collection": "model_inputs",
            "traceparent": None,
            "modelversion": "default",
            "event_id": "event-0",
            "age": 1.5,
            "d": "é",
        }
        process.stdout.close()
        assert process.stderr.read() == ""
        assert process.wait(60) == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["shop/blue/model_input", "--store", "{store}"], 2, "did you mean 'shop/blue/model_inputs'?"),
        (
            [COLLECTION, "--store", "{store}", "--where", "ag > 1"],
            2,
            "got 'ag > 1': there is no column 'ag'; did you mean 'age'?",
        ),
        ([COLLECTION, "--store", "{store}", "--since", "soon"], 2, "got 'soon'"),
        ([COLLECTION, "--store", "{store}/missing"], 3, "got none at"),
        ([COLLECTION, "--store", "{store}", "--lines", "-1"], 2, "expected a number of rows, got '-1'"),
        ([COLLECTION, "--store", "{store}", "--poll", "0"], 2, "expected 0.01 to 3600 seconds, got '0'"),
        ([COLLECTION, "--store", "{store}", "--poll", "nan"], 2, "expected 0.01 to 3600 seconds, got 'nan'"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    write(tmp_path, [line()])
    try:
        found: object = main.main(["tail", *[argument.format(store=tmp_path) for argument in arguments]])
    except SystemExit as error:
        found = error.code
    captured = capsys.readouterr()
    assert (found, captured.out) == (code, "")
    assert reason in captured.err.splitlines()[-1]

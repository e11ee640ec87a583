"""The command `otel-modeldata query`: rows for people and for programs, and mistakes with their exit codes."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from read_lines import line, write

from otel_modeldata_receiver.commands import main
from otel_modeldata_receiver.commands.reading.row_table import row_table


def query(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    try:
        code: object = main.main(["query", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_table_for_people(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line([{"age": 7, "country": "ES", "text": "a\x1b[31m\n日本"}, {"age": None, "country": "FR"}])])
    sql = "SELECT age, country, text, [1, 2] AS l, 0.5::DOUBLE AS f, time FROM model_inputs"
    code, out, err = query(capsys, sql, "--store", tmp_path)
    assert (code, out.splitlines(), err) == (
        0,
        [
            "age  country  text             l         f  time",
            "  7  ES       a\\x1b[31m\\n日本  [1, 2]  0.5  2026-11-22T10:00:00.000000000Z",
            "     FR                        [1, 2]  0.5  2026-11-22T10:00:00.000000000Z",
            "2 rows",
        ],
        "",
    )


def test_a_table_fits_80_columns_and_says_what_is_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [{f"column_{number}": "日本語" * 20 for number in range(12)}] * 50
    write(tmp_path, [line(rows)])
    code, out, _ = query(capsys, "FROM model_inputs", "--store", tmp_path)
    lines = out.splitlines()
    assert (code, len(lines)) == (0, 42)
    # The model's own columns, rather than those that every collection has.
    assert lines[0] == "row_id       time         column_0      column_1      column_2      column_3"
    assert lines[-1] == "50 rows; the first 40 are shown; 15 more columns: --json and --csv have all"


@pytest.mark.parametrize(("width", "hidden"), [(1, 2), (10, 2), (22, 1), (40, 0), (80, 0)])
def test_no_line_of_a_table_is_wider_than_the_terminal(width: int, hidden: int) -> None:
    lines, left_out = row_table(["a" * 20, "b" * 100, "c"], [["x" * 100, 1.5, {"k": "v" * 50}]], width)
    assert max(map(len, lines)) <= max(width, 10)
    assert left_out == hidden


def test_json_has_one_object_a_line_and_csv_a_header(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line([{"age": 7, "tags": ["a", 'b"'], "s": ""}, {"age": None, "tags": None, "s": "x,\ny"}])])
    sql = "SELECT time, age, tags, s, 1.50::DECIMAL(5,2) AS price, 'nan'::DOUBLE AS f FROM model_inputs"
    time = "2026-11-22T10:00:00.000000000Z"
    code, out, err = query(capsys, sql, "--store", tmp_path, "--json")
    assert (code, err, list(map(json.loads, out.splitlines()))) == (
        0,
        "",
        [
            {"time": time, "age": 7, "tags": ["a", 'b"'], "s": "", "price": "1.50", "f": None},
            {"time": time, "age": None, "tags": None, "s": "x,\ny", "price": "1.50", "f": None},
        ],
    )
    code, out, err = query(capsys, sql, "--store", tmp_path, "--csv")
    assert (code, err, list(csv.reader(out.splitlines(keepends=True)))) == (
        0,
        "",
        [
            ["time", "age", "tags", "s", "price", "f"],
            [time, "7", '["a","b\\""]', "", "1.50", "nan"],
            [time, "", "", "x,\ny", "1.50", "nan"],
        ],
    )
    assert query(capsys, "SELECT age FROM model_inputs LIMIT 0", "--store", tmp_path, "--csv") == (0, '"age"\n', "")
    assert query(capsys, "SELECT age FROM model_inputs LIMIT 0", "--store", tmp_path, "--json") == (0, "", "")


def test_what_was_skipped_is_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line(), b"torn"])
    assert query(capsys, "SELECT count(*) AS n FROM model_inputs", "--store", tmp_path) == (
        0,
        "n\n1\n1 row\n",
        "shop/blue/model_inputs: 1 row of 1 line in 1 blob; torn 1\n",
    )


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["FROM nothing", "--store", "{store}"], 2, "got 'nothing': there are 'shop/blue/model_inputs'"),
        (["FROM model_input", "--store", "{store}"], 2, "did you mean 'model_inputs'"),
        (["SELECT agee FROM model_inputs", "--store", "{store}"], 2, "did you mean 'age'?"),
        (["SELEC", "--store", "{store}"], 2, "syntax error"),
        (["FROM '/etc/passwd'", "--store", "{store}"], 2, "got '/etc/passwd'"),
        (["FROM read_text('/etc/passwd')", "--store", "{store}"], 2, "disabled by configuration"),
        (["FROM model_inputs", "--store", "{store}", "--since", "soon"], 2, "got 'soon'"),
        (["FROM model_inputs", "--store", "{store}", "--since", "-1d", "--until", "-2d"], 2, "swap them"),
        (["FROM model_inputs", "--store", "{store}/missing"], 3, "got none at"),
        (["FROM model_inputs", "--store", "s3://bucket"], 3, "got scheme 's3'"),
        (["SELECT ('a' || chr(27) || chr(10) || chr(8238))::INTEGER", "--store", "{store}"], 2, r"'a\x1b \u202e'"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    write(tmp_path, [line()])
    found, out, err = query(capsys, *[argument.format(store=tmp_path) for argument in arguments])
    assert (found, out, len(err.splitlines())) == (code, "", 1)
    assert reason in err


def test_a_closed_pipe_ends_the_command_quietly(tmp_path: Path) -> None:
    write(tmp_path, [line([{"age": number} for number in range(50_000)])])
    command = [sys.executable, "-m", "otel_modeldata_receiver", "query", "FROM model_inputs", "--csv"]
    running = subprocess.Popen(
        [*command, "--store", str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert running.stdout is not None
    assert running.stderr is not None
    assert running.stdout.readline().startswith('"row_id"')
    running.stdout.close()
    assert (running.wait(timeout=60), running.stderr.read()) == (0, "")
    running.stderr.close()


def printed(arguments: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "otel_modeldata_receiver", *arguments]
    return subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False, timeout=60, **options)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no device that is always full")
@pytest.mark.parametrize(
    "arguments", [["ls"], ["query", "FROM model_inputs", "--json"], ["query", "FROM model_inputs"]]
)
def test_an_output_that_is_full_is_one_sentence(tmp_path: Path, arguments: list[str]) -> None:
    write(tmp_path, [line()])
    with Path("/dev/full").open("w") as full:
        found = printed([*arguments, "--store", str(tmp_path)], stdout=full)
    sentence = "otel-modeldata: expected to write the output, got No space left on device: write it elsewhere\n"
    assert (found.returncode, found.stderr) == (2, sentence)


@pytest.mark.slow
def test_what_the_terminal_does_not_have_is_escaped(tmp_path: Path) -> None:
    write(tmp_path, [line([{"word": "\u8a9e"}])])
    found = printed(
        ["query", "SELECT word FROM model_inputs", "--store", str(tmp_path)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONIOENCODING": "ascii"},
    )
    assert (found.returncode, found.stdout) == (0, "word\n\\u8a9e\n1 row\n")


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="closes the output as a shell of Unix does")
def test_a_closed_output_takes_everything(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    found = printed(["query", "FROM model_inputs", "--store", str(tmp_path)], preexec_fn=lambda: os.close(1))
    assert (found.returncode, found.stderr) == (0, "")


def test_a_short_name_of_several_deployments_is_a_mistake_that_names_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for deployment in ("shop/blue", "shop/green"):
        for collection in ("model_inputs", "model_outputs"):
            write(tmp_path, [line()], collection=f"{deployment}/{collection}")
    for name in ("joined", "model_inputs"):
        code, out, err = query(capsys, f"FROM {name}", "--store", tmp_path)
        reason = f"got {name!r}, which several deployments have: write 'shop_blue.{name}' or 'shop_green.{name}'"
        assert (code, out) == (2, "")
        assert err == f"otel-modeldata: expected one collection of {tmp_path}, {reason}\n"


def test_a_float_of_4_bytes_has_the_digits_that_were_collected(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"score": 0.71, "embedding": [0.1]}]
    write(tmp_path, [line(rows, datatypes="f4,arrow[list[f4]]")])
    sql = "SELECT score, embedding FROM model_inputs"
    assert query(capsys, sql, "--store", tmp_path, "--json")[1] == '{"score":0.71,"embedding":[0.1]}\n'
    assert query(capsys, sql, "--store", tmp_path, "--csv")[1] == '"score","embedding"\n0.71,"[0.1]"\n'
    assert query(capsys, sql, "--store", tmp_path)[1].splitlines()[1] == " 0.71  [0.1]"


@pytest.mark.parametrize("form", ["--csv", "--json"])
def test_rows_for_programs_steer_no_terminal(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    nasty = "\x1b[2J\x9b31m\u202e\n"
    write(tmp_path, [line([{nasty: nasty}])])
    statement = ["SELECT * EXCLUDE (row_id) FROM model_inputs", form, "--store", str(tmp_path)]
    code, piped, _ = query(capsys, *statement)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    again, shown, _ = query(capsys, *statement)
    assert (code, again) == (0, 0)
    assert "\x9b31m\u202e" in piped
    assert "\\x9b31m\\u202e" in shown
    assert [one for one in shown if not one.isprintable() and one != "\n"] == []

"""The command `otel-modeldata export`: files, what it says, and mistakes with their exit codes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_run import run_command, shell_code
from read_lines import line, write

import otel_modeldata_reader as reader

COLLECTION = "shop/blue/model_inputs"


def export(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    return run_command(capsys, "export", *arguments)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    write(path, [line([{"age": 7, "country": "ES"}, {"age": 8, "country": "FR"}]), line([{"age": 9}], number=1)])
    write(path, [line([{"score": 0.5}, {"score": 0.25}])], collection="shop/blue/model_outputs")
    return path


def test_a_collection_is_a_file_with_the_rows_that_were_asked_for(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.parquet"
    where = ("--since", "2026-11-22", "--columns", "age, country", "--where", "age < 9 AND country <> 'FR'")
    code, out, err = export(capsys, COLLECTION, "--parquet", path, "--store", store, *where)
    assert (code, out, err) == (0, f"{path}: 1 row, {path.stat().st_size:,} bytes\n", "")
    assert pd.read_parquet(path).to_dict("list") == {"age": [7], "country": ["ES"]}
    path = tmp_path / "x.csv"
    code, out, err = export(capsys, COLLECTION, "--csv", path, "--store", store, "--columns", "age", "--json")
    facts = {"store": str(store), "path": str(path), "rows": 3, "bytes": path.stat().st_size, "notes": []}
    assert (code, json.loads(out), err) == (0, facts, "")
    assert path.read_text("utf-8") == '"age"\n7\n8\n9\n'


def test_the_joined_rows_of_a_deployment_are_those_of_join(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.parquet"
    assert export(capsys, "shop/blue", "--joined", "--parquet", path, "--store", store)[::2] == (0, "")
    pd.testing.assert_frame_equal(pd.read_parquet(path), reader.open(store).join("shop/blue", labels=True).to_pandas())
    where = ("--columns", "row_id,score", "--where", "score > 0.3 -- and no more")
    assert export(capsys, "shop/blue", "--joined", "--parquet", path, "--store", store, "--force", *where)[0] == 0
    assert pd.read_parquet(path).to_dict("list") == {"row_id": ["request-0_0"], "score": [0.5]}


def test_what_was_skipped_and_what_a_spreadsheet_may_run_is_on_stderr(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "store", [line([{"a": "=1"}]), b"torn"])
    _, _, err = export(capsys, COLLECTION, "--csv", tmp_path / "x.csv", "--store", tmp_path / "store")
    assert [text[:42] for text in err.splitlines()] == [
        "shop/blue/model_inputs: 1 row of 1 line in",
        "otel-modeldata: 1 text with =, +, -, @ or ",
    ]


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["shop/blue/model_input"], 2, "did you mean 'shop/blue/model_inputs'"),
        (["shop/blue/model_inputs", "--columns", "agee"], 2, "got 'agee': did you mean 'age'?"),
        (["shop/blue/model_inputs", "--where", "agee > 1"], 2, "there is no column 'agee'; did you mean 'age'?"),
        (["shop/red", "--joined"], 2, "got 'shop/red/joined': did you mean"),
        (["shop/blue", "--joined", "--columns", "agee"], 2, "got 'agee': did you mean 'age'?"),
        (["shop/blue", "--joined", "--where", "true; SELECT 1"], 2, "leave out the semicolon"),
        (["shop/blue/model_inputs", "--since", "soon"], 2, "got 'soon'"),
        (["shop/blue/model_inputs", "--store", "{tmp}/missing"], 3, "got none at"),
    ],
)
@pytest.mark.usefixtures("store")
def test_a_mistake_is_one_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    where = [] if "--store" in arguments else ["--store", str(tmp_path / "store")]
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    found, out, err = export(capsys, *given, *where, "--parquet", tmp_path / "x.parquet")
    assert (found, out, len(err.splitlines())) == (code, "", 1)
    assert reason in err
    assert not list(tmp_path.glob("*.parquet*"))
    assert not list(tmp_path.glob(".*"))


def test_a_file_that_is_there_and_two_formats_are_code_2(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.parquet"
    path.write_text("mine", "utf-8")
    assert export(capsys, COLLECTION, "--parquet", path, "--store", store) == (
        2,
        "",
        (
            f"otel-modeldata: expected a new file, got one that is there, {path}: choose another name, or overwrite it "
            "(overwrite=True, --force)\n"
        ),
    )
    assert export(capsys, COLLECTION, "--store", store)[0] == 2
    assert export(capsys, COLLECTION, "--parquet", path, "--csv", path, "--store", store)[0] == 2
    assert path.read_text("utf-8") == "mine"


@pytest.mark.slow
def test_an_interrupted_export_leaves_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store"
    write(store, [line([{"a": number}] * 50, number=number) for number in range(20_000)])
    out = tmp_path / "out"
    out.mkdir()
    command = [sys.executable, "-m", "otel_modeldata_receiver", "export", COLLECTION, "--store", str(store)]
    running: Any = subprocess.Popen([*command, "--csv", str(out / "x.csv")], stderr=subprocess.PIPE)
    while running.poll() is None and not list(out.iterdir()):
        pass
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert (shell_code(running.returncode), list(out.iterdir()), err) == (130, [], b"")


def test_a_deployment_needs_joined_and_joined_needs_a_deployment(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "x.csv"
    for arguments, message in [
        (("shop/blue",), "a collection, got 'shop/blue', which has several: add the name of one, or --joined"),
        (("shop",), "a collection, got 'shop', which has several: add the name of one"),
        ((COLLECTION, "--joined"), f"a deployment, such as shop/blue, with --joined, got {COLLECTION!r}"),
    ]:
        found = export(capsys, *arguments, "--csv", path, "--store", store)
        assert found == (2, "", f"otel-modeldata: expected {message}\n")
    assert not path.exists()


def test_a_file_called_minus_is_refused(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    message = "otel-modeldata: expected the name of a file, got '-': otel-modeldata query --csv prints rows\n"
    assert export(capsys, COLLECTION, "--csv", "-", "--store", store) == (2, "", message)


@pytest.mark.parametrize("flag", ["--csv", "--parquet", "--delta"])
def test_no_device_is_replaced_and_a_sentence_says_how_rows_are_printed(
    store: Path, capsys: pytest.CaptureFixture[str], flag: str
) -> None:
    message = (
        "otel-modeldata: expected the name of a file, got /dev/null, which is a device: name a file, or print rows "
        "with otel-modeldata query --csv\n"
    )
    for force in ([], ["--force"]):
        assert export(capsys, COLLECTION, flag, "/dev/null", "--store", store, *force) == (2, "", message)
    assert Path("/dev/null").is_char_device()


def test_a_file_that_the_system_refuses_is_one_sentence(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    long = "é" * 150  # 300 bytes, where a name has at most 255
    for path, message in [
        (tmp_path / long, f"a file that can be written, got File name too long: {tmp_path / long}"),
        (tmp_path / long / "x", f"a folder for x, got none at {tmp_path / long}: create it"),
    ]:
        for flag in ("--csv", "--parquet"):
            found = export(capsys, COLLECTION, flag, path, "--store", store)
            assert found == (2, "", f"otel-modeldata: expected {message}\n")

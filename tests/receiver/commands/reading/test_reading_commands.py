"""`ls` and `show`: what a store has, for people and for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from read_lines import HOUR, line, write

from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from pathlib import Path

WRITTEN = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
LONG = "long_name" * 4
BLOB = f"shop/blue/model_inputs/{HOUR}/{0:032x}000000.jsonl"


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main.main([*map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def write_store(store: Path) -> tuple[int, int]:
    """Write two collections; returns the bytes of `model_inputs` and of the other one."""
    first = write(store, [line(), line([{"age": 7}] * 50, number=1)])
    second = write(store, [line(number=2)], hour="2026/11/22/13")
    other = write(store, [line(number=3)], collection=f"shop/blue/{LONG}")
    for blob in (first, second, other):
        os.utime(blob, (WRITTEN.timestamp(),) * 2)
    return first.stat().st_size + second.stat().st_size, other.stat().st_size


def test_ls_lists_collections_in_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    size, other = write_store(tmp_path)
    code, out, err = run(capsys, "ls", tmp_path, "--count")
    assert (code, err) == (0, "")
    assert out.splitlines()[1:] == [
        "                        size      events             rows  gaps       last write",
        "shop/blue",
        f"  {LONG}",
        f"  {'':17} {other:>6} B           1                1       2026-11-23 08:30",
        f"  model_inputs      {size / 1000:>5.1f} kB           3               52     2 2026-11-23 08:30",
    ]
    _, out, _ = run(capsys, "ls", tmp_path)
    assert out.splitlines()[1::3] == [
        "                        size       blobs        last hour  gaps       last write",
        f"  {'':17} {other:>6} B           1 2026-11-22 10:00       2026-11-23 08:30",
    ]
    assert out.splitlines()[-1][28:].split() == ["2", "2026-11-22", "13:00", "2", "2026-11-23", "08:30"]
    assert max(map(len, out.splitlines()[1:])) <= 80


def test_ls_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blob = write(tmp_path, [line()])
    size = blob.stat().st_size
    os.utime(blob, (WRITTEN.timestamp(),) * 2)
    write(tmp_path, [b""], hour="2026/11/22/13")
    code, out, _ = run(capsys, "ls", tmp_path, "--json")
    last_write = json.loads(out)["collections"][0].pop("last_write")
    assert (code, json.loads(out)) == (
        0,
        {
            "store": str(tmp_path),
            "collections": [
                {
                    "name": "shop/blue/model_inputs",
                    "endpoint": "shop",
                    "deployment": "blue",
                    "collection": "model_inputs",
                    "first": "2026-11-22T10:00:00+00:00",
                    "last": "2026-11-22T13:00:00+00:00",
                    "folders": 2,
                    "gaps": 2,
                    "missing": [{"since": "2026-11-22T11:00:00+00:00", "until": "2026-11-22T13:00:00+00:00"}],
                    "blobs": 2,
                    "bytes": size,
                    "compacted": 0,
                    "events": None,
                    "rows": None,
                    "last_write": last_write,
                }
            ],
        },
    )
    assert last_write > WRITTEN.isoformat()  # of the empty blob


def test_show_prints_the_events_of_an_id(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_store(tmp_path)
    code, out, _ = run(capsys, "show", "request-1", "--store", tmp_path)
    assert code == 0
    assert out.splitlines()[:-1] == [
        "2026-11-22 10:00:00.000 UTC  shop/blue/model_inputs",
        f"  {BLOB}, line 2",
        "  correlation request-1",
        "  event event-1",
        "  row 0",
        "    age: 7",
        "  row 1",
        "    age: 7",
        "  row 2",
        "    age: 7",
        "  and 47 more rows",
    ]
    code, out, _ = run(capsys, "show", "request-1_4", "--store", tmp_path, "--json")
    (event,) = json.loads(out)["events"]
    assert (code, event["blob"], event["line"], event["row"], event["content"]) == (0, BLOB, 2, 4, [{"age": 7}])


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["show", "nothing", "--store", "{store}"], 2, "got 'nothing': no event has it; correct the id"),
        (["show", "", "--store", "{store}"], 2, "got '': no event can have it"),
        (["show", "request-1", "--store", "{store}", "--since", "soon"], 2, "got 'soon'"),
        (["show", "request-1", "--store", "{store}", "--since", "-1h", "--until", "-2h"], 2, "swap them"),
        (["show", "request-1", "--store", "{store}/missing"], 3, "got none at"),
        (["ls", "{store}/missing"], 3, "got none at"),
        (["ls", "s3://bucket"], 3, "got scheme 's3'"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, reason: str
) -> None:
    write_store(tmp_path)
    found, out, err = run(capsys, *[argument.format(store=tmp_path) for argument in arguments])
    assert (found, out, len(err.splitlines())) == (code, "", 1)
    assert reason in err


@pytest.mark.parametrize("command", [["ls"], ["show", "request-1"], ["audit"], ["label", "{store}", "--id", "x"]])
@pytest.mark.parametrize(
    ("variable", "expected"),
    [("{store}/missing", (3, "a folder of blobs, got none at")), ("s3://bucket", (2, "a store URL"))],
)
def test_an_error_of_the_store_names_the_variable_that_it_is_from(  # noqa: PLR0917 (two parameters, fixtures)
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    command: list[str],
    variable: str,
    expected: tuple[int, str],
) -> None:
    labels = tmp_path / "labels.csv"
    labels.write_text("x,y\nrequest-0_0,1\n", "utf-8")
    monkeypatch.setenv("OTEL_MODELDATA_STORE", variable.format(store=tmp_path))
    found, out, err = run(capsys, *[word.format(store=labels) for word in command])
    assert (found, out, len(err.splitlines())) == (expected[0], "", 1)
    assert err.startswith(f"otel-modeldata: OTEL_MODELDATA_STORE: expected {expected[1]}")
    assert "--store" not in err


def test_without_any_store_the_error_says_how_to_name_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OTEL_MODELDATA_STORE", raising=False)
    monkeypatch.chdir(tmp_path)
    code, _, err = run(capsys, "ls")
    assert (code, "name another store with --store or OTEL_MODELDATA_STORE" in err) == (3, True)


def test_what_reads_the_output_may_stop(tmp_path: Path) -> None:
    write(tmp_path, [line([{"text": "x" * 500}] * 1000, number=number) for number in range(20)])
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m otel_modeldata_receiver show event-3 --json --store . | head -c 10"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.stdout, done.stderr) == ('{"store": ', "")


def test_without_the_extra_the_command_names_it(tmp_path: Path) -> None:
    code = "import sys; sys.modules['pyarrow'] = None\n"
    code += f"from otel_modeldata_receiver.commands.main import main\nraise SystemExit(main(['ls', {str(tmp_path)!r}]))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, "pip install 'otel-modeldata[read]'" in done.stderr) == (2, True)

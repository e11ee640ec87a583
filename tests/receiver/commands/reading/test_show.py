"""`show` draws the trace of a request, in 80 columns, and no data of a sender steers the terminal."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import unicodedata
from typing import TYPE_CHECKING

from read_lines import line, write
from stored_spans import TRACE, child, write_spans

from otel_modeldata_reader import lookup
from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

TRACEPARENT = f"00-{TRACE}-0000000000000002-01"
SPANS = f"{1:032x}000000.jsonl"


def show(capsys: pytest.CaptureFixture[str], store: Path, wanted: str, *flags: str) -> tuple[int, str, str]:
    code = main.main(["show", wanted, "--store", str(store), *flags])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_the_spans_of_a_request_are_a_waterfall(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line(number=1, traceparent=TRACEPARENT)])
    write_spans(
        tmp_path,
        child("POST /score", 1, end=1500),
        child("predict", 2, parent=1, start=500, end=1250, failed=True),
        child("a name that is much too long for its column", 3, parent=2, start=1500, end=1500),
    )
    code, out, _ = show(capsys, tmp_path, "request-1")
    place = next(one.relative_to(tmp_path) for one in tmp_path.glob(f"*/*/app_spans/**/{SPANS}"))
    shown = out.splitlines()
    assert (code, shown[0]) == (0, "2026-11-22 10:00:00.000 UTC  shop/blue/model_inputs")
    bar = "=" * 29
    assert shown[6:-1] == [
        f"trace {TRACE}",
        f"{'  POST /score':32}    1.50 s       |{bar}|",
        f"    {place}, line 1",
        f"{'    predict':32} 750.00 ms ERROR |{' ' * 9}{'=' * 14}{' ' * 6}|",
        f"      {place}, line 2",
        f"      a name that is much too...   0.00 ms       |{' ' * 28}=|",
        f"        {place}, line 3",
    ]
    assert shown[-1].startswith("4 events, ")
    assert {len(one) for one in shown if one.endswith("|")} == {80}


def test_the_waterfall_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_spans(tmp_path, child("predict", 2, parent=1, start=500, end=1250, failed=True))
    _, out, _ = show(capsys, tmp_path, TRACE, "--json", "--no-index")
    facts = json.loads(out)
    (span,) = facts["spans"]
    assert span == {
        "name": "predict",
        "trace_id": TRACE,
        "span_id": f"{2:016x}",
        "parent_id": f"{1:016x}",
        "depth": 0,
        "start": "2026-11-22T12:00:00.500000+00:00",
        "end": "2026-11-22T12:00:01.250000+00:00",
        "status": "ERROR",
        "blob": facts["events"][0]["blob"],
        "line": 1,
    }
    assert (facts["notes"], facts["scanned_bytes"]) == ([], facts["bytes"])


def test_data_steers_no_terminal_and_stays_in_80_columns(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    nasty = "\x1b[2J\x07\x9b\u202e\r\n"
    write(tmp_path, [line([{nasty: nasty, "wide": "\u6f22" * 100}], number=1, correlationid=f"{nasty}1", id=nasty)])
    write_spans(tmp_path, child(nasty, 1, end=1))
    for wanted in (nasty, TRACE):
        code, out, _ = show(capsys, tmp_path, wanted)
        assert (code, [one for one in out if unicodedata.category(one) in {"Cc", "Cf"} and one != "\n"]) == (0, [])
    _, out, _ = show(capsys, tmp_path, nasty)
    (wide,) = (one for one in out.splitlines() if "wide" in one)
    assert wide == '    wide: "' + "\u6f22" * 33 + "..."


def test_a_damaged_index_is_reported_on_stderr(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line()])
    (tmp_path / "_index").mkdir()
    (tmp_path / "_index" / "x.index").write_bytes(b"foreign")
    code, _, err = show(capsys, tmp_path, "event-0")
    reason = "got _index/x.index (it begins as no index does), which is not used: remove it"
    assert (code, err) == (0, f"otel-modeldata: expected an index, {reason}\n")
    assert show(capsys, tmp_path, "event-0", "--no-index")[2] == ""


def test_the_index_changes_no_audit_and_no_listing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lookup, "_WORTH_BYTES", 1)
    write(tmp_path, [line(), line(number=1)])
    commands = [["audit", str(tmp_path), "--running", "--json"], ["ls", str(tmp_path), "--count"]]

    def outputs() -> list[str]:
        codes = [main.main(one) for one in commands]
        return [*map(str, codes), capsys.readouterr().out]

    before = outputs()
    assert show(capsys, tmp_path, "event-0")[0] == 0
    assert len(list((tmp_path / "_index").iterdir())) == 1
    assert outputs() == before


def test_a_terminal_has_colors_unless_no_color_is_set(tmp_path: Path) -> None:
    write_spans(tmp_path, child(":smile: [red]", 1, end=1, failed=True))
    command = [sys.executable, "-m", "otel_modeldata_receiver", "show", TRACE, "--store", str(tmp_path)]
    shown = {}
    for name, variables in (
        ("pipe", {}),
        ("terminal", {"FORCE_COLOR": "1"}),
        ("none", {"NO_COLOR": "1", "FORCE_COLOR": "1"}),
    ):
        env = {key: value for key, value in os.environ.items() if key not in {"NO_COLOR", "FORCE_COLOR"}} | variables
        done = subprocess.run(
            command, env=env | {"TERM": "xterm"}, capture_output=True, text=True, timeout=60, check=True
        )
        shown[name] = done.stdout
    assert ("\x1b" in shown["pipe"], "\x1b[31m" in shown["terminal"], "\x1b[31m" in shown["none"]) == (
        False,
        True,
        False,
    )
    assert {re.sub(r"\x1b\[[0-9;]*m", "", one) for one in shown.values()} == {shown["pipe"]}
    assert "  :smile: [red] " in shown["pipe"]


def test_requests_and_responses_say_what_was_called(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    called = {"method": "POST", "path": "/score?a=1", "correlationid": "r"}
    write(tmp_path, [line({"age": 41}, **called)], collection="shop/blue/request")
    answered = called | {"statuscode": "200", "latencyms": "12.5", "id": "response"}
    write(tmp_path, [line({"p": 0.5}, **answered)], collection="shop/blue/response")
    _, out, _ = show(capsys, tmp_path, "r")
    shown = [one.strip() for one in out.splitlines()]
    assert [shown[4:6], shown[10:12]] == [
        ["POST /score?a=1", '{"age": 41}'],
        ["POST /score?a=1 200 in 12.5 ms", '{"p": 0.5}'],
    ]
    _, out, _ = show(capsys, tmp_path, "r", "--json")
    names = ("method", "path", "status_code", "latency_ms")
    assert [[one[name] for name in names] for one in json.loads(out)["events"]] == [
        ["POST", "/score?a=1", None, None],
        ["POST", "/score?a=1", "200", "12.5"],
    ]


def test_rows_that_are_not_shown_or_not_there_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line([{"age": number} for number in range(4)])])
    assert main.main(["show", "request-0", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "  and 1 more row"
    assert main.main(["show", "request-0_9", "--store", str(tmp_path)]) == 0
    assert capsys.readouterr().out.splitlines()[-2] == "  no row 9 in this event"

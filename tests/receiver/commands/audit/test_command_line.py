"""Wrong usage of `otel-modeldata audit`, and what the command prints."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from audited_store import (
    run,
    write_event,
    write_report,
)
from read_lines import line, write

from otel_modeldata_reader.auditing import producer_report
from otel_modeldata_reader.auditing.producer_report import ReportSource
from otel_modeldata_receiver.exceptions import ConfigError

if TYPE_CHECKING:
    from pathlib import Path


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("flags", "part"),
    [
        ([], "a receiver"),
        (["--endpoint", "credti"], "endpoint credti"),
        (["--collection", "c", "--from", "2026-11-22T10"], "collection c and first 2026/11/22/10"),
    ],
)
def test_nothing_to_audit_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], part: str
) -> None:
    if flags:
        write_event(tmp_path, 0, 12, "stored")
    code, out, err = run(capsys, tmp_path, *flags, "--json")
    assert (code, out) == (3, "")
    assert err == (
        f"otel-modeldata: expected blobs of {part} in {tmp_path}, got none: correct the store or the names\n"
    )


def test_a_missing_store_has_code_3_and_is_not_created(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, tmp_path / "nowhere")
    assert (code, out, err.count("\n")) == (3, "", 1)
    assert str(tmp_path / "nowhere") in err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ["a", "--store", "b"],
        ["s", "--from", "soon"],
        ["s", "--nonsense"],
        ["ftp://x"],
        ["s", "--report"],
        ["s", "--report", "absent.json"],
    ],
    ids=" ".join,
)
def test_wrong_usage_has_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "")
    assert err


@pytest.mark.parametrize("place", ["argument", "after flags", "flag", "both", "variable", "default"])
def test_the_store_is_an_argument_or_a_flag_else_that_of_the_environment(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OTEL_MODELDATA_STORE", raising=False)
    store = "modeldata" if place == "default" else "a store"
    write_event(tmp_path / store, 0, 12, "stored")
    if place == "variable":
        monkeypatch.setenv("OTEL_MODELDATA_STORE", store)
    flags = {
        "argument": [store, "--running"],
        "after flags": ["--endpoint", "credit", "--running", store],
        "flag": ["--running", f"--store={store}"],
        "both": [store, "--store", store, "--running"],
    }
    code, out, err = run(capsys, *flags.get(place, ["--running"]))
    shown = f"./{store}" if place == "default" else store
    assert (code, out.partition(":")[0], err) == (0, shown, "")


def test_two_stores_are_refused_and_an_empty_one_is_not_the_default(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(capsys, "a", "--store", "b")[2] == (
        "otel-modeldata: expected one store, got 'a' and --store 'b': leave one out\n"
    )
    code, _, err = run(capsys, "")
    assert (code, "got an empty one" in err) == (2, True)


def test_a_report_and_hours_exclude_each_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = write_report(tmp_path / "reports", "p")
    code, _, err = run(capsys, tmp_path, "--report", report, "--from", "2026-11-22T10")
    assert (code, "a final report covers all hours" in err) == (2, True)
    assert run(capsys, tmp_path, "--from", "2026-11-22T10", "--to", "2026-11-22T09")[0] == 2


def test_all_wrong_reports_are_listed(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    good = write_report(tmp_path / "a", "p", model_inputs={"accepted": 1, "delivered": 1, "lost": {}})
    other = write_report(tmp_path / "b", "p", model_inputs={"accepted": 2, "delivered": 2, "lost": {}})
    negative = write_report(tmp_path / "c", "q", model_inputs={"accepted": -1})
    with pytest.raises(ConfigError) as caught:
        producer_report.load([ReportSource(path=path) for path in (good, good, other, negative, tmp_path / "empty")])
    lines = str(caught.value).splitlines()
    assert [line.partition(": expected")[0] for line in lines] == [
        str(other),
        str(negative),
        str(tmp_path / "empty"),
    ]


def test_the_text_is_the_same_without_rich(tmp_path: Path) -> None:
    write_event(tmp_path, 0, 12, "stored")
    texts = []
    for block in ("", "sys.modules['rich'] = None\n"):
        code = f"import sys\n{block}from otel_modeldata_receiver.commands.main import main\n"
        code += f"sys.exit(main(['audit', {str(tmp_path)!r}, '--running']))"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        texts.append(done.stdout)
    assert texts[0] == texts[1]


def test_the_help_loads_no_large_library() -> None:
    code = (
        "import sys\nfrom otel_modeldata_receiver.commands.main import main\n"
        "try: main(['audit', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('grpc', 'azure', 'numpy', 'rich', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
    assert "exit codes:" in done.stdout


@pytest.mark.parametrize("workers", ["1", "2"])
def test_values_of_as_many_levels_as_a_receiver_takes_are_read_in_each_process(tmp_path: Path, workers: str) -> None:
    deepest = 980  # of a process without other calls under way, before Python 3.12
    lines = [
        line(raw=f'[{{"v":{"[" * levels}{"]" * levels}}}]', number=at, producer="p", producersequence=str(at))
        for at, levels in enumerate(range(deepest - 80, deepest))
    ]
    write(tmp_path, lines)
    command = [sys.executable, "-m", "otel_modeldata_receiver", "audit", str(tmp_path), "--running", "--json"]
    done = subprocess.run([*command, "--workers", workers], check=True, capture_output=True, timeout=120)
    (found,) = json.loads(done.stdout)["reconciliations"]
    assert (found["stored"], found["missing"]) == (80, 0)

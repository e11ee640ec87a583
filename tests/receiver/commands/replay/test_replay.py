"""The command `otel-modeldata replay`: what it prints, its files, and mistakes with their exit codes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command_run import shell_code
from fastapi import Response
from model_server import Received, frame_rows, serving
from read_lines import line, write

from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REQUESTS = 200
SEED = 20261129


def replay(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    try:
        code: object = main.main(["replay", *map(str, arguments)])
    except SystemExit as error:
        code = error.code
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def score(age: int) -> dict[str, Any]:
    return {"score": age / 4, "label": "old" if age > 60 else "young"}


def model(request: Received) -> Any:
    return [score(row["age"]) for row in frame_rows(request)]


def other(request: Received) -> Any:
    """Answers another score and label to those above 97."""
    rows = [row["age"] for row in frame_rows(request)]
    return [score(age) | ({"score": age / 4 + 0.5, "label": "young"} if age > 97 else {}) for age in rows]


def fill(store: Path, requests: int) -> None:
    """Inputs and outputs of so many requests, of one row each."""
    rows = [{"age": number % 100, "country": ("ES", "FR")[number % 2]} for number in range(requests)]
    write(store, [line([row], number=number) for number, row in enumerate(rows)])
    scored = [line([score(row["age"])], number=number, id=f"out-{number}") for number, row in enumerate(rows)]
    write(store, scored, collection="shop/blue/model_outputs")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    fill(folder, 100)
    return folder


@pytest.fixture
def target() -> Iterator[str]:
    with serving(model) as server:
        yield server.url


def test_an_equal_model_is_code_0(store: Path, tmp_path: Path, target: str, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    code, text, err = replay(capsys, "shop/blue", store, "--target", target, "--out", out, "--compare")
    lines = text.splitlines()
    assert lines[2].startswith("latency p50 ")
    assert (code, err) == (0, "")
    assert lines[:2] + lines[3:] == [
        f"100 requests, 100 rows to {target}",
        "200: 100",
        "",
        "rows of  rows  equal  different  missing  incomparable",
        "all       100    100          0        0             0",
        "",
        "column  values  different  difference p50  p99  max",
        "score      100          0             0.0  0.0  0.0",
        "label      100          0",
        f"{out}: answers.parquet, differences.parquet",
    ]


def test_another_model_is_code_1_and_says_where_it_differs(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with serving(other) as server:
        arguments = (
            "shop/blue",
            store,
            "--target",
            server.url,
            "--out",
            tmp_path / "out",
            "--compare",
            "--by",
            "country",
        )
        code, text, _ = replay(capsys, *arguments)
        assert code == 1
        assert text.splitlines()[4:] == [
            "rows of  rows  equal  different  missing  incomparable",
            "all       100     98          2        0             0",
            "ES         50     49          1        0             0",
            "FR         50     49          1        0             0",
            "",
            "column  values  different  difference p50  p99  max",
            "score      100          2             0.0  0.5  0.5",
            "label      100          2",
            "",
            "label recorded  answered  values",
            "old             young          2",
            f"{tmp_path / 'out'}: answers.parquet, differences.parquet",
            "2 rows not equal, at most 0 may be",
        ]
        again = (*arguments, "--resume")
        assert replay(capsys, *again, "--max-different", "2")[0] == 0
        assert replay(capsys, *again, "--max-different", "1.9%")[0] == 1
        assert replay(capsys, *again, "--max-different", "2%")[0] == 0
        assert replay(capsys, *again, "--tolerance", "0.6")[0] == 1  # the labels still differ
        code, text, _ = replay(capsys, *again, "--json")
        assert len(server.received) == 100
    facts = json.loads(text)
    comparison = facts.pop("comparison")
    assert (code, facts["latency_ms"].keys()) == (1, {"p50", "p99"})
    assert {name: facts[name] for name in facts if name not in {"latency_ms", "seconds", "run"}} == {
        "store": str(store),
        "target": server.url,
        "folder": str(tmp_path / "out"),
        "is_good": False,
        "requests": 100,
        "answered": 100,
        "failed": 0,
        "earlier": 100,
        "rows": 100,
        "by_status": {"200": 100},
        "skipped": {},
    }
    assert comparison["rows"] == {"equal": 98, "different": 2, "missing": 0, "incomparable": 0}
    assert comparison["columns"][1]["confusion"] == [["young", "young", 61], ["old", "old", 37], ["old", "young", 2]]
    assert [(one["value"], one["rows"]["different"]) for one in comparison["slices"]] == [("ES", 1), ("FR", 1)]


def test_failed_requests_are_code_1(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(lambda one: Response("no", status_code=422 if one.number < 3 else 200)) as server:
        code, text, _ = replay(capsys, "shop/blue", store, "--target", server.url, "--out", tmp_path / "out")
    assert (code, text.splitlines()[1]) == (1, "200: 97, 422: 3")
    assert text.splitlines()[-1] == "3 requests without an answer: --resume sends them again"


def test_answers_that_are_all_errors_are_shown_with_what_may_be_wrong(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("shop/blue", store, "--limit", 3, "--out", tmp_path / "out")
    with serving(lambda _: Response("no rows\x1b in the body", status_code=500)) as server:
        code, text, _ = replay(capsys, *arguments, "--target", server.url)
    assert (code, text.splitlines()[-5:]) == (
        1,
        [
            f"{tmp_path / 'out'}: answers.parquet",
            "3 requests without an answer: --resume sends them again",
            "the first answer: no rows\\x1b in the body",
            "No request was answered with a status 2xx. If the target expects other bodies, name",
            "them with --format, and another --out; --dry-run shows the first body.",
        ],
    )


def test_a_dry_run_sends_and_writes_nothing(store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with serving(model) as server:
        arguments = ("shop/blue", store, "--target", server.url, "--out", tmp_path / "out", "--dry-run", "--limit", "2")
        code, text, err = replay(capsys, *arguments)
        assert (code, err) == (0, "")
        body = '{"input_data":{"columns":["age","country"],"index":[0],"data":[[0,"ES"]]}}'
        assert text.splitlines() == [
            f"shop/blue/model_inputs -> {server.url}: 2 requests with 2 rows, 148 B; nothing is sent",
            f"the first: {body}",
        ]
        code, text, _ = replay(capsys, *arguments, "--json", "--format", "rows", "--columns", "country")
        assert json.loads(text) == {
            "target": server.url,
            "requests": 2,
            "rows": 2,
            "bytes": 36,
            "skipped": {},
            "first_body": '[{"country":"ES"}]',
        }
        assert server.received == []
    assert list(tmp_path.iterdir()) == []


def test_secrets_come_from_files_and_variables_and_are_nowhere(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GREEN_KEY", "hunter2")
    (tmp_path / "token").write_text("Bearer hunter3\n")
    with serving(model) as server:
        arguments = ("shop/blue", store, "--target", server.url, "--out", tmp_path / "out", "--json", "--limit", "1")
        headers = ("--header", "x-team=green", "--header-env", "x-key=GREEN_KEY")
        secret = ("--header-file", f"Authorization={tmp_path / 'token'}")
        code, text, err = replay(capsys, *arguments, *headers, *secret)
        (sent,) = (one.headers for one in server.received)
    assert (code, err) == (0, "")
    assert (sent["x-team"], sent["x-key"], sent["authorization"]) == ("green", "hunter2", "Bearer hunter3")
    written = [text.encode(), *(path.read_bytes() for path in (tmp_path / "out").iterdir())]
    assert not any(secret in content for content in written for secret in (b"hunter2", b"hunter3"))
    assert {path.stat().st_mode & 0o077 for path in (tmp_path / "out").rglob("*")} == {0}
    assert (tmp_path / "out").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [
        (["shop"], 2, "expected a deployment, such as shop/blue, got 'shop'"),
        (["shop/bleu"], 2, "did you mean 'shop/blue/model_inputs'"),
        (["shop/blue", "--by", "country"], 2, "expected --compare with --by, got none"),
        (["shop/blue", "--compare", "--by", "countri"], 2, "got 'countri': did you mean 'country'?"),
        (["shop/blue", "--format", "xml"], 2, "expected a format, one of input_data, "),
        (["shop/blue", "--format", "rows", "--input-data"], 2, "not allowed with argument"),
        (["shop/blue", "--from-requests"], 2, "got 'shop/blue/request'"),
        (["shop/blue", "--rate", "fast"], 2, "expected a rate like 50, 50/s or 100/m, got 'fast'"),
        (["shop/blue", "--rate", "0"], 2, "expected a rate like"),
        (["shop/blue", "--concurrency", "0"], 2, "expected a number of at least 1, got '0'"),
        (["shop/blue", "--timeout", "nan"], 2, "expected a number of at least 0, got 'nan'"),
        (["shop/blue", "--max-different", "x"], 2, "expected a number of rows, or a share like 1%"),
        (["shop/blue", "--since", "soon"], 2, "got 'soon'"),
        (["shop/blue", "--header", "x-api-key=hunter2"], 2, "--header-env x-api-key=VARIABLE"),
        (["shop/blue", "--header", "x"], 2, "expected NAME=..."),
        (["shop/blue", "--header-env", "x-key=NO_SUCH_VARIABLE"], 2, "in the environment variable NO_SUCH_VARIABLE"),
        (
            ["shop/blue", "--header-file", "x-key=/no/such/file"],
            2,
            "got No such file or directory at /no/such/file: correct it",
        ),
        (["shop/blue", "--target", "https://me:hunter2@host/"], 2, "--header-env or --header-file"),
        *(
            (
                ["shop/blue", "--target", f"https://host/score?x=1&{name}=hunter2"],
                2,
                "expected a URL without a signature",
            )
            for name in ("sig", "api_key", "code", "token")
        ),
        (["shop/blue", "--target", "host/score"], 2, "expected a URL like http://localhost:5001/score"),
        (["shop/blue", "--target", "http://127.0.0.1:1/score"], 3, "got no connection: start it, or correct the URL"),
        (["shop/blue", "--store", "{tmp}/missing"], 3, "got none at"),
    ],
)
def test_a_mistake_is_one_sentence_and_an_exit_code(  # noqa: PLR0917 (fixtures)
    store: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    arguments: list[str],
    code: int,
    reason: str,
) -> None:
    monkeypatch.setattr("otel_modeldata_reader.replaying.sender._FIRST_PAUSE_SECONDS", 0.001)
    given = [argument.format(tmp=tmp_path) for argument in arguments]
    if "--store" not in given:
        given += ["--store", str(store)]
    if "--target" not in given:
        given += ["--target", "http://127.0.0.1:9/score"]
    found, out, err = replay(capsys, *given, "--out", tmp_path / "out")
    assert (found, out) == (code, "")
    assert reason in " ".join(err.split())
    assert "hunter2" not in err


def test_the_help_fits_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    code, text, _ = replay(capsys, "--help")
    assert code == 0
    assert max(map(len, text.splitlines())) <= 80


class _Running:
    """The command in a process of its own."""

    def __init__(self, store: Path, url: str, out: Path, *arguments: str) -> None:
        command = [sys.executable, "-m", "otel_modeldata_receiver", "replay", "shop/blue", str(store), "--target", url]
        self.process = subprocess.Popen(
            [*command, "--out", str(out), *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )

    def ends(self) -> tuple[int, str, str]:
        text, err = self.process.communicate(timeout=120)
        return self.process.returncode, text, err


@pytest.mark.slow
def test_a_replay_that_is_killed_at_any_point_has_each_request_once(tmp_path: Path) -> None:
    fill(tmp_path / "store", REQUESTS)
    chance = random.Random(SEED)
    kills = 0

    def slowly(request: Received) -> Any:
        time.sleep(0.002)
        return model(request)

    with serving(slowly) as server:
        while kills < 6:
            before, more = len(server.received), chance.randrange(60)
            running = _Running(tmp_path / "store", server.url, tmp_path / "out", "--resume", "--compare").process
            while running.poll() is None and len(server.received) <= before + more:
                time.sleep(0.001)
            time.sleep(chance.random() * 0.02)
            if running.poll() is not None:
                break
            os.kill(running.pid, signal.SIGKILL)
            running.communicate()
            kills += 1
        assert kills >= 2
        sent = len(server.received)
        code, text, err = _Running(
            *(tmp_path / "store", server.url, tmp_path / "out"), "--resume", "--compare", "--json"
        ).ends()
    facts = json.loads(text)
    assert (code, err, facts["requests"], facts["answered"]) == (0, "", REQUESTS, REQUESTS)
    assert facts["comparison"]["rows"] == {"equal": REQUESTS, "different": 0, "missing": 0, "incomparable": 0}
    assert facts["earlier"] <= sent
    answers = pd.read_parquet(tmp_path / "out" / "answers.parquet")
    assert sorted(answers["event_id"]) == sorted(f"event-{number}" for number in range(REQUESTS))
    for one in answers.itertuples():
        assert json.loads(one.answer) == [score(int(one.event_id.split("-")[1]) % 100)]
    # A request that was sent twice had the same id both times.
    assert len({one.headers["x-request-id"] for one in server.received}) == REQUESTS


@pytest.mark.slow
def test_a_comparison_that_is_killed_leaves_nothing(store: Path, tmp_path: Path, target: str) -> None:
    out = tmp_path / "out"
    arguments = (store, target, out, "--resume", "--compare", "--json")
    chance = random.Random(SEED)
    for _ in range(2):
        (out / ".outputs.sqlite").unlink(missing_ok=True)
        running = _Running(*arguments).process
        while running.poll() is None and not (out / ".outputs.sqlite").exists():
            time.sleep(0.001)
        time.sleep(chance.random() * 0.05)
        running.kill()
        running.communicate()
    (out / ".differences.parquet.0123abcd.part").touch()
    code, text, err = _Running(*arguments).ends()
    assert (code, err, json.loads(text)["comparison"]["rows"]["equal"]) == (0, "", 100)
    assert sorted(path.name for path in out.iterdir()) == ["answers.parquet", "differences.parquet", "journal.sqlite"]


@pytest.mark.slow
def test_ctrl_c_keeps_what_was_answered(store: Path, tmp_path: Path) -> None:
    def slowly(request: Received) -> Any:
        time.sleep(0.02)
        return model(request)

    with serving(slowly) as server:
        running = _Running(store, server.url, tmp_path / "out")
        while len(server.received) < 10:
            time.sleep(0.001)
        running.process.send_signal(signal.SIGINT)
        code, text, err = running.ends()
        assert (shell_code(code), text) == (130, "")
        assert err == f"otel-modeldata: what was answered is in {tmp_path / 'out'}; --resume goes on\n"
        code, text, err = _Running(store, server.url, tmp_path / "out", "--resume", "--json").ends()
    facts = json.loads(text)
    assert (code, facts["answered"]) == (0, 100)
    assert facts["earlier"] >= 6  # all that were sent, but those that were under way

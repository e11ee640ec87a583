"""`otel-modeldata why` as people run it: arguments, the text, the JSON and the exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from missing_data import NAME, folder, written
from read_lines import line, write
from why_command import clean_environment, facts_of, found, run, sentence, well

from otel_modeldata_reader import why

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    clean_environment(monkeypatch)


def test_the_text_has_the_answer_its_causes_and_commands_in_80_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    written(write(tmp_path / "modeldata", [line()], hour=folder(5)), 5)
    code, out, err = run(capsys, "shop/blue/model_input")
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[0].startswith("There is no data of shop/blue/model_input in ./modeldata with times ")
    assert lines[2:6] == [
        "stopped      collection: expected lines of shop/blue/model_input in ./modeldata,",
        "             got none of this name: did you mean 'shop/blue/model_inputs'?",
        "             $ otel-modeldata ls --store ./modeldata",
        "not checked  environment: --environment checks the settings of a sender, where",
    ]
    assert max(map(len, lines)) <= 80
    code, out, _ = run(capsys, "shop/blue/model_inputs", "--since", "-6h")
    first, *lines = out.splitlines()
    assert (code, first[:30]) == (0, "There is data of shop/blue/mod")
    outcomes = [line[:13].strip() for line in lines if line[0] != " "]
    assert outcomes[-1] == "not checked"
    assert outcomes == sorted(outcomes, key="not checked".__eq__)


@pytest.mark.parametrize(
    ("name", "window", "headline"),
    [
        ("", ("2026-11-01", None), "there is no data in {store} with times from 2026-11-01 00:00:00 UTC on"),
        (NAME, (None, None), f"there is no data of {NAME} in {{store}}"),
        (
            NAME,
            ("2026-11-01", "2026-11-02"),
            f"there is no data of {NAME} in {{store}} with times from 2026-11-01 00:00:00 to 2026-11-02 00:00:00 UTC",
        ),
        ("", (None, "2026-11-02"), "there is no data in {store} with times before 2026-11-02 00:00:00 UTC"),
    ],
)
def test_the_headline_names_the_window(
    tmp_path: Path, name: str, window: tuple[str | None, str | None], headline: str
) -> None:
    assert why(tmp_path, name, *window).headline == headline.format(store=tmp_path)


def test_the_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, facts = facts_of(capsys, NAME, tmp_path)
    shown = {key: facts[key] for key in ("name", "store", "until", "has_data", "is_stopped")}
    assert (code, shown) == (
        1,
        {"name": NAME, "store": str(tmp_path), "until": None, "has_data": False, "is_stopped": True},
    )
    assert facts["findings"][0] == {
        "cause": "empty_store",
        "step": "store",
        "outcome": "missing",
        "sentence": f"expected lines in {tmp_path}, got an empty store: nothing has been stored here yet, or the "
        "receiver writes to another store",
        "run": ["otel-modeldata check --environment", f"otel-modeldata doctor --store {tmp_path}"],
    }


def test_the_only_argument_may_be_a_store(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, [line()], hour=folder(0))
    monkeypatch.chdir(tmp_path)
    for store in (str(tmp_path), ".", f"file://{tmp_path}"):
        code, facts = facts_of(capsys, store)
        assert (code, facts["name"], facts["has_data"]) == (0, "", True)
    assert facts_of(capsys, NAME, "--store", tmp_path)[0] == 0
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(tmp_path))
    assert facts_of(capsys, NAME)[0] == 0


def test_the_store_of_a_configuration_is_taken_where_none_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, config = tmp_path / "store", tmp_path / "receiver.yaml"
    write(store, [line()], hour=folder(0))
    config.write_text(json.dumps({"store": str(store), "listen": "127.0.0.1:1"}))
    code, facts = facts_of(capsys, NAME, "--config", config)
    assert (code, facts["store"], found(facts)) == (1, str(store), [("receiver_down", "stopped")])
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.setenv("OTEL_MODELDATA_STORE", str(other))
    _, facts = facts_of(capsys, NAME, "--config", config)
    assert (facts["store"], found(facts)[0]) == (str(other), ("receiver_writes_elsewhere", "stopped"))


def test_a_configuration_that_is_wrong_is_a_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = tmp_path / "receiver.yaml"
    config.write_text("stor: x\n")
    store = tmp_path / "store"
    store.mkdir()
    code, facts = facts_of(capsys, NAME, store, "--config", config)
    assert (code, found(facts)[0]) == (1, ("configuration_problem", "stopped"))
    assert sentence(facts, "configuration_problem").startswith(f"{config}:1: stor: ")
    _, facts = facts_of(capsys, NAME, store, "--config", tmp_path / "none.yaml")
    assert found(facts)[0] == ("configuration_problem", "stopped")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("--since", "yesterday"), "expected a time like"),
        (("--since", "-1h", "--until", "-2h"), "expected since before until"),
        (("--receiver", "localhost:9464"), "expected a URL like http://127.0.0.1:9464, got 'localhost:9464'"),
        (("--gateway", "http://u:p@host"), "put credentials into"),
        (("one", "--store", "two"), "expected one store"),
    ],
)
def test_a_wrong_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], text: str
) -> None:
    try:
        code, out, err = run(capsys, NAME, *([tmp_path] if arguments[0] != "one" else []), *arguments)
    except SystemExit as error:  # of argparse
        code, (out, err) = error.code, capsys.readouterr()  # type: ignore[assignment]
    assert (code, out) == (2, "")
    assert text in err


def test_names_in_a_store_steer_no_terminal(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write(tmp_path, [line()], hour=folder(0), collection="shop/blue/evil\u202e")
    code, out, _ = run(capsys, "shop/blue/other\x1b[2J", tmp_path)
    assert code == 1
    assert not {"\x1b", "\u202e"} & set(out)


WITHOUT_EXTRAS = """
import sys
for name in ("aiohttp", "azure", "duckdb", "grpc_health", "prometheus_client", "pyarrow", "rich", "uvloop"):
    sys.modules[name] = None
from otel_modeldata_receiver.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
def test_no_extra_is_needed_but_for_a_store_in_azure(tmp_path: Path) -> None:
    """As in the image of a scoring container."""
    write(tmp_path, [line()], hour=folder(0))

    def why(*arguments: object) -> dict[str, Any]:
        words = ["why", *map(str, arguments), "--json", "--environment", "--receiver", "http://127.0.0.1:1"]
        done = subprocess.run(
            [sys.executable, "-c", WITHOUT_EXTRAS, *words],
            env=os.environ | {"AZURE_STORAGE_ACCOUNT_URL": "https://account.blob.core.windows.net"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.stderr == ""
        facts: dict[str, Any] = json.loads(done.stdout)
        return facts

    facts = why(NAME, tmp_path)
    assert (facts["has_data"], "reached" in well(facts)) == (True, True)
    facts = why(NAME, "az://modeldata/prod")
    assert facts["has_data"] is None
    assert well(facts) >= {"collected", "target"}
    assert "pip install 'otel-modeldata[receiver]'" in sentence(facts, "store_unavailable")


@pytest.mark.slow
def test_help_teaches_within_80_columns() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "otel_modeldata_receiver", "why", "--help"],
        env=os.environ | {"COLUMNS": "80"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "examples:" in done.stdout
    assert "exit codes:" in done.stdout


def test_a_command_names_no_configuration_that_was_not_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, facts = facts_of(capsys, NAME, str(tmp_path), "--receiver", "http://127.0.0.1:1")
    assert ("receiver_down", "stopped") in found(facts)
    assert "receiver.yaml" not in json.dumps(facts["findings"])

"""The command line, as users and programs run it."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from contextlib import contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import grpc
import pytest
from live_receiver import EXPORT
from otlp_requests import NOON, record, request

from otel_modeldata_receiver.commands import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

COMMAND = [sys.executable, "-m", "otel_modeldata_receiver"]
SECONDS = 60


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [*COMMAND, "receive", "--listen", "127.0.0.1:0", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=cwd,
        env=os.environ | {"HOSTNAME": "pod-0"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_receiver_prints_its_address_stores_and_exits_with_zero(tmp_path: Path, number: signal.Signals) -> None:
    with started("--store", "blobs", "--json", cwd=tmp_path) as process:
        assert process.stdout is not None
        facts = json.loads(process.stdout.readline())
        assert sorted(facts) == ["instance_id", "listen", "port", "store"]
        assert (facts["listen"], facts["store"]) == (f"127.0.0.1:{facts['port']}", "blobs")
        sent = request(record(event_id="1", time_ns=NOON))
        with grpc.insecure_channel(facts["listen"]) as channel:
            channel.unary_unary(EXPORT)(sent, timeout=SECONDS)
        process.send_signal(number)
        assert process.wait(SECONDS) == 0
        assert process.stderr is not None
        said = [line.partition(" INFO otel_modeldata_receiver.")[2] for line in process.stderr.read().splitlines()]
    assert said == [
        (
            f"server: started: version {version('otel-modeldata')}, listening on {facts['listen']} (listen), storing "
            f"in blobs, instance id {facts['instance_id']}"
        ),
        (
            "deployments.first_lines: first event of credit/blue/model_inputs is stored, below "
            "blobs/credit/blue/model_inputs"
        ),
        (
            f"server: stopped: 1 event in 1 folder, from {len(sent)} bytes of requests; 0 duplicates, 0 in "
            "quarantine, 0 requests refused"
        ),
    ]
    stored = tmp_path / f"blobs/credit/blue/model_inputs/2026/11/22/12/{facts['instance_id']}000000.jsonl"
    assert json.loads(stored.read_bytes())["id"] == "1"


@pytest.mark.slow
def test_the_receiver_and_the_sdk_meet_at_their_defaults(tmp_path: Path) -> None:
    """No option and no variable on either side; only where nothing listens on the port yet."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", 4317))
        except OSError:
            pytest.skip("another process listens on 4317")
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZUREML_"))}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": tmp_path, "env": clean}
    score = (
        "import pandas as pd\nfrom otel_modeldata import Collector, shutdown\n"
        "Collector(name='model_inputs').collect(pd.DataFrame({'a': [1]}))\n"
        "raise SystemExit(shutdown(30).delivered != 1)"
    )
    with subprocess.Popen([*COMMAND, "receive"], **pipes) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            if not line and process.wait(SECONDS) == 3:
                pytest.skip("another process listens on 4317")
            assert line.startswith("receiving on 127.0.0.1:4317, storing in ./modeldata, instance ")
            sent = subprocess.run([sys.executable, "-c", score], timeout=SECONDS, check=False, **pipes)
            assert (sent.returncode, sent.stdout, sent.stderr) == (0, "", "")
        finally:
            process.terminate()
            process.wait(SECONDS)
    (blob,) = tmp_path.glob("modeldata/local/default/model_inputs/**/*.jsonl")
    assert [json.loads(stored)["data"] for stored in blob.read_bytes().splitlines()] == [[{"a": 1}]]


def test_the_startup_is_one_line_of_text(tmp_path: Path) -> None:
    flags = ("--instance-id", "f" * 32, "--rolling-rate", "hour", "--linger-ms", "5", "--create-container")
    with started(*flags, cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    port = line.partition("127.0.0.1:")[2].partition(",")[0]
    assert line == f"receiving on 127.0.0.1:{port}, storing in ./modeldata, instance {'f' * 32}\n"


def test_every_listener_is_in_the_line(tmp_path: Path) -> None:
    flags = ("--http-listen", "127.0.0.1:0", "--old-protocol-listen", "127.0.0.1:0", "--instance-id", "f" * 32)
    with started(*flags, cwd=tmp_path) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    port = r"127\.0\.0\.1:\d+"
    assert re.fullmatch(
        rf"receiving on {port} and {port} and {port}, storing in \./modeldata, instance f{{32}}\n", line
    )


def run(*arguments: str) -> tuple[int, str]:
    done = subprocess.run([*COMMAND, *arguments], capture_output=True, text=True, timeout=SECONDS, check=False)
    return done.returncode, done.stderr


def test_all_wrong_settings_are_reported_with_code_2(tmp_path: Path) -> None:
    path = tmp_path / "receiver.yaml"
    path.write_text("stroe: x\n")
    code, errors = run("receive", "--config", str(path), "--listen", ":4327", "--linger-ms", "soon")
    assert code == 2
    assert [line.partition(": expected")[0].partition(": unknown")[0] for line in errors.splitlines()] == [
        "otel-modeldata: stroe",
        "listen",
        "linger_ms",
    ]


def test_an_unknown_store_url_is_reported_with_code_2() -> None:
    code, errors = run("receive", "--store", "ftp://x")
    assert (code, errors.count("\n")) == (2, 1)
    assert "ftp" in errors


def test_a_store_that_cannot_be_used_is_reported_in_one_line_with_code_3(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    code, errors = run("receive", "--listen", "127.0.0.1:0", "--store", str(tmp_path / "file"))
    assert (code, errors.count("\n")) == (3, 1)
    assert errors.startswith("otel-modeldata: expected ")
    assert str(tmp_path / "file") in errors


def test_an_address_in_use_is_reported_in_one_line_with_code_3(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, errors = run("receive", "--listen", address, "--store", str(tmp_path))
    assert (code, errors.count("\n")) == (3, 1)
    assert errors.startswith(f"otel-modeldata: expected a free address of this machine to listen on, got '{address}'")
    assert "choose another --listen (is a gateway on 4317? then use 127.0.0.1:4327" in errors


@pytest.mark.parametrize(("command", "missing"), [("receive", "grpc"), ("doctor", "grpc"), ("receive", "aiohttp")])
def test_a_missing_extra_is_reported_with_the_command_to_install_it(tmp_path: Path, command: str, missing: str) -> None:
    code = (
        f"import sys; sys.modules[{missing!r}] = None; from otel_modeldata_receiver.commands.main import main; "
        f"sys.exit(main([{command!r}]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False, cwd=tmp_path
    )
    assert (done.returncode, done.stderr) == (
        2,
        (
            f"otel-modeldata: expected the dependencies of receiver, got no {missing}; "
            "pip install 'otel-modeldata[receiver]'\n"
        ),
    )


WITHOUT_EXTRAS = """
import sys
for name in ("aiohttp", "azure", "grpc_health", "rich", "sklearn", "uvloop"):
    sys.modules[name] = None
from otel_modeldata_receiver.commands.main import main
sys.exit(main(sys.argv[1:]))
"""


def run_without_extras(*arguments: str, cwd: Path, **variables: str) -> tuple[int, str, str]:
    """The command where only the dependencies of the SDK are installed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZURE", "COLUMNS"))}
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_EXTRAS, *arguments],
        env=clean | variables,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        cwd=cwd,
    )
    return done.returncode, done.stdout, done.stderr


@pytest.mark.slow
def test_doctor_audit_and_check_need_no_extra(tmp_path: Path) -> None:
    """As in the image of a scoring container: events to a folder, followed, and accounted for."""
    to_folder = {"OTEL_MODELDATA_STORE": "./modeldata", "OTEL_MODELDATA_REPORT": "./reports"}
    code, out, err = run_without_extras("doctor", cwd=tmp_path, **to_folder)
    outcomes = [(line[:11].strip(), line[11:].partition(":")[0].strip()) for line in out.splitlines()]
    assert (code, err) == (0, "")
    assert outcomes == [
        ("ok", "configuration"),
        ("not checked", "network"),
        ("ok", "folder"),
        ("ok", "acknowledged"),
        ("ok", "stored"),
        ("not checked", "clock"),
        ("not checked", "large event"),
    ]
    code, out, err = run_without_extras("audit", "./modeldata", "--report", "./reports", cwd=tmp_path)
    assert (code, err) == (0, "")
    assert out.splitlines()[2:] == [
        "    accepted 1, stored 1, lost 0, quarantined 0, duplicates 0, missing 0",
        "everything is accounted for",
    ]
    code, out, err = run_without_extras("check", "--environment", cwd=tmp_path, **to_folder)
    assert (code, err) == (0, "")
    assert "environment: writes to: " in out


@pytest.mark.parametrize("arguments", [["receive"], ["demo"], ["audit", "az://modeldata"]], ids=" ".join)
def test_what_needs_an_extra_names_it(arguments: list[str], tmp_path: Path) -> None:
    account = {"AZURE_STORAGE_ACCOUNT_URL": "https://account.blob.core.windows.net"}
    code, out, err = run_without_extras(*arguments, cwd=tmp_path, **account)
    assert (code, out, err.count("\n")) == (2, "", 1)
    assert f"pip install 'otel-modeldata[{'demo' if arguments == ['demo'] else 'receiver'}]'" in err


def test_every_help_needs_no_extra(tmp_path: Path) -> None:
    commands = ("", "receive", "audit", "check", "doctor", "demo")
    code = WITHOUT_EXTRAS.replace(
        "sys.exit(main(sys.argv[1:]))",
        f"for command in {commands}:\n    try: main([*filter(None, [command]), '--help'])\n    except SystemExit: pass",
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True, cwd=tmp_path
    )
    usages = [line.split()[:3] for line in done.stdout.splitlines() if line.startswith("usage: ")]
    assert [usage[2] for usage in usages] == ["[-h]", *commands[1:]]
    assert done.stderr == ""


def test_ctrl_c_before_the_receiver_runs_ends_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("otel_modeldata_receiver.config.receiver.load", interrupted)
    assert main.main(["receive"]) == 130
    assert capsys.readouterr().err == ""


def test_ctrl_c_while_a_command_is_imported_has_its_code_and_prints_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(main, "import_module", interrupted)
    assert main.main(["show", "id"]) == 130
    assert capsys.readouterr().err == ""


def test_a_reload_that_arrives_while_modules_are_imported_does_not_end_the_receiver() -> None:
    code = (
        "import os, signal, sys\n"
        "from importlib.metadata import entry_points\n"
        "class Hangup:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.startswith(('otel_modeldata_receiver.commands', 'argparse')):\n"
        "            os.kill(os.getpid(), signal.SIGHUP)\n"
        "sys.meta_path.insert(0, Hangup())\n"
        "sys.argv = ['otel-modeldata', 'receive', '--help']\n"
        "(command,) = entry_points(group='console_scripts', name='otel-modeldata')\n"
        "command.load()()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("usage: otel-modeldata receive ")


def test_help_needs_no_server_and_no_azure() -> None:
    code = (
        "import sys\nfrom otel_modeldata_receiver.commands.main import main\n"
        "try: main(['receive', '--help'])\nexcept SystemExit: pass\n"
        "print([name for name in ('grpc', 'azure', 'opentelemetry.sdk', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=SECONDS, check=True)
    *lines, loaded = done.stdout.splitlines()
    assert loaded == "[]"
    for taught in (
        "examples:",
        "environment:",
        "exit codes:",
        "AZURE_STORAGE_CONNECTION_STRING",
        "(default: 127.0.0.1",
    ):
        assert any(taught in line for line in lines), taught


LOADED = """
import sys
before = set(sys.modules)
from otel_modeldata_receiver.commands.main import main
try:
    main(["--help"])
except SystemExit:
    pass
loaded = set(sys.modules) - before
print(sorted(name for name in loaded if name.partition(".")[0] not in sys.stdlib_module_names))
print(sorted(loaded & {"asyncio", "dataclasses", "email", "http", "importlib.metadata", "json", "logging", "ssl"}))
"""


def test_the_help_loads_the_command_line_and_no_command() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, timeout=SECONDS, check=True)
    package = "otel_modeldata_receiver"
    assert done.stdout.splitlines()[-2:] == [str([package, f"{package}.commands", f"{package}.commands.main"]), "[]"]


def test_the_parsers_of_all_commands_have_their_arguments() -> None:
    (commands,) = (action for action in main._parser()._actions if action.dest == "==SUPPRESS==" and action.choices)
    assert [name for name, parser in commands.choices.items() if len(parser._actions) == 1] == []


STARTED = """
import asyncio, sys
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.server import Server

async def listen():
    server = Server(ReceiverConfig(listen="127.0.0.1:0", store=sys.argv[1]))
    await server.start()
    print(sorted({name.partition(".")[0] for name in sys.modules} & {*sys.argv[2:]}))
    await server.stop()

asyncio.run(listen())
"""


def test_a_receiver_of_otlp_over_grpc_in_a_folder_loads_no_library_that_it_does_not_need(tmp_path: Path) -> None:
    """aiohttp alone took longer to load than the rest."""
    needless = ("aiohttp", "attr", "azure", "cryptography", "numpy", "pandas", "prometheus_client", "rich", "yarl")
    command = [sys.executable, "-c", STARTED, str(tmp_path), "grpc", *needless]
    done = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    assert done.stdout == "['grpc']\n"


def test_the_version_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("otel-modeldata 0.")


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["receive", "--nonsense"], ["receive", "--listen"]])
def test_a_wrong_command_line_has_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    assert "usage: otel-modeldata" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["lss"], "otel-modeldata: error: expected a command, got 'lss': did you mean ls?"),
        (["xyz", "--json"], "error: expected a command, got 'xyz': otel-modeldata --help lists them"),
        (["--nope"], "otel-modeldata: error: unrecognized arguments: --nope"),
        ([], "otel-modeldata COMMAND --help explains a command."),
    ],
)
def test_without_a_command_the_error_says_how_to_find_one(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main.main(arguments)
    assert caught.value.code == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("usage: otel-modeldata [-h]")
    assert err.endswith(f"{expected}\n")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ls", "--nope"], "otel-modeldata ls: error: unrecognized arguments: --nope"),
        (["demo", "--requets", "5"], "unrecognized arguments: --requets 5: did you mean --requests?"),
        (["query", "select 1", "a", "b"], "otel-modeldata query: error: unrecognized arguments: a b"),
        (["show", "some-id", "./store"], "unrecognized arguments: ./store: did you mean --store ./store?"),
    ],
)
def test_a_wrong_option_is_an_error_of_its_command(
    arguments: list[str], expected: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main.main(arguments)
    err = capsys.readouterr().err
    assert err.startswith(f"usage: otel-modeldata {arguments[0]} ")
    assert err.endswith(f"{expected}\n")

"""The command `otel-modeldata studio`: where it listens, its token, how it ends, and mistakes with their exit codes."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from command_run import run_command
from read_lines import line, write

from otel_modeldata_receiver.commands.studio.listening import Address, address_argument, token_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "0123456789abcdef0123"
SECONDS = 60


def studio(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[object, str, str]:
    return run_command(capsys, "studio", "--no-browser", *arguments)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store"
    write(path, [line([{"age": 7}])])
    return path


class Running:
    """The command in a process; `facts` is what it printed."""

    def __init__(self, store: Path, *flags: str) -> None:
        command = [sys.executable, "-m", "otel_modeldata_receiver", "studio", str(store), "--no-browser", "--json"]
        self.process = subprocess.Popen(
            [*command, *flags], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
        )
        assert self.process.stdout is not None
        printed = self.process.stdout.readline()
        assert printed, self.process.communicate()[1]
        self.facts: dict[str, Any] = json.loads(printed)

    def answer(self, path: str, **headers: str) -> bytes:
        request = urllib.request.Request(self.facts["url"] + path, headers=headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            content: bytes = answer.read()
        return content

    def ended(self, by: int) -> tuple[int, str, str]:
        self.process.send_signal(by)
        out, err = self.process.communicate(timeout=SECONDS)
        return self.process.returncode, out, err


@pytest.fixture
def run(store: Path) -> Iterator[Any]:
    running: list[Running] = []

    def start(*flags: str) -> Running:
        running.append(Running(store, *flags))
        return running[-1]

    yield start
    for one in running:
        one.process.kill()
        one.process.communicate()


@pytest.mark.slow
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM])
def test_it_serves_the_page_until_it_is_asked_to_end(run: Any, store: Path, by: int) -> None:
    running = run("--listen", "127.0.0.1:0")
    assert running.facts["store"] == str(store)
    assert running.facts["token"] is False
    assert b"<title>Studio</title>" in running.answer("")
    about = json.loads(running.answer("api/about"))
    assert [one["name"] for one in about["deployments"]] == ["shop/blue"]
    # A page that is live has a stream that never ends by itself.
    stream = urllib.request.urlopen(running.facts["url"] + "api/live", timeout=SECONDS)
    assert stream.readline() == b"event: ping\n"
    assert running.ended(by) == (0, "", "")
    stream.close()


@pytest.mark.slow
def test_with_a_token_file_the_address_does_not_tell_the_token(run: Any, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    running = run("--listen", "127.0.0.1:0", "--token-file", str(file))
    assert running.facts["token"] is True
    assert TOKEN not in running.facts["url"]
    with pytest.raises(urllib.error.HTTPError, match="401") as refused:
        running.answer("")
    refused.value.close()
    assert b"<title>Studio</title>" in running.answer("", Authorization=f"Bearer {TOKEN}")
    assert running.ended(signal.SIGINT) == (0, "", "")


@pytest.mark.slow
def test_without_listen_another_port_will_do(run: Any) -> None:
    first, second = run(), run()
    assert first.facts["url"] != second.facts["url"]
    assert b"<title>Studio</title>" in second.answer("")


def test_an_address_that_is_taken_is_an_error(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        code, out, err = studio(capsys, store, "--listen", address)
    assert (code, out) == (3, "")
    assert f"expected to listen on {address}, got " in err
    assert "choose another with --listen HOST:PORT; port 0 is a free one" in err


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:4390", Address(host="127.0.0.1", port=4390)),
        ("localhost:0", Address(host="localhost", port=0)),
        ("0.0.0.0:80", Address(host="0.0.0.0", port=80)),
        ("[::1]:4390", Address(host="::1", port=4390)),
        ("studio.internal:65535", Address(host="studio.internal", port=65535)),
    ],
)
def test_an_address_is_a_host_and_a_port(text: str, address: Address) -> None:
    assert address_argument(text) == address


@pytest.mark.parametrize("text", ["", ":80", "4390", "127.0.0.1", "::1", "::1:80", "[::1]", "a:65536", "a:-1", "a:٣"])
def test_another_text_is_no_address(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = studio(capsys, "--listen", text)
    assert code == 2
    assert f"expected HOST:PORT, got {text!r}" in err


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "::1"])
def test_on_this_machine_no_token_is_needed(host: str) -> None:
    assert token_of(Address(host=host, port=0), None) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "studio.internal"])
def test_where_others_can_connect_there_is_a_new_token(host: str) -> None:
    first, second = token_of(Address(host=host, port=0), None), token_of(Address(host=host, port=0), None)
    assert first is not None
    assert second is not None
    assert first != second
    assert len(first) >= 32


@pytest.mark.parametrize("content", [b"", b"short\n", b"0123456789abcdef\n0123456789abcdef", b"\xff" * 20, b"x" * 5000])
def test_a_file_without_a_token_is_an_error(
    content: bytes, store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "token"
    file.write_bytes(content)
    code, _, err = studio(capsys, store, "--token-file", file)
    assert code == 2
    assert "expected a token" in err
    assert content.decode("latin-1").strip() not in err or not content.strip()


def test_a_token_file_that_is_not_there_is_an_error(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = studio(capsys, store, "--token-file", tmp_path / "none")
    assert code == 2
    assert f"expected a token in '{tmp_path / 'none'}', got No such file or directory: write one line into it" in err


@pytest.mark.parametrize(
    "text", ["javascript:alert(1)//{trace_id}", "data:text/html,{trace_id}", "https://x.example/", "{trace_id}", ""]
)
def test_a_link_to_traces_is_a_page_of_the_web(text: str, store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = studio(capsys, store, "--trace-url", text)
    assert code == 2
    assert "expected an http(s) URL with {trace_id}" in err


@pytest.mark.parametrize("missing", ["starlette", "uvicorn"])
def test_without_the_extra_it_says_what_to_install(
    missing: str, store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    code, _, err = studio(capsys, store)
    assert code == 2
    assert "pip install 'otel-modeldata[studio]'" in " ".join(err.split())


def test_without_the_files_of_the_page_it_says_what_to_run(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("otel_modeldata_studio.vendoring.missing_files", lambda: ["preact.js"])
    code, _, err = studio(capsys, store)
    assert code == 2
    assert (
        "expected the files of Studio's page, got no preact.js: run python -m otel_modeldata_studio.vendoring"
        in " ".join(err.split())
    )


def test_a_store_that_is_not_there_is_an_error_before_it_listens(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = tmp_path / "misspelled"
    code, out, err = studio(capsys, missing)
    assert (code, out) == (3, "")
    assert err == f"otel-modeldata: expected a folder of blobs, got none at '{missing}': correct its path\n"


@pytest.mark.parametrize(
    ("name", "content", "error"),
    [
        ("none.csv", None, "got none at "),
        ("none.parquet", None, "got none at "),
        ("damaged.parquet", b"PAR1", "expected a baseline that can be read, got "),
        ("text", b"", "expected a baseline like FILE.parquet, FILE.csv, or a window such as "),
    ],
)
def test_a_baseline_that_cannot_be_read_is_an_error_before_it_listens(
    name: str, content: bytes | None, error: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = store.parent / name
    if content is not None:
        file.write_bytes(content)
    code, out, err = studio(capsys, store, "--baseline", file)
    assert (code, out) == (2, "")
    assert error in err


def test_a_cache_that_is_no_folder_is_an_error_before_it_listens(
    store: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"")
    code, out, err = studio(capsys, store, "--cache", file)
    assert (code, out) == (2, "")
    assert err == (
        f"otel-modeldata: expected a folder for temporary files in '{file}', got File exists: choose another with "
        "--cache DIR\n"
    )


def test_a_duckdb_that_is_too_old_is_an_error_before_it_listens(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("duckdb.__version__", "1.5.6")
    code, out, err = studio(capsys, store)
    assert (code, out) == (2, "")
    assert err == "otel-modeldata: expected DuckDB 2.0 or later, got 1.5.6: pip install --upgrade duckdb\n"


@pytest.mark.parametrize("baseline", ["-48h..", "-12h..-0h", "2026-01-01..2226-01-01"])
def test_a_baseline_that_reaches_to_now_is_an_error_before_it_listens(
    baseline: str, store: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = studio(capsys, store, f"--baseline={baseline}")
    assert (code, out) == (2, "")
    assert f"expected a baseline that ends before now, got '{baseline}'" in " ".join(err.split())

"""The log of the receiver as JSON: every line is one object, whatever is logged."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

LOGGED = r"""
import logging
import sys
import warnings

from otel_modeldata_receiver.commands.log_output import end_with, start_log
from otel_modeldata_receiver.config.logs import LogFormat, LogLevel


class Silent:
    def __str__(self):
        raise RuntimeError


start_log(LogLevel.INFO, LogFormat(sys.argv[1]))
logger = logging.getLogger("a")
logger.info("name %s", "\udc80\x1b\n\u2028")
logger.info("%d records", "no number")
logger.info("%s", Silent())
logger.info(Silent())
logger.info("no exception", exc_info=True)
try:
    raise ValueError("\udcff")
except ValueError:
    logger.exception("failed")
warnings.warn("careful")
end_with(ValueError("expected a store, got none"))
"""


def logged(form: str) -> list[str]:
    done = subprocess.run([sys.executable, "-c", LOGGED, form], capture_output=True, check=True, timeout=60)
    assert done.stdout == b""
    return done.stderr.decode().splitlines(keepends=True)


def test_every_line_is_a_json_object_that_any_reader_takes() -> None:
    lines: list[dict[str, Any]] = [json.loads(line) for line in logged("json")]
    assert "".join(map(str, lines)).isprintable()
    assert {tuple(line) for line in lines[:5]} == {("time", "level", "logger", "message")}
    assert [line["message"].partition("\n")[0] for line in lines] == [
        "name ?\x1b",
        "%d records (TypeError in its arguments)",
        "%s (RuntimeError in its arguments)",
        "Silent (RuntimeError in its arguments)",
        "no exception",
        "failed",
        "<string>:26: UserWarning: careful",
        "expected a store, got none",
    ]
    assert lines[5]["exception"].endswith("ValueError: ?")


def test_as_text_the_error_that_ends_a_command_is_one_sentence() -> None:
    assert logged("text")[-1] == "otel-modeldata: expected a store, got none\n"


@pytest.mark.slow
def test_a_receiver_that_cannot_start_ends_with_a_json_line() -> None:
    command = [sys.executable, "-m", "otel_modeldata_receiver", "receive", "--log-format", "json"]
    done = subprocess.run(
        [*command, "--listen", "127.0.0.1:0", "--store", "/dev/null/store"],
        capture_output=True,
        check=False,
        timeout=60,
    )
    lines = [json.loads(line) for line in done.stderr.decode().splitlines()]
    assert (done.returncode, lines[-1]["level"], "/dev/null/store" in lines[-1]["message"]) == (3, "error", True)


def test_a_message_begins_no_other_line_and_steers_no_terminal() -> None:
    first = logged("text")[0]
    assert first.endswith(r" INFO a: name \udc80\x1b\n\u2028" + "\n")

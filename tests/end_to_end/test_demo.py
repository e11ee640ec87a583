"""`otel-modeldata demo` as a user runs it."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import shlex
import shutil
import signal
import subprocess
import sys
import urllib.request
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest
from command_run import shell_code
from recording_backend import RecordingBackend
from waiting import wait_until

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azurite import Azurite

REQUESTS = 40
DEADLINE_SECONDS = 240
OF_A_FLIGHT = ("model_inputs", "model_outputs", "request", "response")


def environment(**variables: str) -> dict[str, str]:
    """The environment of the tests without variables that change the demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZURE"))}
    return kept | variables


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "otel_modeldata_receiver", "demo", *arguments]


def run(*arguments: str, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return run_command("demo", *arguments, folder=folder, **variables)


def run_command(*arguments: str, folder: Path | None = None, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_modeldata_receiver", *arguments],
        env=environment(**variables),
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def facts_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def processes_of(folder: Path) -> list[str]:
    """The command lines of processes that have `folder` in it or in their environment (as TMPDIR, for example)."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            line, variables = (process / "cmdline").read_bytes(), (process / "environ").read_bytes()
        except OSError:  # it has ended
            continue
        if str(folder).encode() in line + variables:
            found.append(line.replace(b"\0", b" ").decode("utf-8", "replace"))
    return found


def commands_to_copy(output: str) -> list[list[str]]:
    """The words of the commands in a summary, as a shell reads them."""
    copied = output.partition("to copy:\n")[2].partition("\nin Python:")[0]
    return [shlex.split(line)[1:] for line in copied.replace("\\\n", "").splitlines() if line.strip()]


# --- The command --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that succeeded: its store and its JSON summary."""

    folder: Path
    facts: dict[str, Any]

    def blobs(self, collection: str) -> list[Path]:
        return sorted((self.folder / "flights" / "blue" / collection).rglob("*.jsonl"))

    def lines(self, collection: str) -> list[dict[str, Any]]:
        return [json.loads(line) for blob in self.blobs(collection) for line in blob.read_bytes().splitlines()]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run for all tests that only read its store."""
    folder = tmp_path_factory.mktemp("demo")
    return Finished(folder=folder, facts=facts_of(run("--store", str(folder), "--requests", str(REQUESTS), "--json")))


def test_the_demo_stores_each_flight_as_body_inputs_outputs_and_answer_of_one_id_and_trace(finished: Finished) -> None:
    flights = {line["correlationid"]: line["traceparent"][3:35] for line in finished.lines("model_inputs")}
    assert (len(flights), len(set(flights.values()))) == (REQUESTS, REQUESTS)
    for collection in OF_A_FLIGHT:
        stored = [(line["correlationid"], line["traceparent"][3:35]) for line in finished.lines(collection)]
        assert [one for one in sorted(stored) if one[0] in flights] == sorted(flights.items())
    spans = [row for line in finished.lines("app_spans") for row in line["data"]]
    servers = {row["context"]["trace_id"].removeprefix("0x") for row in spans if row["name"] == "POST /score"}
    assert servers >= set(flights.values())


def test_the_events_have_the_times_of_the_last_day(finished: Finished) -> None:
    now = datetime.now(UTC)
    times = [datetime.strptime(line["time"], "%Y-%m-%dT%H:%M:%S%z") for line in finished.lines("model_inputs")]
    assert now - timedelta(days=1) < min(times) < now - timedelta(hours=18)
    assert now - timedelta(hours=1) < max(times) <= now
    assert len(finished.blobs("model_inputs")) >= 15


def test_bodies_and_frames_of_a_flight_and_its_span_have_one_time(finished: Finished) -> None:
    """As in a service that runs all day: Studio and the report find all of them in one window."""
    minutes = {
        collection: {line["correlationid"]: line["time"][:16] for line in finished.lines(collection)}
        for collection in OF_A_FLIGHT
    }
    flights = minutes["model_inputs"]
    for collection in OF_A_FLIGHT:
        assert {one: minutes[collection][one] for one in flights} == flights
    traces = {line["traceparent"][3:35]: line["time"][:16] for line in finished.lines("model_inputs")}
    spans = [row for line in finished.lines("app_spans") for row in line["data"] if row["name"] == "POST /score"]
    assert {span["context"]["trace_id"].removeprefix("0x"): span["start_time"][:16] for span in spans} == traces


def test_the_frames_are_read_back_with_their_types_and_labels(finished: Finished) -> None:
    with reader.open(finished.folder) as store:
        rows = store.join("flights/blue", labels=True)
        frame = rows.to_pandas()
    assert (rows.report.joined, rows.report.labeled) == (REQUESTS, finished.facts["labels"])
    assert isinstance(frame["carrier"].dtype, pd.CategoricalDtype)
    assert str(frame["departed"].dtype).startswith("datetime64[")
    assert (frame["seats"].dtype, frame["departure_delay"].dtype) == ("Int64", "int64")
    assert frame["seats"].isna().any()
    assert frame["manufacturer"].isna().any()


def test_the_demo_stores_nothing_else(finished: Finished) -> None:
    collections = {path.name for path in (finished.folder / "flights" / "blue").iterdir()}
    assert collections == {*OF_A_FLIGHT, "ground_truth", "app_spans"}
    files = [path for path in finished.folder.rglob("*") if path.is_file() and path.suffix != ".jsonl"]
    assert {path.name for path in files if path.name != "MLTable"} <= {
        f"flights-blue-{collection}-v1.data.yml" for collection in collections
    }
    (instance,) = {path.name[:32] for path in finished.folder.rglob("*.jsonl")}
    assert re.fullmatch("[0-9a-f]{32}", instance)


def test_an_audit_with_the_report_of_the_service_accounts_for_every_event(finished: Finished) -> None:
    reports = f"{finished.folder}-reports"
    done = run_command("audit", str(finished.folder), "--report", reports, "--json")
    assert done.returncode == 0, done.stdout
    found = json.loads(done.stdout)
    assert [one["kind"] for one in found["details"]] == ["unnumbered"]  # the spans


def test_the_json_summary_has_the_counts_and_the_last_flight(finished: Finished) -> None:
    landings = len(finished.lines("ground_truth"))
    events = 4 * REQUESTS + 3 * landings
    last = finished.facts["last"]["correlation_id"]
    blobs = [(collection, blob) for collection in (*OF_A_FLIGHT, "ground_truth") for blob in finished.blobs(collection)]
    assert finished.facts == {
        "deployment": "flights/blue",
        "requests": REQUESTS,
        "killed_after": REQUESTS // 2,
        "accepted": events,
        "delivered": events,
        "lost": {},
        "pending": 0,
        "stored": events,
        "joined": REQUESTS,
        "landings": landings,
        "labels": sum(len(line["data"]) for line in finished.lines("ground_truth")),
        "blobs": finished.facts["blobs"],
        "last": {
            "correlation_id": last,
            "trace_id": next(
                line["traceparent"][3:35] for line in finished.lines("model_inputs") if line["correlationid"] == last
            ),
            **{
                collection: [line["data"] for line in finished.lines(collection) if line["correlationid"] == last]
                for collection in OF_A_FLIGHT
            },
        },
        "problems": [],
        "seconds": finished.facts["seconds"],
        "reports": f"{finished.folder}-reports",
    }
    assert sorted(finished.facts["blobs"], key=lambda blob: blob["path"]) == sorted(
        (
            {
                "collection": collection,
                "path": str(blob),
                "lines": blob.read_bytes().count(b"\n"),
                "bytes": blob.stat().st_size,
            }
            for collection, blob in blobs
        ),
        key=lambda blob: str(blob["path"]),
    )


def test_a_second_run_in_a_store_is_a_deployment_of_its_own(tmp_path: Path, finished: Finished) -> None:
    store = tmp_path / "store"
    shutil.copytree(finished.folder, store)
    before = {path.relative_to(store): path.read_bytes() for path in store.rglob("*.jsonl")}
    done = run("--store", str(store), "--requests", "3")
    assert done.returncode == 0, done.stderr
    after = {path.relative_to(store): path.read_bytes() for path in store.rglob("*.jsonl")}
    assert {path: after[path] for path in before} == before
    assert {path.parts[:2] for path in after.keys() - before} == {("flights", "green")}
    assert "store     has flights/blue already: this run is flights/green (0.0 s)" in done.stderr.splitlines()
    assert max(map(len, done.stderr.splitlines())) <= 80
    counted = done.stdout[done.stdout.index("accepted") :].splitlines()
    counts, of_flights, _, of_labels = counted[:4]
    found = re.fullmatch(r"accepted (\d+) = stored (\d+) events: nothing is lost, nothing is there twice", counts)
    assert found is not None
    assert found[1] == found[2]
    assert of_flights == "     12 from 3 flights: request, inputs, outputs and response of each, with"
    assert of_labels.endswith(" of 3 flights have landed")
    for words in commands_to_copy(done.stdout):
        if words[0] != "studio":  # it runs until Ctrl-C
            found = run_command(*words)
            assert found.returncode == 0, found.stderr
            assert "flights/green" in found.stdout or words[0] == "show"
    progress = done.stderr.splitlines()
    for step in ("receiver", "service", "traffic", "kill -9", "delivery"):
        assert any(line.startswith(step) for line in progress)


def test_a_store_in_azure_is_written_and_read_back(azurite: Azurite, tmp_path: Path) -> None:
    container = azurite.new_container()
    facts = facts_of(
        run(
            *("--store", f"az://{container}/some/prefix", "--requests", "5", "--json"),
            folder=tmp_path,
            AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string,
        )
    )
    stored = {
        f"az://{container}/{name}": content.count(b"\n")
        for name, content in azurite.blobs(container, "some/prefix/flights/blue/").items()
        if name.endswith(".jsonl") and "/app_spans/" not in name
    }
    assert {blob["path"]: blob["lines"] for blob in facts["blobs"]} == stored
    assert sum(stored.values()) == facts["accepted"] >= 4 * 5
    assert facts["reports"] == "modeldata-reports"  # in the folder in which it ran
    assert [path.name for path in tmp_path.iterdir()] == ["modeldata-reports"]


def test_spans_go_to_the_endpoint_of_the_variable_and_variables_of_other_programs_change_nothing(
    tmp_path: Path,
) -> None:
    variables = {
        "AZUREML_MDC_ENABLED": "false",
        "OTEL_EXPORTER_OTLP_COMPRESSION": "zip",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=other,azureml.deployment.name=other",
        "OTEL_SDK_DISABLED": "true",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    with RecordingBackend() as backend:
        variables["OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"] = f"http://{backend.endpoint}"
        facts = facts_of(run("--store", str(tmp_path), "--requests", "3", "--json", **variables))
        spans = [span for span in backend.spans() if span.name == "POST /score"]
    assert (facts["joined"], facts["problems"]) == (3, [])
    lines = Finished(folder=tmp_path, facts=facts)
    assert lines.lines("app_spans") == []
    events = {line["id"]: line for line in lines.lines("model_outputs")}
    assert len(spans) == 3
    for span in spans:
        linked = [
            {attribute.key: attribute.value.string_value for attribute in event.attributes} for event in span.events
        ]
        ids = {one["cloudevents.event_id"] for one in linked if one["azureml.collection.name"] == "model_outputs"}
        assert [events[one]["traceparent"][3:35] for one in ids] == [span.trace_id.hex()]


# --- In a terminal ------------------------------------------------------------------------------------------------


class Terminal:
    """The demo in a terminal of 80 columns."""

    def __init__(self, *arguments: str, **variables: str) -> None:
        self.screen = ""
        self._pid, self._terminal = pty.fork()
        if self._pid == 0:
            os.execve(sys.executable, command(*arguments), environment(TERM="xterm", COLUMNS="80", **variables))

    def read_until(self, text: str) -> None:
        """Read until `text` is there; fail if the demo ends before."""
        while text not in self.screen:
            assert self._read(), self.screen

    def interrupt(self) -> int:
        """Ctrl-C; returns the exit code."""
        os.write(self._terminal, b"\x03")
        while self._read():
            pass
        return os.waitstatus_to_exitcode(os.waitpid(self._pid, 0)[1])

    def _read(self) -> bool:
        ready, _, _ = select.select([self._terminal], [], [], DEADLINE_SECONDS)
        assert ready, self.screen
        try:
            new = os.read(self._terminal, 65_536)
        except OSError:  # the demo has ended
            return False
        self.screen += new.decode("utf-8", "replace")
        return bool(new)


def test_in_a_terminal_studio_runs_until_ctrl_c(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("browser")
    browser = folder / "browser"
    browser.write_text(f"#!/bin/sh\necho \"$1\" >> '{folder}/opened'\n")
    browser.chmod(0o755)
    variables = {"TMPDIR": str(tmp_path), "DISPLAY": ":0", "BROWSER": str(browser)}
    terminal = Terminal("--store", str(tmp_path / "store"), "--requests", "5", **variables)
    terminal.read_until("Ctrl-C ends it")
    (address,) = re.findall(r"Studio is at (http://127\.0\.0\.1:\d+/), Ctrl-C ends it", terminal.screen)
    with urllib.request.urlopen(address, timeout=DEADLINE_SECONDS) as answer:
        assert answer.headers["Content-Type"].startswith("text/html")
    opened = folder / "opened"
    wait_until(lambda: opened.exists() and opened.read_text().endswith("\n"))
    assert opened.read_text() == f"{address}#/explore/flights/blue?since=-24h&live=1\n"
    assert terminal.interrupt() == 0
    assert "Traceback" not in terminal.screen
    assert processes_of(tmp_path) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["store", "store-reports"]


@pytest.mark.parametrize(
    ("moment", "is_sent"),
    [("trains on", False), ("of 400 flights, accepted", True), ("the receiver is gone", True)],
)
def test_ctrl_c_ends_the_demo_and_every_process_of_it_at_any_moment(
    tmp_path: Path, interrupts: None, moment: str, *, is_sent: bool
) -> None:
    said = ["otel-modeldata: interrupted, its processes end"]
    if is_sent:
        said = [
            "otel-modeldata: interrupted after N of 400 flights, its processes end",
            f"otel-modeldata: {tmp_path}/store keeps what is stored of flights/blue",
        ]
    with subprocess.Popen(
        command("--store", str(tmp_path / "store"), "--requests", "400"),
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        while moment not in (line := process.stderr.readline()):
            assert line, "the demo ended before"
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert (shell_code(process.returncode), output) == (130, "")
    assert re.sub(r"after \d+", "after N", "".join(errors.splitlines(keepends=True)[-len(said) :])) == "\n".join(
        [*said, ""]
    )
    assert "Traceback" not in errors
    assert processes_of(tmp_path) == []
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


# --- Wrong usage --------------------------------------------------------------------------------------------------


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """The exit code and the last line of stderr; a traceback fails the test."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("--requests", "0"), 2, "expected a whole number from 1 to 100000, got '0'"),
        (("--store", "ftp://host/x"), 2, "got scheme 'ftp'"),
        (("--store", "az://container/x"), 2, "AZURE_STORAGE_CONNECTION_STRING"),
        (("--store", "/dev/null/x"), 3, "'/dev/null/x'"),
    ],
    ids=["requests", "scheme", "account", "folder"],
)
def test_wrong_usage_is_reported_in_one_sentence(
    tmp_path: Path, arguments: Sequence[str], code: int, sentence: str
) -> None:
    returned, line = refusal(run("--json", "--store", str(tmp_path), *arguments))
    assert returned == code
    assert sentence in line


@pytest.mark.parametrize("module", ["sklearn", "rich", "grpc_health", "fastapi"])
def test_without_its_dependencies_the_demo_names_the_extra(tmp_path: Path, module: str) -> None:
    code = f"""
import sys
sys.modules[{module!r}] = None
from otel_modeldata_receiver.commands.main import main
sys.exit(main(["demo", "--store", {str(tmp_path)!r}]))
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=DEADLINE_SECONDS, check=False
    )
    returned, line = refusal(done)
    assert returned == 2
    assert line == (
        f"otel-modeldata: expected the dependencies of demo, got no {module}; pip install 'otel-modeldata[demo]'"
    )

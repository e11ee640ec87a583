"""`otel-modeldata demo` as a user runs it, and its verification, which must fail when anything is missing."""

from __future__ import annotations

import difflib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from recording_backend import RecordingBackend

from otel_modeldata.report import DeliveryReport
from otel_modeldata_receiver.commands.demo.app import SCORE_SCRIPT, Request, Scoring
from otel_modeldata_receiver.commands.demo.verification import Blob, LineKeys, Verification

if TYPE_CHECKING:
    from collections.abc import Callable

    from azurite import Azurite

REQUESTS = 25
DEADLINE_SECONDS = 120
BLOB = re.compile(
    r"breast-cancer/blue/(model_inputs|model_outputs)/\d{4}/\d\d/\d\d/\d\d/(?P<instance>[0-9a-f]{32})000000\.jsonl"
)
SEED = Path(__file__).parents[1] / "data" / "seed-score.py"


def environment(**variables: str) -> dict[str, str]:
    """The environment of the tests without variables that change the demo."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AZURE"))}
    return kept | variables


def run(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "otel_modeldata_receiver", "demo", *arguments],
        env=environment(**variables),
        capture_output=True,
        text=True,
        timeout=DEADLINE_SECONDS,
        check=False,
    )


def facts_of(done: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    assert done.returncode == 0, done.stderr
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def lines(content: bytes) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def blobs_below(folder: Path, collection: str) -> list[Path]:
    return sorted(folder.glob(f"breast-cancer/blue/{collection}/*/*/*/*/*.jsonl"))


# --- The command --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Finished:
    """A run that succeeded: its store and its JSON summary."""

    folder: Path
    facts: dict[str, Any]

    def blob(self, collection: str) -> Path:
        (path,) = blobs_below(self.folder, collection)
        return path

    def lines(self, collection: str) -> list[dict[str, Any]]:
        return lines(self.blob(collection).read_bytes())


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    """One run for all tests that only read its store."""
    folder = tmp_path_factory.mktemp("demo")
    return Finished(folder=folder, facts=facts_of(run("--store", str(folder), "--requests", str(REQUESTS), "--json")))


def test_the_demo_stores_inputs_and_outputs_with_equal_correlation_ids_line_by_line(finished: Finished) -> None:
    inputs, outputs = finished.lines("model_inputs"), finished.lines("model_outputs")
    ids = [line["correlationid"] for line in inputs]
    traces = [line["traceparent"] for line in inputs]
    assert (len(ids), len(set(ids)), len(set(traces))) == (REQUESTS, REQUESTS, REQUESTS)
    assert [line["correlationid"] for line in outputs] == ids
    assert [line["traceparent"] for line in outputs] == traces
    assert all(len(row) == 30 for line in inputs for row in line["data"])
    assert all(row.keys() == {"diagnosis", "probability"} for line in outputs for row in line["data"])


def test_the_demo_stores_nothing_else(finished: Finished) -> None:
    files = sorted(path for path in finished.folder.rglob("*") if path.is_file())
    left = [path for path in files if path.suffix == ".jsonl"]
    assert sorted(path.name for path in files if path not in left) == [
        "MLTable",
        "MLTable",
        "breast-cancer-blue-model_inputs-v1.data.yml",
        "breast-cancer-blue-model_outputs-v1.data.yml",
    ]
    names = [BLOB.fullmatch(path.relative_to(finished.folder).as_posix()) for path in left]
    assert all(names)
    assert len({name["instance"] for name in names if name}) == 1
    assert finished.facts["blobs"] == [
        {"collection": collection, "path": str(path), "lines": REQUESTS, "bytes": path.stat().st_size}
        for collection, path in zip(["model_inputs", "model_outputs"], left, strict=True)
    ]


def test_the_json_summary_has_the_counts_and_the_last_pair(finished: Finished) -> None:
    last_input, last_output = finished.lines("model_inputs")[-1], finished.lines("model_outputs")[-1]
    trace_id = last_output["traceparent"].split("-")[1]
    assert finished.facts == {
        "requests": REQUESTS,
        "accepted": 2 * REQUESTS,
        "delivered": 2 * REQUESTS,
        "lost": {},
        "pending": 0,
        "stored": 2 * REQUESTS,
        "joined": REQUESTS,
        "blobs": finished.facts["blobs"],
        "last": {
            "correlation_id": last_input["correlationid"],
            "trace_id": trace_id,
            "request_trace_id": trace_id,
            "inputs": last_input["data"],
            "outputs": last_output["data"],
        },
        "problems": [],
        "seconds": finished.facts["seconds"],
    }


def test_the_text_summary_is_about_this_run_only(finished: Finished, tmp_path: Path) -> None:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    done = run("--store", str(tmp_path), "--requests", "3")
    assert done.returncode == 0, done.stderr
    old = {finished.blob(collection).name for collection in ("model_inputs", "model_outputs")}
    new = [path for path in tmp_path.rglob("*.jsonl") if path.name not in old]
    (outputs,) = (path for path in new if "model_outputs" in path.parts)
    last = lines(outputs.read_bytes())[-1]
    trace_id = last["traceparent"].split("-")[1]
    for part in (
        "3 requests scored over HTTP",
        "6 events collected: 6 delivered, 0 lost, 0 pending",
        "3 pairs found in the store",
        *(str(path) for path in new),
        last["data"][0]["diagnosis"],
        f"correlation id {last['correlationid']}",
        f"trace id       {trace_id}, that of its request's span",
    ):
        assert part in done.stdout
    assert len(new) == 2
    assert "scoring 3 rows over HTTP" in done.stderr


def test_a_store_in_azure_is_written_and_read_back(azurite: Azurite) -> None:
    container = azurite.new_container()
    store = f"az://{container}/some/prefix"
    facts = facts_of(
        run("--store", store, "--requests", "5", "--json", AZURE_STORAGE_CONNECTION_STRING=azurite.connection_string)
    )
    inputs, outputs = azurite.blobs(container).items()
    assert [blob["path"] for blob in facts["blobs"]] == [f"az://{container}/{name}" for name, _ in (inputs, outputs)]
    assert all(BLOB.fullmatch(name.removeprefix("some/prefix/")) for name, _ in (inputs, outputs))
    ids = [[line["correlationid"] for line in lines(content)] for _, content in (inputs, outputs)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 5


def test_request_spans_are_sent_to_the_endpoint_of_the_variable_and_link_to_the_lines(tmp_path: Path) -> None:
    with RecordingBackend() as backend:
        endpoint = f"http://{backend.endpoint}"
        facts_of(
            run("--store", str(tmp_path), "--requests", "3", "--json", OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=endpoint)
        )
        spans = {f"00-{span.trace_id.hex()}-{span.span_id.hex()}": span for span in backend.spans()}
    (outputs,) = blobs_below(tmp_path, "model_outputs")
    stored = {line["traceparent"].rpartition("-")[0]: line for line in lines(outputs.read_bytes())}
    assert spans.keys() == stored.keys()
    for ids, span in spans.items():
        attributes = {attribute.key: attribute.value.string_value for attribute in span.attributes}
        assert attributes["azureml.correlation.id"] == stored[ids]["correlationid"]
        assert attributes["cloudevents.event_id"] == stored[ids]["id"]


def test_variables_of_other_programs_do_not_change_the_demo(tmp_path: Path) -> None:
    variables = {
        "AZUREML_MDC_ENABLED": "false",
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1",
        "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf",
        "OTEL_RESOURCE_ATTRIBUTES": "azureml.endpoint.name=other,azureml.deployment.name=other",
        "OTEL_SDK_DISABLED": "true",
        "OTEL_TRACES_SAMPLER": "always_off",
    }
    facts = facts_of(run("--store", str(tmp_path), "--requests", "1", "--json", **variables))
    assert (facts["joined"], facts["problems"]) == (1, [])


# --- Wrong usage -----------------------------------------------------------------------------------------------------


def refusal(done: subprocess.CompletedProcess[str]) -> tuple[int, str]:
    """The exit code and the last line of stderr; a traceback fails the test."""
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "variables", "code", "sentence"),
    [
        (("--requests", "0"), {}, 2, "expected a whole number from 1 to 100000, got '0'"),
        (("--store", "ftp://host/x"), {}, 2, "got scheme 'ftp'"),
        (("--store", "az://container/x"), {}, 2, "AZURE_STORAGE_CONNECTION_STRING"),
        (("--store", "/dev/null/x"), {}, 3, "'/dev/null/x'"),
        ((), {"OTEL_EXPORTER_OTLP_COMPRESSION": "zip"}, 2, "expected none or gzip, got 'zip'"),
    ],
    ids=["requests", "scheme", "account", "folder", "variable"],
)
def test_wrong_usage_is_reported_in_one_sentence(
    tmp_path: Path, arguments: tuple[str, ...], variables: dict[str, str], code: int, sentence: str
) -> None:
    returned, line = refusal(run("--json", "--store", str(tmp_path), *arguments, **variables))
    assert returned == code
    assert sentence in line


@pytest.mark.parametrize("module", ["sklearn", "rich", "grpc_health"])
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
    assert re.fullmatch(
        rf"otel-modeldata: expected the dependencies of demo, got no {module}\S*; "
        r"pip install 'otel-modeldata\[demo\]'",
        line,
    )


def test_an_interrupted_demo_ends_without_a_traceback(tmp_path: Path, interrupts: None) -> None:
    command = [sys.executable, "-m", "otel_modeldata_receiver", "demo", "--requests", "100000"]
    with subprocess.Popen(
        [*command, "--store", str(tmp_path)], env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        while not blobs_below(tmp_path, "model_outputs"):  # until it is scoring
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=DEADLINE_SECONDS)
    assert (process.returncode, output) == (130, b"")
    assert b"Traceback" not in errors


# --- The script ---------------------------------------------------------------------------------------------------


def test_the_demo_script_equals_the_documented_one_except_for_the_import_and_the_model() -> None:
    before = [line.rstrip() for line in SEED.read_text("utf-8").splitlines()]
    after = SCORE_SCRIPT.read_text("utf-8").splitlines()
    changes = [line for line in difflib.ndiff(before, after) if line[0] in "+-"]
    assert [line for line in changes if line[0] == "-"] == ["- from azureml.ai.monitoring import Collector", "-   ..."]
    added = [line.removeprefix("+ ") for line in changes if line[0] == "+"]
    untouched = after[after.index("def init():") : after.index("def predict(input_df):")]
    assert "from otel_modeldata import Collector" in added
    assert not set(added) & {line for line in untouched if line}


# --- The verification ---------------------------------------------------------------------------------------------


def stored_line(number: int, row: dict[str, Any]) -> LineKeys:
    return LineKeys(correlationid=f"id-{number}", data=[row], traceparent=traceparent(number))


def traceparent(number: int) -> str:
    return f"00-{number + 1:032x}-{number + 1:016x}-01"


def complete_run(requests: int = 3) -> Verification:
    """A run whose events are all stored."""
    rows = [({"x": number + 0.5}, {"y": str(number)}) for number in range(requests)]
    inputs = [stored_line(number, row) for number, (row, _) in enumerate(rows)]
    outputs = [stored_line(number, answer) for number, (_, answer) in enumerate(rows)]
    return Verification(
        scoring=Scoring(
            requests=[Request(row=r, answer=a, traceparent=traceparent(n)) for n, (r, a) in enumerate(rows)],
            delivery=DeliveryReport(accepted=2 * requests, delivered=2 * requests),
        ),
        # Two blobs, as when an hour ends during the run.
        stored={
            "model_inputs": [
                Blob(path="a", size=1, lines=inputs[:1]),
                Blob(path="b", size=1, lines=inputs[1:]),
            ],
            "model_outputs": [Blob(path="c", size=1, lines=outputs)],
        },
        seconds=1.0,
    )


def with_outputs(result: Verification, change: Callable[[list[LineKeys]], list[LineKeys]]) -> Verification:
    changed = [Blob(path="c", size=1, lines=change(result.lines("model_outputs")))]
    return replace(result, stored={**result.stored, "model_outputs": changed})


def test_a_complete_run_has_no_problems() -> None:
    assert (complete_run().joined, complete_run().problems) == (3, [])


@pytest.mark.parametrize(
    ("change", "joined"),
    [
        (lambda lines: lines[:2], 2),
        (lambda lines: lines[1:], 0),
        (lambda _: [], 0),
        (lambda lines: [*lines, lines[-1]], 3),
        (lambda lines: [lines[1], lines[0], lines[2]], 1),
        (lambda lines: [msgspec.structs.replace(lines[0], correlationid="other"), *lines[1:]], 2),
        (lambda lines: [msgspec.structs.replace(lines[0], traceparent=traceparent(9)), *lines[1:]], 2),
        (lambda lines: [msgspec.structs.replace(lines[0], traceparent=""), *lines[1:]], 2),
        (lambda lines: [msgspec.structs.replace(lines[0], data=[{"y": "wrong"}]), *lines[1:]], 2),
        (lambda lines: [msgspec.structs.replace(lines[0], data=lines[0].data * 2), *lines[1:]], 2),
    ],
    ids=["last", "first", "all", "twice", "order", "id", "trace", "no-trace", "value", "rows"],
)
def test_the_verification_fails_when_one_thing_is_wrong(
    change: Callable[[list[LineKeys]], list[LineKeys]], joined: int
) -> None:
    result = with_outputs(complete_run(), change)
    assert result.joined == joined
    assert result.problems


@pytest.mark.parametrize(
    "delivery",
    [
        DeliveryReport(accepted=6, delivered=5, lost={"refused": 1}),
        DeliveryReport(accepted=6, delivered=5, pending=1),
        DeliveryReport(accepted=5, delivered=5),
    ],
)
def test_the_verification_fails_when_the_sdk_reports_less_than_was_collected(delivery: DeliveryReport) -> None:
    result = complete_run()
    (problem,) = replace(result, scoring=replace(result.scoring, delivery=delivery)).problems
    assert problem.startswith("expected 6 events accepted and delivered, got ")


def test_the_last_pair_is_found_by_its_correlation_id_not_by_its_position() -> None:
    result = with_outputs(complete_run(), lambda lines: lines[::-1])
    assert result.last is not None
    assert (result.last.inputs, result.last.outputs) == ([{"x": 0.5}], [{"y": "0"}])
    assert (result.last.trace_id, result.last.request_trace_id) == (f"{1:032x}", f"{3:032x}")


def test_without_a_stored_pair_there_is_no_last_pair() -> None:
    assert with_outputs(complete_run(), lambda _: []).last is None

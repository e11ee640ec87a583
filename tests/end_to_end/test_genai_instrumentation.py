"""OpenTelemetry's OpenAI instrumentation as users run it: what is stored, and what Azure's monitor grades of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from genai_application import CONTENT, EMBEDDED, LOAN, OPT_IN, STREAMED, SYSTEM, WEATHER, run
from genai_preprocessor import preprocess
from live_receiver import EXPORT
from openai_stub import ANSWER
from otlp_requests import record, request
from receiver_process import lines_below, wait_for_lines
from recording_backend import RecordingBackend

if TYPE_CHECKING:
    from gateway import StartGateway
    from receiver_process import ReceiverProcess, StartReceiver

pytestmark = pytest.mark.slow
pytest.importorskip("httpx", reason="pip install httpx, the OpenAI instrumentation imports it")

CALLS = ["chat gpt-4o-mini"] * 5 + ["embeddings text-embedding-3-small"]
"""The spans of the application: an answer, a streamed one, a tool call, two errors, an embedding."""
WORDS = (SYSTEM, LOAN, STREAMED, EMBEDDED, ANSWER, "Paris")
"""Content that belongs into the store and nowhere else."""
GRADED = [(LOAN, ANSWER), (STREAMED, ANSWER), (WEATHER, "get_weather")]


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def receiver(start_receiver: StartReceiver, store: Path) -> ReceiverProcess:
    return start_receiver(str(store))


def collected(store: Path) -> dict[str, list[dict[str, Any]]]:
    """The stored lines by collection."""
    assert not (store / "_quarantine").exists()
    lines: dict[str, list[dict[str, Any]]] = {"app_traces": [], "app_spans": [], "app_events": []}
    for line in lines_below(store):
        lines[line["type"].removeprefix("azureml.inference.")].append(line)
    return lines


def names(lines: list[dict[str, Any]]) -> list[str]:
    return sorted(line["data"][0]["name"] for line in lines)


def check_that_only_real_answers_are_graded(lines: list[dict[str, Any]]) -> None:
    """Every answer that the application got is graded with its question, and nothing else."""
    graded = {(row["input"], row["output"]) for row in preprocess(lines)}
    assert len(graded) == len(GRADED)
    for asked, answered in GRADED:
        assert any(asked in question and answered in answer for question, answer in graded)


def test_without_content_nothing_is_graded_and_the_receiver_says_what_to_set(
    receiver: ReceiverProcess, store: Path
) -> None:
    run(receiver.endpoint)
    wait_for_lines(store, len(CALLS))
    receiver.stop()
    stored = collected(store)
    assert (names(stored["app_spans"]), stored["app_traces"], stored["app_events"]) == (CALLS, [], [])
    for line in stored["app_spans"]:
        assert {"inputs", "output"}.isdisjoint(line["data"][0]["attributes"])
    log = receiver.log.read_text()
    assert log.count("calls of a language model in assistant/default carry no prompts and answers") == 1
    assert "OTEL_SEMCONV_STABILITY_OPT_IN=gen_ai_latest_experimental" in log
    assert f"{CONTENT}=span_only" in log


@pytest.mark.parametrize("where", [(), ("request",)], ids=["a script", "a web service"])
def test_content_on_spans_is_graded_wherever_the_call_is_made(
    receiver: ReceiverProcess, store: Path, where: tuple[str, ...]
) -> None:
    run(receiver.endpoint, *where, **OPT_IN, **{CONTENT: "span_only"})
    requests = ["POST /ask"] * 5 if where else []
    wait_for_lines(store, len(CALLS) + len(requests))
    receiver.stop()
    stored = collected(store)
    assert names(stored["app_traces"]) == ["chat gpt-4o-mini"] * 3
    assert names(stored["app_spans"]) == sorted([*requests, *CALLS[3:]])
    assert stored["app_events"] == []
    check_that_only_real_answers_are_graded(stored["app_traces"])
    assert [word for word in WORDS if word in receiver.log.read_text()] == []
    assert "carry no prompts" not in receiver.log.read_text()


def documented_join() -> str:
    """The Python program of the guide that joins spans and events."""
    page = Path(__file__).parents[2] / "docs/guides/tracing.md"
    blocks = page.read_text().split("```python\n")[1:]
    return next(block for block in blocks if "app_events" in block).split("```")[0]


# The messages are log records of their own: before the call, and after the answer.
def test_content_in_log_events_is_stored_and_joins_with_the_spans(receiver: ReceiverProcess, store: Path) -> None:
    run(receiver.endpoint, "older", **{CONTENT: "true"})
    wait_for_lines(store, len(CALLS) + 9)
    receiver.stop()
    stored = collected(store)
    assert (stored["app_traces"], names(stored["app_spans"])) == ([], sorted(CALLS))
    answer = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": ANSWER}}
    found: dict[str, Any] = {}
    exec(documented_join().replace('"modeldata"', repr(str(store))), found)
    spoken: dict[str, list[tuple[str, Any]]] = {}
    for _, row in found["messages"].iterrows():
        spoken.setdefault(row["context.span_id"], []).append((row["name_event"], json.loads(row["body"])))
    assert [
        ("gen_ai.system.message", {"content": SYSTEM}),
        ("gen_ai.user.message", {"content": LOAN}),
        ("gen_ai.choice", answer),
    ] in spoken.values()
    assert [("gen_ai.user.message", {"content": STREAMED}), ("gen_ai.choice", answer)] in spoken.values()
    assert sorted(len(said) for said in spoken.values()) == [1, 1, 2, 2, 3]
    assert [word for word in WORDS if word in receiver.log.read_text()] == []


def test_the_gateway_sends_spans_and_events_to_the_receiver_and_to_the_backends(
    start_gateway: StartGateway, receiver: ReceiverProcess, store: Path
) -> None:
    with RecordingBackend() as backend:
        gateway = start_gateway(
            "gateway-traces.yaml",
            OTEL_MODELDATA_RECEIVER_ENDPOINT=receiver.endpoint,
            OTEL_MODELDATA_TRACES_EXPORTER="otlp_grpc/traces",
            OTEL_MODELDATA_TRACES_ENDPOINT=backend.endpoint,
            OTEL_MODELDATA_LOGS_EXPORTER="otlp_grpc/logs",
            OTEL_MODELDATA_LOGS_ENDPOINT=backend.endpoint,
        )
        run(gateway.grpc, **OPT_IN, **{CONTENT: "span_and_event"})
        older = record("words", {"event.name": "gen_ai.choice"}, collection=None)
        ordinary = record("a user logged in", {"event.name": "session.start"}, collection=None)
        with grpc.insecure_channel(gateway.grpc) as channel:
            channel.unary_unary(EXPORT)(request(older, ordinary), timeout=60)
        wait_for_lines(store, len(CALLS) + 6)
        backend.wait_until(lambda found: len(found.spans()) == len(CALLS) and len(found.records()) == 7)
    assert gateway.stop() == 0
    stored = collected(store)
    assert names(stored["app_events"]) == ["gen_ai.choice"] + ["gen_ai.client.inference.operation.details"] * 5
    check_that_only_real_answers_are_graded(stored["app_traces"])

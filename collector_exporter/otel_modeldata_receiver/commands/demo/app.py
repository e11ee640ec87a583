"""The application of the demo. It represents the code of a data science team, and does not depend on the receiver.

It has a model trained on the breast cancer dataset of scikit-learn (569 tumors, 30 measurements each), score.py as
Azure documents it, an HTTP server that makes a span for each request, and a client that sends one row per request.
"""

from __future__ import annotations

import contextlib
import functools
import http.client
import importlib.util
import itertools
import json
import os
import sys
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import joblib  # type: ignore[import-untyped]
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from rich.console import Console
from rich.progress import track
from sklearn.datasets import load_breast_cancer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import otel_modeldata
from otel_modeldata.exceptions import ModelDataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from opentelemetry.trace import Tracer

    from otel_modeldata.report import DeliveryReport

SCORE_SCRIPT: Final = Path(__file__).with_name("scripts") / "score.py"
_TRAINING_ROWS: Final = 200
_REQUEST_SECONDS: Final = 60.0
_DELIVERY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request as its client saw it.

    Attributes:
        row: the measurements that were sent.
        answer: the answer of the model.
        traceparent: trace id and span id of the server's span, in the W3C form.
    """

    row: dict[str, float]
    answer: dict[str, Any]
    traceparent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Scoring:
    """All requests in the order in which they were sent, and the SDK's final report."""

    requests: list[Request]
    delivery: DeliveryReport


def score(folder: Path, count: int, *, show_progress: bool) -> Scoring:
    """Train, serve, send `count` requests, then let the SDK deliver the waiting events and shut it down.

    Args:
        folder: folder for the trained model; `AZUREML_MODEL_DIR` must name it.
        count: number of requests; the rows are repeated when there are fewer of them.
        show_progress: whether to show a progress bar on stderr.

    Raises:
        ModelDataError: the configuration is wrong, or a frame was refused.
    """
    rows = itertools.islice(itertools.cycle(train(folder)), count)
    script = _load_script()
    script.init()
    try:
        with _tracer() as tracer, _serving(script, tracer) as port:
            console = Console(stderr=True)
            progress = track(rows, f"scoring {count} rows over HTTP", count, console=console, disable=not show_progress)
            requests = list(_send(port, progress))
    finally:  # also when interrupted: the receiver still runs
        delivery = otel_modeldata.shutdown(_DELIVERY_SECONDS)
    return Scoring(requests=requests, delivery=delivery)


def train(folder: Path) -> list[dict[str, float]]:
    """Store a trained model in `folder`; return the rows that it was not trained on."""
    dataset = load_breast_cancer(as_frame=True)
    diagnoses = dataset.target_names[dataset.target]
    seen, unseen, labels, _ = train_test_split(
        dataset.data, diagnoses, train_size=_TRAINING_ROWS, random_state=0, stratify=diagnoses
    )
    joblib.dump(make_pipeline(StandardScaler(), LogisticRegression()).fit(seen, labels), folder / "model.joblib")
    rows: list[dict[str, float]] = unseen.to_dict("records")
    return rows


def _load_script() -> ModuleType:
    """Load score.py from its path, as Azure's server does."""
    spec = importlib.util.spec_from_file_location("entry_module", SCORE_SCRIPT)
    if spec is None or spec.loader is None:  # only for a path without .py
        raise ImportError(f"expected a Python file, got {SCORE_SCRIPT}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _tracer() -> Iterator[Tracer]:
    """A tracer of the demo; its spans leave the process only if an endpoint for them is set."""
    provider = TracerProvider()
    if os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    try:
        yield provider.get_tracer("otel-modeldata-demo")
    finally:
        provider.shutdown()


@contextlib.contextmanager
def _serving(script: ModuleType, tracer: Tracer) -> Iterator[int]:
    """Serve `run` of the script over HTTP on a free loopback port, which is returned."""
    with _Server(("127.0.0.1", 0), functools.partial(_Handler, script, tracer)) as server:
        threading.Thread(target=server.serve_forever, name="otel-modeldata-demo-http", daemon=True).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that closes its connection early, as an interrupted one does."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    """Answers `POST /score` in a span, as an instrumented server does."""

    protocol_version = "HTTP/1.1"
    wbufsize = -1  # head and body in one segment: the second of two would wait for an acknowledgment

    def __init__(self, script: ModuleType, tracer: Tracer, *connection: Any) -> None:
        self._script = script
        self._tracer = tracer
        super().__init__(*connection)

    def do_POST(self) -> None:
        """Score the body; the answer has the span in `traceresponse` (W3C Trace Context, level 2)."""
        raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
        propagator = TraceContextTextMapPropagator()
        parent = propagator.extract(dict(self.headers))
        with self._tracer.start_as_current_span("POST /score", parent, SpanKind.SERVER) as span:
            status, answer = self._run(raw)
            span.set_attributes({"http.request.method": "POST", "http.response.status_code": status})
            carrier: dict[str, str] = {}
            propagator.inject(carrier)
        self._respond(status, answer, carrier["traceparent"])

    def _run(self, raw: str) -> tuple[int, object]:
        try:
            return 200, self._script.run(raw)
        except ModelDataError as error:
            return 500, str(error)

    def _respond(self, status: int, answer: object, traceparent: str) -> None:
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("traceresponse", traceparent)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (http.server's name)
        """Log nothing: the summary reports the requests."""


def _send(port: int, rows: Iterable[dict[str, float]]) -> Iterator[Request]:
    """Send the rows one by one over one connection, so that inputs and outputs are stored in the same order."""
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", port, timeout=_REQUEST_SECONDS)) as connection:
        for row in rows:
            body = json.dumps({"data": {name: [value] for name, value in row.items()}})
            connection.request("POST", "/score", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read())
            if response.status != http.client.OK:
                raise ModelDataError(answer)
            first_row = {name: column["0"] for name, column in answer.items()}
            yield Request(row=row, answer=first_row, traceparent=response.headers["traceresponse"])

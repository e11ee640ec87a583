"""A Flask service under OpenTelemetry's own instrumentation, in a process of its own: it scores, or asks the next one.

Run as a program it serves `POST /score` until it is told to end. It collects `model_inputs` where it is told that it is
the first of two services, `model_outputs` where it is the last, and both where it is alone; which request it is about
the last one learns from the propagated context alone.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gateway import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

START_SECONDS = 60.0


@contextmanager
def traced_service(
    folder: Path, endpoint: str, name: str, next_port: int | None = None, **variables: str
) -> Iterator[int]:
    """A service called `name` that sends model data and spans to `endpoint`; yields its port, delivers at the end.

    Args:
        folder: where its log goes.
        endpoint: `host:port` of what takes OTLP/gRPC.
        name: its endpoint in the store.
        next_port: of the service that makes the outputs; none: it makes them itself.
        variables: more environment variables.
    """
    port = free_port()
    own = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}",
        "OTEL_SERVICE_NAME": name,
        "PORT": str(port),
        "NEXT_PORT": str(next_port or ""),
    }
    log = folder / f"{name}.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, __file__],
            env=os.environ | own | variables,
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        _wait_until_it_serves(process, port, log)
        yield port
    finally:
        process.communicate(timeout=START_SECONDS)  # closes its input, which tells it to end
    assert process.returncode == 0, log.read_text()[-4000:]


def score(port: int, data: dict[str, Any], **headers: str) -> dict[str, Any]:
    """What `POST /score` answers."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/score", json.dumps(data).encode(), {"Content-Type": "application/json", **headers}
    )
    with urllib.request.urlopen(request, timeout=START_SECONDS) as response:
        return dict(json.load(response))


def _wait_until_it_serves(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5):
                return
        except OSError:
            assert process.poll() is None, log.read_text()[-4000:]
            assert time.monotonic() < deadline, log.read_text()[-4000:]
            time.sleep(0.05)


def _serve() -> None:
    import threading

    import pandas as pd
    from flask import Flask, request
    from opentelemetry import propagate
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.flask import FlaskInstrumentor
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
    from werkzeug.serving import make_server

    import otel_modeldata
    from otel_modeldata import Collector
    from otel_modeldata.context import BasicCorrelationContext, use_correlation_context

    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    app = Flask("service")
    FlaskInstrumentor().instrument_app(app, tracer_provider=provider, excluded_urls="ready")
    inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
    next_port = os.environ["NEXT_PORT"]

    @app.get("/ready")
    def ready() -> str:
        return "yes"

    @app.post("/score")
    def score_one() -> dict[str, Any]:
        frame = pd.DataFrame(request.get_json())
        if not next_port and "azureml.correlation.id" in request.headers.get("baggage", ""):
            return predict(frame)  # it knows of the request what the propagators carried
        with use_correlation_context(BasicCorrelationContext()):
            inputs.collect(frame)
            return ask_next(frame) if next_port else predict(frame)

    def predict(frame: pd.DataFrame) -> dict[str, Any]:
        prediction = pd.DataFrame({"prediction": frame.sum(axis=1)})
        context = outputs.collect(prediction)
        return {"prediction": prediction["prediction"].tolist(), "correlation_id": context.get_id()}

    def ask_next(frame: pd.DataFrame) -> dict[str, Any]:
        headers: dict[str, str] = {}
        propagate.inject(headers)
        return score(int(next_port), frame.to_dict("list"), **headers)

    server = make_server("127.0.0.1", int(os.environ["PORT"]), app, threaded=True)
    threading.Thread(target=server.serve_forever).start()
    sys.stdin.read()
    server.shutdown()
    provider.shutdown()
    otel_modeldata.shutdown(START_SECONDS)


if __name__ == "__main__":
    _serve()

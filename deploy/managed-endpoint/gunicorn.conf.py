"""Request spans for Azure's scoring server: named by `GUNICORN_CMD_ARGS=--config=..` in deployment.yml.

`azmlinfsrv` runs gunicorn, whose workers are forks. Tracing starts in each worker, because an exporter's threads do not
survive a fork, and before the worker imports the server's Flask application, which is instrumented when it is made.
(With WORKER_PRELOAD=true the application exists before any worker, and no spans are made.) Spans are sent to
OTEL_EXPORTER_OTLP_ENDPOINT, like the collected data; a worker sends its last spans when it ends.

Requests and responses are collected, too, if deployment.yml enables the collections `request` and `response`.
"""

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.flask import FlaskInstrumentor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from otel_modeldata.payload import PayloadInstrumentor


def post_fork(server, worker):
    """Start tracing in a worker that was just forked (gunicorn calls this)."""
    provider = TracerProvider()
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    FlaskInstrumentor().instrument(excluded_urls="/$")  # the liveness probe, GET /
    PayloadInstrumentor().instrument()

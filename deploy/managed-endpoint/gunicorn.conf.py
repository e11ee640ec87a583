"""Request spans for Azure's scoring server: named by `GUNICORN_CMD_ARGS=--config=..` in deployment.yml.

`azmlinfsrv` runs gunicorn, whose workers are forks: tracing starts in each worker, because the threads of an exporter
do not survive a fork, and before the worker imports the server's Flask application, which is instrumented as it is
made. (With WORKER_PRELOAD=true the application exists before any worker, and no spans are made.) Spans go where the
standard variables say (OTEL_EXPORTER_OTLP_ENDPOINT), beside the collected data; the end of the worker sends the rest.

Requests and responses are collected, too, where deployment.yml enables the collections `request` and `response`.
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

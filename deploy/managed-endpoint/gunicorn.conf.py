"""Request spans for Azure's scoring server: named by `GUNICORN_CMD_ARGS=--config=..` in deployment.yml.

`azmlinfsrv` runs gunicorn, which forks its workers. Tracing starts in each worker, because the threads of an exporter
do not survive a fork, and before the worker imports the server's Flask application, which must be instrumented when it
is made. (With WORKER_PRELOAD=true the application is made before the workers, and there are no spans.) Spans are sent to
the same endpoint as the collected data (OTEL_EXPORTER_OTLP_ENDPOINT); when a worker ends, it sends the remaining ones.

Requests and responses are collected too, if deployment.yml enables the collections `request` and `response`.
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

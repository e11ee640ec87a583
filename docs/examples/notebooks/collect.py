"""Collects requests of three days into a receiver, each with its spans: what the notebook beside this file reads.

Needs `pip install 'otel-modeldata[otlp]'` and a receiver on port 4317 that accepts events of past days:
`otel-modeldata receive --store ./modeldata`.
"""

import os
import time

import pandas as pd
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

import otel_modeldata
from otel_modeldata import Collector
from otel_modeldata.context import BasicCorrelationContext

DAY = 86_400

# The names of the deployment, for its data and for its spans.
os.environ["OTEL_RESOURCE_ATTRIBUTES"] = "azureml.endpoint.name=shop,azureml.deployment.name=blue"
provider = TracerProvider()
provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
trace.set_tracer_provider(provider)
tracer = trace.get_tracer("shop")
inputs, outputs = Collector(name="model_inputs"), Collector(name="model_outputs")
start = int(time.time()) // DAY * DAY - 3 * DAY + DAY // 2

for number in range(60):
    context = BasicCorrelationContext(id=f"order-{number}", timestamp=start + number % 3 * DAY)
    with tracer.start_as_current_span("POST /score"):
        inputs.collect(pd.DataFrame({"age": [20 + number]}), context)
        with tracer.start_as_current_span("predict"):
            score = (number * 7 % 60) / 60
        outputs.collect(pd.DataFrame({"score": [score]}), context)

provider.shutdown()
report = otel_modeldata.shutdown(30)
print(f"{report.delivered} events delivered")

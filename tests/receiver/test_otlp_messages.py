"""The messages that the receiver makes without `opentelemetry-proto` are those of the generated classes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.logs.v1 import logs_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2

from otel_modeldata_receiver.otlp_messages import made_classes

if TYPE_CHECKING:
    from pathlib import Path

GENERATED: dict[str, Any] = {}
for module in (common_pb2, logs_pb2, logs_service_pb2, resource_pb2, trace_pb2, trace_service_pb2):
    GENERATED |= {name: value for name, value in vars(module).items() if hasattr(value, "DESCRIPTOR")}
GENERATED |= {"Event": trace_pb2.Span.Event, "Link": trace_pb2.Span.Link}
GENERATED |= {"RetryInfo": RetryInfo, "RpcStatus": Status, "Any": AnyMessage, "Duration": Duration}
ENUM_IS_INT32 = {14: 5}
"""Both are varints (FieldDescriptorProto.Type)."""

COLLECT = """
import sys
if "without" in sys.argv:
    for name in ("opentelemetry.proto", "google.rpc"):
        sys.modules[name] = None
import pandas as pd
from otel_modeldata import Collector, shutdown
from otel_modeldata.context import BasicCorrelationContext
frame = pd.DataFrame({"a": [1, 2], "b": ["x", None], "c": [0.5, 1e300]})
for number in range(3):
    Collector(name="model_inputs").collect(frame, BasicCorrelationContext(id=f"id{number}"))
report = shutdown(20)
assert report.delivered == 3, report
assert ("opentelemetry.proto.logs.v1.logs_pb2" in sys.modules) is ("without" not in sys.argv)
"""


def shape(message: Any) -> dict[str, tuple[object, ...]]:
    """Name to number, type, repetition, message type and group of each field."""
    return {
        field.name: (
            field.number,
            ENUM_IS_INT32.get(field.type, field.type),
            field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED,
            None if field.message_type is None else field.message_type.name.removeprefix("Rpc"),
            None if field.containing_oneof is None else field.containing_oneof.name,
        )
        for field in message.DESCRIPTOR.fields
    }


@pytest.mark.parametrize("name", sorted(made_classes()))
def test_each_field_is_that_of_the_generated_class(name: str) -> None:
    made, generated = shape(made_classes()[name]), shape(GENERATED[name])
    assert made == {field: generated[field] for field in made}


@pytest.mark.slow
def test_a_store_has_the_same_lines_without_the_generated_classes(tmp_path: Path) -> None:
    lines = {}
    for argument in ("with", "without"):
        store = tmp_path / argument
        environment = {name: value for name, value in os.environ.items() if not name.startswith("OTEL_")}
        environment["OTEL_MODELDATA_STORE"] = str(store)
        command = [sys.executable, "-c", COLLECT, argument]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        stored = [json.loads(line) for blob in store.rglob("*.jsonl") for line in blob.read_text("utf-8").splitlines()]
        of_each = {"id", "time", "timens", "producer"}
        lines[argument] = [{key: value for key, value in line.items() if key not in of_each} for line in stored]
    assert lines["without"] == lines["with"]
    assert len(lines["with"]) == 3

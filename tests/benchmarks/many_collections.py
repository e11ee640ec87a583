"""Cases of many collections in one process: `python many_collections.py JSON` is the process that collects.

Every collector has collected once before the time begins: the first `collect` of a collection and the first line of a
folder cost more, and happen once. Frames of 1x23 then go to all collections in turn.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import sys
import threading
import time
from collections import defaultdict
from concurrent import futures
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import msgspec

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import official
from case import Case, Effort, Run, Sides, Target, in_turn
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from usage import cpu_seconds
from workloads import frames

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_AMOUNTS: Final = (1000, 1, 10, 100)
_NAME: Final = "model_inputs_{}"


class _Discarding(grpc.GenericRpcHandler):
    """Answers every call at once, and keeps the requests to be checked later."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self._lock = threading.Lock()

    def service(self, _: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler[bytes, bytes]:
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, request: bytes, _: object) -> bytes:
        with self._lock:
            self.requests.append(request)
        return b""

    @contextmanager
    def serve(self) -> Iterator[str]:
        """Serve on a free port; yields the endpoint."""
        server = grpc.server(futures.ThreadPoolExecutor(2), options=[("grpc.max_receive_message_length", -1)])
        server.add_generic_rpc_handlers((self,))
        port = server.add_insecure_port("127.0.0.1:0")
        server.start()
        try:
            yield f"127.0.0.1:{port}"
        finally:
            server.stop(None).wait()


class _Line(msgspec.Struct):
    type: str
    producersequence: str
    data: list[msgspec.Raw]


_decode: Final = msgspec.json.Decoder(_Line).decode


def _to_nothing(collections: int, count: int) -> Run:
    """The SDK alone: its requests are answered at once, and checked afterwards."""
    sink = _Discarding()
    with sink.serve() as endpoint:
        result = _send(collections, count, endpoint)
    numbers: defaultdict[str, list[int]] = defaultdict(list)
    for request in map(ExportLogsServiceRequest.FromString, sink.requests):
        for record in (one for logs in request.resource_logs for scope in logs.scope_logs for one in scope.log_records):
            values = {one.key: one.value for one in record.attributes}
            number = values[semconv.AZUREML_PRODUCER_SEQUENCE].int_value
            numbers[values[semconv.AZUREML_COLLECTION_NAME].string_value].append(number)
    assert _checksum(numbers) == _checksum(_expected(collections, count)), {k: len(v) for k, v in numbers.items()}
    return result | {"requests_per_1000_events": len(sink.requests) / count * 1000}


def _to_receiver(collections: int, count: int) -> Run:
    """Through a receiver into a local folder, with fsync before each answer."""
    with official.receiver() as one:
        assert one._process is not None
        cpu = cpu_seconds(one._process.pid)
        result = _send(collections, count, one.endpoint)
        cpu = cpu_seconds(one._process.pid) - cpu
        assert one.stop() == 0
        numbers: defaultdict[str, list[int]] = defaultdict(list)
        for blob in sorted(Path(one.store).rglob("*.jsonl")):
            for line in map(_decode, blob.read_bytes().splitlines()):
                assert len(line.data) == 1, line
                numbers[line.type.removeprefix(semconv.EVENT_TYPE_PREFIX)].append(int(line.producersequence))
        assert _checksum(numbers) == _checksum(_expected(collections, count)), {k: len(v) for k, v in numbers.items()}
    return result | {"receiver_cpu_us_per_event": cpu / count * 1e6}


def _expected(collections: int, count: int) -> dict[str, list[int]]:
    """The sequence numbers of each collection, those of the first round included."""
    rounds, more = divmod(count, collections)
    return {_NAME.format(n): list(range(1 + rounds + (n < more))) for n in range(collections)}


def _checksum(numbers: Mapping[str, list[int]]) -> str:
    """The same only for the same numbers of the same collections; two requests are under way, so in any order."""
    in_order = {name: sorted(own) for name, own in numbers.items()}
    return hashlib.sha256(json.dumps(in_order, sort_keys=True).encode()).hexdigest()


def _send(collections: int, count: int, endpoint: str) -> Run:
    environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{endpoint}"}
    settings = {"collections": collections, "count": count}
    return official.run(json.dumps(settings), {}, environ, "many_collections.py")


def _collect(collections: int, count: int) -> Run:
    import otel_modeldata
    from otel_modeldata.exceptions import QueueFullError

    sample = frames(1)
    collectors = [otel_modeldata.Collector(name=_NAME.format(n)) for n in range(collections)]
    for collector in collectors:
        collector.collect(sample[0])
    otel_modeldata.flush()
    cpu, began = sum(os.times()[:2]), time.perf_counter()
    for n, collector in zip(range(count), itertools.cycle(collectors), strict=False):
        try:
            collector.collect(sample[n % len(sample)])
        except QueueFullError:  # faster than the other side: wait, and count the wait
            otel_modeldata.flush()
            collector.collect(sample[n % len(sample)])
    report = otel_modeldata.flush()
    seconds = time.perf_counter() - began
    assert report.delivered == count + collections, report
    return {
        "events_per_second": count / seconds,
        "cpu_us_per_event": (sum(os.times()[:2]) - cpu) / count * 1e6,
    }


def _sdk(effort: Effort) -> Sides:
    count = effort.of(30_000, 1200)
    return in_turn(
        effort.repeat, {f"{amount} collections": lambda n=amount: _to_nothing(n, count) for amount in _AMOUNTS}
    )


def _receiver(effort: Effort) -> Sides:
    count = effort.of(30_000, 1200)
    return in_turn(
        effort.repeat, {f"{amount} collections": lambda n=amount: _to_receiver(n, count) for amount in _AMOUNTS}
    )


_LEVEL: Final = Target(least=0.8, peer="1 collections")

CASES: Final[dict[str, Case]] = {
    "collections-sdk": Case(
        about="1000 collections of one process beside 1, 10 and 100: the SDK alone",
        run=_sdk,
        targets={"events_per_second": [_LEVEL]},
    ),
    "collections-receiver": Case(
        about="the same through a receiver",
        run=_receiver,
        targets={"events_per_second": [_LEVEL]},
    ),
}

if __name__ == "__main__":
    print(json.dumps(_collect(**json.loads(sys.argv[1]))))

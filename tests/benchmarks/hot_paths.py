"""The five hot paths on fixed inputs, each a function that repeats it a number of times; `instructions.py` counts them.

`python hot_paths.py prepare FOLDER` makes the inputs with the real SDK and receiver, `python hot_paths.py run FOLDER
[PATH ...]` runs the paths as `counted_runs.py` describes.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import random
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pandas as pd
from counted_runs import CountedRun, fork_each
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from otel_modeldata import Collector, semconv
from otel_modeldata._delivery.process import replace_process
from otel_modeldata._delivery.process_start import start_process
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.kept.arrow_memory import watch
from otel_modeldata._settings.settings import Settings
from otel_modeldata.transport import Delivered
from otel_modeldata_reader.auditing.audit import Selection, audit
from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.ingest.pipeline import Pipeline
from otel_modeldata_receiver.ingest.request_info import RequestInfo
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.mapping.signal import LOGS
from otel_modeldata_receiver.storage.group_commit import Appended
from otel_modeldata_receiver.storage.local import LocalStore
from otel_modeldata_receiver.storage.sink import Sink
from otel_modeldata_receiver.telemetry import instruments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from otel_modeldata.transport import Answer

EVENTS: Final = 100
"""In a request, in a block, and 10 times in the store that is read."""
SECONDS: Final = 300.0
"""How long a thread may take under valgrind."""
INSTANCE: Final = "0" * 32
INFO: Final = RequestInfo(signal=LOGS, transport="grpc")


def mixed(rows: int) -> pd.DataFrame:
    """A frame of 12 columns of integers, 8 of floats and 3 of text, without gaps."""
    numbers = random.Random(rows)
    columns: dict[str, list[int] | list[float] | list[str]] = {}
    for n in range(12):
        columns[f"count_{n}"] = [numbers.randrange(100_000) for _ in range(rows)]
    for n in range(8):
        columns[f"ratio_{n}"] = [numbers.random() for _ in range(rows)]
    for n in range(3):
        columns[f"label_{n}"] = [f"value {numbers.randrange(1000)}" for _ in range(rows)]
    return pd.DataFrame(columns)


class _Endpoint:
    """A transport that keeps requests, and holds the delivery thread from the first one on until it is opened."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        self.reached, self.open = threading.Event(), threading.Event()

    def send(self, request: bytes) -> Answer:
        self.reached.set()
        assert self.open.wait(SECONDS)
        self.requests.append(request)
        return Delivered()

    def close(self) -> None:
        """Nothing to release."""


# --- The paths --------------------------------------------------------------------------------------------------------


def collect(times: int, _: Path) -> None:
    """`collect` of a mixed frame of 1x23, while the delivery thread does nothing."""
    endpoint = _Endpoint()
    process = start_process(Settings.from_env(), endpoint)
    replace_process(process)
    collector, frame = Collector(name="model_inputs"), mixed(1)
    collector.collect(frame)
    assert endpoint.reached.wait(SECONDS)
    watch.is_encoded, watch.since = False, math.inf  # as in a process that delivers
    for _ in range(times):
        collector.collect(frame)
    assert process.delivery.flush(0).accepted == times + 1


def encode(times: int, _: Path) -> None:
    """The JSON text of a mixed frame of 1000x23."""
    frame, names = mixed(1000), ColumnNameCache("model_inputs", rename=False)
    assert json.loads(Rows(frame, names).text()) == frame.to_dict("records")
    for _ in range(times):
        text = Rows(frame, names).text()
    assert text.endswith(b"}]")


class _Nowhere:
    """A sink that counts lines, for a pipeline."""

    open_folders = 0

    def __init__(self) -> None:
        self.lines = 0

    async def append(self, _: str, lines: Sequence[Line], *, callers: int = 1) -> Appended:
        self.lines += len(lines)
        return Appended(len(lines), 0)


def export(times: int, folder: Path) -> None:
    """The receiver's way from a request of 100 small events to their lines, without a store."""

    async def accept_all() -> int:
        sink = _Nowhere()
        pipeline = Pipeline(sink, ReceiverConfig(), instruments(), work_clock=lambda: 0.0)  # type: ignore[arg-type]
        for number in range(times):
            await pipeline.accept(requests[number], INFO)
        return sink.lines

    requests = _requests(folder)
    assert asyncio.run(accept_all()) == times * EVENTS


def append(times: int, folder: Path) -> None:
    """The way of 100 lines of a request into a blob of a local store, with fsync."""

    async def append_all() -> None:
        sink = Sink(LocalStore(appended), instance=INSTANCE)
        for block in blocks[:times]:
            assert await sink.append("credit/blue/model_inputs/2026/11/22/12", block) == Appended(EVENTS, 0)
        await sink.drain()
        await sink.close()

    appended = folder / f"appended-{os.getpid()}"
    data = _stored(folder).read_bytes().splitlines(keepends=True)[:EVENTS]
    blocks = [[Line(f"{n:06}-{i:06}", line) for i, line in enumerate(data)] for n in range(PATHS["append"].many)]
    asyncio.run(append_all())
    (blob,) = appended.rglob("*.jsonl")
    assert blob.stat().st_size == times * sum(map(len, data))


def read(times: int, folder: Path) -> None:
    """An audit of a store of 1000 small events: the reading of lines."""

    async def audit_all() -> None:
        store = LocalStore(folder / "store")
        for _ in range(times):
            done = await audit(store, Selection(), (), lambda *_: None)
            assert (done.ledger.lines, done.ledger.unreadable.count) == (10 * EVENTS, 0)
        await store.close()

    asyncio.run(audit_all())


PATHS: Final = {
    "collect": CountedRun(run=collect, few=20, many=220),
    "encode": CountedRun(run=encode, few=3, many=23),
    "export": CountedRun(run=export, few=5, many=35),
    "append": CountedRun(run=append, few=5, many=35),
    "read": CountedRun(run=read, few=2, many=12),
}


# --- Their inputs -----------------------------------------------------------------------------------------------------


def prepare(folder: Path) -> None:
    """Write a request of small events as the SDK writes it, and a store with the events of ten of them."""
    endpoint = _Endpoint()
    process = start_process(Settings.from_env(), endpoint)
    replace_process(process)
    collector, numbers = Collector(name="model_inputs"), random.Random(0)
    frames = [pd.DataFrame({"age": [n], "income": [numbers.random()], "city": [f"city {n}"]}) for n in range(EVENTS)]
    collector.collect(frames[0])
    assert endpoint.reached.wait(SECONDS)
    for frame in frames:
        collector.collect(frame)
    endpoint.open.set()
    assert process.delivery.shutdown(SECONDS).delivered == 1 + EVENTS
    _, request = endpoint.requests
    (folder / "request").write_bytes(request)
    asyncio.run(_store(_requests(folder)[:10], folder / "store"))


def _requests(folder: Path) -> list[bytes]:
    """The request as often as a path needs it, each time with other event ids."""
    request = (folder / "request").read_bytes()
    (logs,) = ExportLogsServiceRequest.FromString(request).resource_logs
    (scope,) = logs.scope_logs
    attributes = [item for record in scope.log_records for item in record.attributes]
    ids = [item.value.string_value.encode() for item in attributes if item.key == semconv.CLOUDEVENTS_EVENT_ID]
    assert len(set(ids)) == EVENTS
    requests = []
    for number in range(PATHS["export"].many):
        for one in ids:
            request = request.replace(one, b"%08d" % number + one[8:])
        requests.append(request)
        ids = [b"%08d" % number + one[8:] for one in ids]
    return requests


async def _store(requests: Sequence[bytes], folder: Path) -> None:
    sink = Sink(LocalStore(folder), instance=INSTANCE)
    pipeline = Pipeline(sink, ReceiverConfig(), instruments())
    for request in requests:
        await pipeline.accept(request, INFO)
    await pipeline.drain()
    await sink.close()


def _stored(folder: Path) -> Path:
    (blob,) = (folder / "store").rglob("*.jsonl")
    return blob


def main() -> None:
    """Make the inputs or run the paths, as the command line says."""
    task, folder, *names = sys.argv[1:]
    os.urandom = random.Random(0).randbytes  # ids are the same in every run
    if task == "prepare":
        prepare(Path(folder))
    else:
        fork_each({name: PATHS[name] for name in names or PATHS}, Path(folder))


if __name__ == "__main__":
    main()

"""What the queue counts is at least the memory that waiting events take, for every kind of frame."""

from __future__ import annotations

import decimal
import gc
import os
import random
import subprocess
import sys
import tracemalloc
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from scripted_endpoint import FAST, Endpoint, FakeRecord

from otel_modeldata import Collector
from otel_modeldata._delivery.memory_queue import MemoryQueue
from otel_modeldata._delivery.pending import RECORD_OVERHEAD_BYTES, Producer
from otel_modeldata._delivery.worker import Worker
from otel_modeldata._encoding.column_names import ColumnNameCache
from otel_modeldata._encoding.dataframe_json import Rows
from otel_modeldata._encoding.log_record import Record, RequestEnvelope
from otel_modeldata._settings.delivery import DeliveryLimits
from otel_modeldata.context import BasicCorrelationContext
from otel_modeldata.exceptions import QueueFullError, RecordTooLargeError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

_random = random.Random(1)


_FEW = pd.CategoricalDtype(["a", "b"])


def _text(length: int, alphabet: str = "abcdefghij") -> str:
    return "".join(_random.choices(alphabet, k=length))


def _objects(cells: Iterable[object]) -> pd.DataFrame:
    return pd.DataFrame({"c": pd.Series(list(cells), dtype=object)})


KINDS: dict[str, Callable[[], pd.DataFrame]] = {
    "floats": lambda: pd.DataFrame(np.random.default_rng(1).random((1, 23))),
    "floats of many rows": lambda: pd.DataFrame(np.random.default_rng(1).random((1000, 23))),
    "embeddings as lists": lambda: _objects([_random.random() for _ in range(768)] for _ in range(32)),
    "short lists": lambda: _objects([_random.random() for _ in range(3)] for _ in range(300)),
    "embeddings as arrays": lambda: _objects(np.random.default_rng(1).random(768) for _ in range(32)),
    "arrays of different lengths": lambda: _objects(np.zeros(1 + n % 3) for n in range(300)),
    "emoji": lambda: _objects(_text(100, "😀😁😂🤣") for _ in range(100)),
    "an emoji in each text": lambda: _objects(_text(1000) + "😀" for _ in range(50)),
    "Chinese": lambda: _objects(_text(100, "日本語漢字") + "a" * 50 for _ in range(100)),
    "short text": lambda: _objects(_text(5) for _ in range(1000)),
    "short text of one row": lambda: _objects([_text(5)]),
    "text of pandas": lambda: pd.DataFrame({"c": pd.Series([_text(5) for _ in range(300)])}),
    "prompts": lambda: _objects(_text(4096) for _ in range(8)),
    "integers as objects": lambda: _objects(_random.randrange(2**40) for _ in range(1000)),
    "floats as objects": lambda: _objects(_random.random() for _ in range(1000)),
    "times as objects": lambda: _objects(pd.Timestamp(_random.randrange(10**9), unit="s") for _ in range(100)),
    "decimals": lambda: _objects(decimal.Decimal(_random.randrange(10**9)) for _ in range(300)),
    "ids": lambda: _objects(uuid.UUID(int=_random.randrange(2**128)) for _ in range(300)),
    "dicts": lambda: _objects({"a": _random.random(), "b": _text(10)} for _ in range(100)),
    "columns of categories": lambda: pd.DataFrame({n: pd.Categorical(["a"], dtype=_FEW) for n in range(20)}),
    "many categories": lambda: pd.DataFrame({"c": pd.Categorical([_text(8) for _ in range(500)] * 2)}),
    "nullable integers": lambda: pd.DataFrame({"c": pd.array([1, None] * 500, dtype="Int64")}),
    "times with a zone": lambda: pd.DataFrame({"c": pd.date_range("2024", periods=300, tz="UTC")}),
    "periods": lambda: pd.DataFrame({"c": pd.period_range("2024", periods=300, freq="D")}),
    "many columns of text": lambda: pd.DataFrame({f"c{n}": pd.Series([_text(4)]) for n in range(300)}),
    "many nullable columns": lambda: pd.DataFrame({f"c{n}": pd.array([n], dtype="Int64") for n in range(300)}),
    "long names": lambda: pd.DataFrame(np.zeros((1, 20)), columns=[_text(2000) for _ in range(20)]),
    "integers as names": lambda: pd.DataFrame(np.zeros((1, 200)), columns=np.arange(200) * 1000),
    "mixed": lambda: pd.DataFrame({"i": [1], "f": [0.5], "t": [_text(8)], "b": [True], "u": [_text(8)]}),
}


def _record(frame: pd.DataFrame, names: ColumnNameCache, number: int, headers: dict[str, str]) -> Record:
    attributes = {"azureml.correlation.id": f"request-{number}", **headers}
    return Record("model_inputs", b"", 1_700_000_000_000_000_000 + number, attributes, None, Rows(frame, names))


def _memory() -> int:
    """Bytes that Python and Arrow have allocated."""
    gc.collect()
    arrow = sys.modules.get("pyarrow")
    return tracemalloc.get_traced_memory()[0] + (0 if arrow is None else arrow.total_allocated_bytes())


def _held(make: Callable[[], pd.DataFrame], headers: Callable[[], dict[str, str]], count: int = 8) -> tuple[int, int]:
    """Bytes that waiting events take, and bytes counted."""
    names = ColumnNameCache("test")
    producer = Producer("p", None, None)  # type: ignore[arg-type]
    queue = MemoryQueue(DeliveryLimits())

    def accept(number: int) -> None:
        record = _record(make(), names, number, headers())
        key = f"model_inputs/other-{number}"
        queue.accept(record, record.memory() + RECORD_OVERHEAD_BYTES, None, producer, key)

    accept(-1)  # what is made once
    tracemalloc.start()
    try:
        before, counted = _memory(), queue.nbytes
        for number in range(count):
            accept(number)
        return _memory() - before, queue.nbytes - counted
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("count", [1, 20])
def test_columns_of_text_that_share_a_part_are_counted(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata._encoding.snapshot._IS_WITHOUT_ARROW", True)

    def make() -> pd.DataFrame:
        columns = range(300)
        return pd.DataFrame(
            {f"c{n}": pd.array([_text(4) for _ in range(count)], pd.StringDtype("python")) for n in columns}
        )

    taken, counted = _held(make, dict)
    assert 0 < taken <= counted


@pytest.mark.parametrize("kind", KINDS)
def test_the_queue_counts_at_least_the_memory_that_its_events_take(kind: str) -> None:
    taken, counted = _held(KINDS[kind], dict)
    assert 0 < taken <= counted


def test_what_the_queue_counts_is_near_the_memory_for_usual_frames() -> None:
    for kind in ("floats of many rows", "embeddings as arrays", "embeddings as lists", "prompts", "emoji"):
        taken, counted = _held(KINDS[kind], dict)
        assert counted <= 1.5 * taken, kind


def test_headers_and_a_long_correlation_id_are_counted() -> None:
    taken, counted = _held(KINDS["floats"], lambda: {f"cloudevents.ext.{_text(20)}": _text(3000) for _ in range(20)})
    assert 20 * 8 * 3000 < taken <= counted


def _collect_without_end(collector: Collector) -> None:
    for number in range(10_000):
        context = BasicCorrelationContext(f"request-{number}", headers={"tenant": _text(100)})
        collector.collect(KINDS["many nullable columns"](), context)


def memory_of_a_full_queue() -> int:
    """Bytes of memory that the events of a Collector take when it refuses the next one."""
    collector = Collector(name="model_inputs")
    collector.collect(KINDS["mixed"]())
    tracemalloc.start()
    before = _memory()
    with pytest.raises(QueueFullError):
        _collect_without_end(collector)
    return _memory() - before


def test_a_collector_with_an_endpoint_that_is_down_stays_within_its_setting() -> None:
    """In a process of its own: what other tests made is released at any time."""
    setting = 4 * 2**20
    code = "import test_memory_bound as one; print(one.memory_of_a_full_queue(), flush=True)"
    environment = os.environ | {
        "OTEL_MODELDATA_QUEUE_BYTES": str(setting),
        "OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9",
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    result = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert setting / 4 < int(result.stdout) <= setting


def test_a_record_that_takes_more_memory_than_the_queue_has_is_refused() -> None:
    worker = Worker(RequestEnvelope({}, "p"), Endpoint(), DeliveryLimits(**FAST, queue_bytes=100_000))  # type: ignore[arg-type]
    frame = _objects(_text(5) for _ in range(3000))
    record = _record(frame, ColumnNameCache("test"), 1, {})
    assert record.body.nbytes < 100_000 < record.memory()
    with pytest.raises(RecordTooLargeError) as caught:
        worker.put(record, None)
    assert str(caught.value) == (
        f"the frame takes {record.memory()} bytes, at most 98650 can be sent in one event: collect it in parts"
    )
    worker.put(FakeRecord("small", 1000), None)  # type: ignore[arg-type]
    assert worker.shutdown(30).delivered == 1

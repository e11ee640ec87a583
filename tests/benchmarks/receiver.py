"""The throughput of one receiver process: `python receiver.py [CASE ...]`; other benchmarks call `run` and `send`.

Cases: `small` (512 events of 0.5 KB in each request), `pairs` (the same, inputs and outputs in turn), `large` (64
events of 50 KB), `huge` (8 events of 400 KB), `single` (one event of 0.5 KB).
Events look as our SDK sends them, and in all cases but `single` as a Collector forwards them. The real `otel-modeldata
receive` stores them in a local folder, validated, de-duplicated and with fsync before each answer. The sender is a
separate process with several requests in flight. It encodes nothing: a request is a template with a new number.
Afterwards every stored line is read: each id must be there once, with the rows that were sent.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import grpc
import uvloop

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

from otlp_requests import NOON, backwards, raw_request, record, resource
from otlp_sender import LOGS
from receiver_process import ReceiverProcess

from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Iterator

_NUMBER: Final = "RRRRRRRR"
"""Replaced by the number of the request."""
_COLLECTIONS: Final = ("model_inputs", "model_outputs")
_FULL_SUCCESS: Final = (b"", b"\n\0")
"""An answer without `partial_success`, and with an empty one, as Collectors write it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """The load to send.

    Attributes:
        events: in each request.
        size: bytes of the rows of each event.
        requests: how many.
        in_flight: how many requests wait for their answer at a time.
        connections: how many connections are used.
        by_collector: whether records are written as a Collector writes them.
        collections: of the events, in turn.
    """

    events: int
    size: int
    requests: int
    in_flight: int = 8
    connections: int = 2
    by_collector: bool = True
    collections: int = 1


CASES: Final = {
    "small": Load(events=512, size=512, requests=1200),
    "pairs": Load(events=512, size=512, requests=1200, collections=2),
    "large": Load(events=64, size=50_000, requests=400),
    "huge": Load(events=8, size=400_000, requests=400),
    "single": Load(events=1, size=512, requests=30_000, in_flight=64, connections=4, by_collector=False),
}


def rows(size: int) -> str:
    """One JSON row of exactly `size` bytes: floats, like the input of a model."""
    cells = ",".join(f'"feature_{n}":{n / 7:.6f}' for n in range(max(1, (size - 60) // 23)))
    text = f'[{{{cells},"note":"'
    return text + "x" * (size - len(text) - 3) + '"}]'


def template(load: Load, resource_values: dict[str, str]) -> bytes:
    """A request with the attributes that our SDK sends; see `numbered`."""
    body, sender = rows(load.size), resource(resource_values)
    records = [
        record(
            body,
            {
                semconv.CLOUDEVENTS_EVENT_TYPE: semconv.event_type(_COLLECTIONS[n % load.collections]),
                semconv.AZUREML_MODEL_VERSION: "default",
                semconv.AZUREML_DATA_TYPE: semconv.DATAFRAME_TYPE,
                semconv.AZUREML_DATA_CONTENT_TYPE: semconv.JSON_CONTENT_TYPE,
                semconv.AZUREML_AGENT: "otel-modeldata/0.1.0",
                semconv.AZUREML_SAMPLING_RATE: 1.0,
                semconv.AZUREML_PRODUCER_SEQUENCE: n,
                semconv.AZUREML_CORRELATION_ID: f"9f0d1c0e-6b52-4d0c-9a51-{_NUMBER}{n:04x}",
            },
            collection=_COLLECTIONS[n % load.collections],
            event_id=f"6f6d1c0e-6b52-4d0c-9a51-{_NUMBER}{n:04x}",
            time_ns=NOON + n * 1000,
            event_name=semconv.event_type(_COLLECTIONS[n % load.collections]),
            trace_id=n.to_bytes(15, "big") + b"\x01",
            span_id=n.to_bytes(7, "big") + b"\x01",
            flags=1,
        )
        for n in range(load.events)
    ]
    order = backwards if load.by_collector else bytes
    return raw_request([order(one.SerializeToString()) for one in records], sender.SerializeToString())


def numbered(raw: bytes, number: int) -> bytes:
    """`raw` as request `number`: only the ids differ."""
    return raw.replace(_NUMBER.encode(), b"%08x" % number)


def event_ids(load: Load) -> Iterator[str]:
    """Every id that `send` sends."""
    return (
        f"6f6d1c0e-6b52-4d0c-9a51-{number:08x}{n:04x}" for number in range(load.requests) for n in range(load.events)
    )


async def send(load: Load, endpoint: str) -> float:
    """Send everything, and return the seconds from the first request to the last answer."""
    raw = template(load, {semconv.AZUREML_ENDPOINT_NAME: "credit", semconv.SERVICE_INSTANCE_ID: "bench"})
    numbers = iter(range(load.requests))

    async def client(channel: grpc.aio.Channel) -> None:
        call = channel.unary_unary(LOGS)
        for number in numbers:
            answer = await call(numbered(raw, number), timeout=60, wait_for_ready=True)
            assert answer in _FULL_SUCCESS, answer

    options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(endpoint, options=options) for _ in range(load.connections)]
    await asyncio.gather(*(channel.channel_ready() for channel in channels))
    began = time.perf_counter()
    await asyncio.gather(*(client(channels[n % len(channels)]) for n in range(load.in_flight)))
    seconds = time.perf_counter() - began
    for channel in channels:
        await channel.close()
    return seconds


def send_in_a_process(load: Load, endpoint: str) -> float:
    """`send` in another process."""
    command = [sys.executable, __file__, "--send", json.dumps([asdict(load), endpoint])]
    result = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return float(result.stdout)


def run(load: Load, folder: Path) -> dict[str, float]:
    """Send `load` to a receiver that stores below `folder`, and check the stored lines."""
    receiver = ReceiverProcess(store=str(folder / "store"), flags=(), variables={}, log=folder / "log")
    receiver.start()
    assert receiver._process is not None
    before = cpu_seconds(receiver._process.pid)
    seconds = send_in_a_process(load, receiver.endpoint)
    cpu = cpu_seconds(receiver._process.pid) - before
    receiver.stop()
    check(load, folder / "store")
    return figures(load, seconds, cpu)


def figures(load: Load, seconds: float, cpu: float) -> dict[str, float]:
    """The figures of a load that took this time and this CPU time of the receiver."""
    events = load.events * load.requests
    return {
        "events_per_second": events / seconds,
        "requests_per_second": load.requests / seconds,
        "mb_per_second": events * load.size / seconds / 1e6,
        "cpu_us_per_event": cpu / events * 1e6,
        "seconds": seconds,
    }


def check(load: Load, store: Path) -> None:
    """Every event that was sent is in the store once, with its rows."""
    text = f'"data":{rows(load.size)},'.encode()
    found: list[str] = []
    for blob in store.rglob("*.jsonl"):
        with blob.open("rb") as lines:
            for line in lines:
                assert text in line, line[:1000]
                start = line.index(b'"id":"') + 6
                found.append(line[start : line.index(b'"', start)].decode())
    assert len(found) == load.events * load.requests
    assert set(found) == set(event_ids(load))


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process, in user and kernel mode."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Run the cases that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", choices=[*CASES, []])
    parser.add_argument("--share", type=float, default=1.0, help="of the requests of each case")
    parser.add_argument("--send", metavar="JSON", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.send:
        load, endpoint = json.loads(options.send)
        print(uvloop.run(send(Load(**load), endpoint)))
        return
    for name in options.cases or CASES:
        load = CASES[name]
        load = Load(**{**asdict(load), "requests": max(1, round(load.requests * options.share))})
        with tempfile.TemporaryDirectory() as folder:
            figures = run(load, Path(folder))
        print(f"{name:7}", "  ".join(f"{key} {value:,.2f}" for key, value in figures.items()), flush=True)


if __name__ == "__main__":
    main()

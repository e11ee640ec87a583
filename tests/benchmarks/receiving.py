"""Cases of the receiver compared with Collectors that write files or blobs: the same stream, the same sender.

The peers are the contrib exporters `file` (OTLP JSON, no fsync, acknowledged before the bytes leave the process) and
`azure_blob` (append blobs, without positions), each in a Collector built from `peer-gateway.yaml`.
"""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import empty_handler
import flood
import gateway
import official
import yaml
from azurite import Azurite, running_azurite
from case import Case, Effort, Run, Sides, Target, in_turn
from prerequisites import need
from usage import cpu_seconds

import receiver
from receiver import Load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from receiver_process import ReceiverProcess

MANIFEST: Final = official.HERE / "peer-gateway.yaml"
ANY_VERSION: Final = "--skipApiVersionCheck"
"""For Azurite: the exporter's library is newer than the emulator."""
BLOB_NAME: Final = "logs.jsonl"
"""The blob that both exporters append to."""
_ID: Final = re.compile(rb'"(?:id|stringValue)":"(6f6d1c0e-6b52-4d0c-9a51-[0-9a-f]{12})"')
"""The event id of `receiver.py`, in our lines and in OTLP JSON."""


def to_our_receiver(load: Load) -> Run:
    """Store in a local folder with an fsync before each acknowledgment."""
    with tempfile.TemporaryDirectory() as folder:
        return receiver.run(load, Path(folder))


def to_file_exporter(load: Load) -> Run:
    with tempfile.TemporaryDirectory() as folder:
        with peer({"file": {"path": f"{folder}/{BLOB_NAME}"}}) as one:
            figures = _measured(load, one.grpc, one)
        check(load, flood.lines_of(Path(folder)))
        return figures


def to_empty_handler(load: Load) -> Run:
    """What gRPC and its sender cost: nothing is stored, and nothing to check."""
    with empty_handler.running() as (endpoint, pid):
        cpu = cpu_seconds(pid)
        seconds = receiver.send_in_a_process(load, endpoint)
        return receiver.figures(load, seconds, cpu_seconds(pid) - cpu)


def to_azurite(load: Load, azurite: Azurite) -> Run:
    """Our receiver with its default for Azure: a linger of 200 ms."""
    container = azurite.new_container()
    variables = {"AZURE_STORAGE_CONNECTION_STRING": azurite.connection_string}
    with official.receiver(f"az://{container}", **variables) as one:
        figures = _measured(load, one.endpoint, one)
    check(load, blob_lines(azurite, container))
    return figures


def to_azure_blob_exporter(load: Load, azurite: Azurite) -> Run:
    container = azurite.new_container()
    create_blob(azurite, container)
    with peer(azure_blob(azurite.connection_string, container)) as one:
        figures = _measured(load, one.grpc, one)
    check(load, blob_lines(azurite, container))
    return figures


def _measured(load: Load, endpoint: str, one: ReceiverProcess | gateway.Gateway) -> Run:
    """Send everything to a process, then stop it."""
    cpu = cpu_seconds(pid_of(one))
    seconds = receiver.send_in_a_process(load, endpoint)
    cpu = cpu_seconds(pid_of(one)) - cpu
    assert one.stop() == 0
    return receiver.figures(load, seconds, cpu)


def check(load: Load, lines: Iterable[bytes]) -> None:
    """Every event that was sent is there once, with its rows; `lines` are ours or OTLP JSON."""
    body = receiver.rows(load.size).encode()
    escaped = json.dumps(body.decode()).encode()
    found: list[bytes] = []
    for line in lines:
        ids = _ID.findall(line)
        assert line.count(body) + line.count(escaped) == len(ids), line[:1000]
        found += ids
    assert len(found) == load.events * load.requests
    assert set(found) == {one.encode() for one in receiver.event_ids(load)}


def blob_lines(azurite: Azurite, container: str, prefix: str = "") -> Iterator[bytes]:
    """Every line of the container."""
    for content in azurite.blobs(container, prefix).values():
        yield from content.splitlines()


def create_blob(azurite: Azurite, container: str) -> None:
    """Create the blob in advance: otherwise each of the exporter's first appends creates it again and deletes earlier
    ones."""
    with azurite.open(container) as client:
        client.get_blob_client(BLOB_NAME).create_append_blob()


def azure_blob(connection_string: str, container: str) -> dict[str, Any]:
    """An exporter that acknowledges what it has appended, to one blob."""
    return {
        "azure_blob": {
            "auth": {"type": "connection_string", "connection_string": connection_string},
            "container": {"logs": container},
            "append_blob": {"enabled": True, "separator": "\n"},
            "blob_name_format": {"logs_format": BLOB_NAME, "serial_num_enabled": False},
            "sending_queue": {"enabled": False},
        }
    }


@contextmanager
def peer(exporters: dict[str, Any]) -> Iterator[gateway.Gateway]:
    """A Collector with one exporter, which answers when the exporter is done."""
    with tempfile.TemporaryDirectory() as scratch:
        grpc, http, health = (f"127.0.0.1:{gateway.free_port()}" for _ in range(3))
        config = {
            "receivers": {"otlp": {"protocols": {"grpc": {"endpoint": grpc, "max_recv_msg_size_mib": 64}}}},
            "exporters": exporters,
            "extensions": {"health_check": {"endpoint": health}},
            "service": {
                "extensions": ["health_check"],
                "pipelines": {"logs": {"receivers": ["otlp"], "exporters": list(exporters)}},
                "telemetry": {"metrics": {"level": "none"}},
            },
        }
        Path(scratch, "config.yaml").write_text(yaml.safe_dump(config))
        process = gateway.Gateway(
            command=[str(_peer_binary()), f"--config=file:{scratch}/config.yaml"],
            variables={},
            grpc=grpc,
            http=http,
            health=health,
            log=Path(scratch, "log"),
        )
        process.start()
        try:
            yield process
        finally:
            process.kill()


def _peer_binary() -> Path:
    folder = gateway.built_folder(MANIFEST)
    if not gateway.program(folder, MANIFEST).exists():
        gateway.build(need("go", gateway.NO_GO), folder, MANIFEST)
    return gateway.program(folder, MANIFEST)


def pid_of(one: ReceiverProcess | gateway.Gateway) -> int:
    assert one._process is not None
    return one._process.pid


_BESIDE_EMPTY: Final = ("large", "huge", "single")
"""Loads of which gRPC and the sender take a large part: the empty handler says how fast a receiver can be."""


def _beside_file(name: str, tiny: int) -> Callable[[Effort], Sides]:
    def run(effort: Effort) -> Sides:
        load = sized(name, effort, tiny)
        sides = {"ours": lambda: to_our_receiver(load)}
        if shutil.which("go"):
            sides["file exporter"] = lambda: to_file_exporter(load)
        if name in _BESIDE_EMPTY:
            sides["empty handler"] = lambda: to_empty_handler(load)
        return in_turn(effort.repeat, sides)

    return run


def sized(name: str, effort: Effort, tiny: int) -> Load:
    """A load of `receiver.py`, with few requests when tiny."""
    load = receiver.CASES[name]
    return replace(load, requests=effort.of(load.requests, tiny))


def _beside_azure_blob(effort: Effort) -> Sides:
    # Enough requests in flight to fill blocks: with fewer, each of our appends waits 200 ms for more lines.
    load = replace(receiver.CASES["small"], requests=effort.of(600, 8), in_flight=32)
    with tempfile.TemporaryDirectory() as folder, running_azurite(Path(folder), ANY_VERSION) as azurite:
        sides = {"ours": lambda: to_azurite(load, azurite)}
        if shutil.which("go"):
            sides["azure_blob exporter"] = lambda: to_azure_blob_exporter(load, azurite)
        return in_turn(effort.repeat, sides)


_AT_LEAST_LEVEL: Final = Target(least=1)

CASES: Final[dict[str, Case]] = {
    "receiver-small": Case(
        about="512 events of 0.5 KB in each request, 8 requests under way",
        run=_beside_file("small", 8),
        targets={
            "events_per_second": [_AT_LEAST_LEVEL, Target(least=80_000, absolute=True)],
            "cpu_us_per_event": [Target(most=1.6, peer="file exporter")],
        },
    ),
    "receiver-pairs": Case(
        about="the same, inputs and outputs in turn",
        run=_beside_file("pairs", 8),
        targets={"cpu_us_per_event": [Target(most=1.6, peer="file exporter")]},
    ),
    "receiver-large": Case(
        about="64 events of 50 KB in each request, also beside a handler that does nothing",
        run=_beside_file("large", 8),
        targets={"mb_per_second": [Target(least=1, peer="file exporter"), Target(least=400, absolute=True)]},
    ),
    "receiver-huge": Case(
        about="8 events of 400 KB in each request, also beside a handler that does nothing",
        run=_beside_file("huge", 8),
        targets={"mb_per_second": [Target(least=1.5, peer="file exporter")]},
    ),
    "receiver-single": Case(
        about="requests of one event of 0.5 KB, 64 under way, also beside a handler that does nothing",
        run=_beside_file("single", 100),
        targets={
            "requests_per_second": [Target(least=4000, absolute=True)],
            "cpu_us_per_event": [Target(most=1.2, peer="empty handler")],
        },
    ),
    "receiver-azurite": Case(
        about="512 events of 0.5 KB in each request, 32 under way, to append blobs of Azurite",
        run=_beside_azure_blob,
        targets={"events_per_second": [_AT_LEAST_LEVEL]},
    ),
}

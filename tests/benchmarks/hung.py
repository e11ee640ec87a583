"""Measures the cost of a broken gateway in the scoring process: `uv run --all-extras python tests/benchmarks/hung.py`.

It prints p50 and p99 of `collect` at 200/s (frames of 1 x 23), with and without a spool, for a gateway that is healthy,
hung (accepts connections, never answers), dead (refuses connections), slow (answers after 2 s) or busy (UNAVAILABLE).
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import grpc
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

from recording_backend import RecordingBackend, unavailable_with_retry_info

if TYPE_CHECKING:
    from collections.abc import Iterator

COUNT = 2000
PER_SECOND = 200
SLOW_SECONDS = 2.0


def main() -> None:
    """Run every case and print one table."""
    table = Table("gateway", "spool", "p50 us", "p99 us", "accepted", title=f"{COUNT} x collect at {PER_SECOND}/s")
    for gateway in ("healthy", "hung", "dead", "slow", "busy"):
        for spool in (False, True):
            result = measure(gateway, spool=spool)
            figures = (f"{result['p50_us']:,.0f}", f"{result['p99_us']:,.0f}", str(result["sent"]))
            table.add_row(gateway, "yes" if spool else "no", *figures)
    Console().print(table)


def measure(gateway: str, *, spool: bool) -> dict[str, float]:
    """Run one case in its own process, which exits without waiting for deliveries."""
    with _gateway(gateway) as endpoint, tempfile.TemporaryDirectory() as folder:
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("OTEL_", "AZUREML_"))}
        environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://{endpoint}"
        if spool:
            environ["OTEL_MODELDATA_SPOOL"] = folder
        code = (
            "import json, os, sys; sys.path.insert(0, sys.argv[1]); import workloads; "
            "collect, _ = workloads.our_sdk(1); "
            f"print(json.dumps(workloads.paced(collect, rows=1, count={COUNT}, per_second={PER_SECOND})), flush=True); "
            "os._exit(0)"
        )
        command = [sys.executable, "-c", code, str(Path(__file__).parent)]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=True, timeout=300)
        result: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
        return result


@contextmanager
def _gateway(kind: str) -> Iterator[str]:
    if kind in ("hung", "dead"):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"127.0.0.1:{listener.getsockname()[1]}"
            if kind == "hung":
                yield address
                return
        yield address
        return
    ended = threading.Event()

    def answer_late(context: grpc.ServicerContext) -> None:
        ended.wait(SLOW_SECONDS)
        context.abort(grpc.StatusCode.UNAVAILABLE, "late")

    with RecordingBackend() as backend:
        backend.refuse({"healthy": None, "slow": answer_late, "busy": unavailable_with_retry_info}[kind])
        yield backend.endpoint
        ended.set()


if __name__ == "__main__":
    main()

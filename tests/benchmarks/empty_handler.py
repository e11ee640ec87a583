"""An empty `grpc.aio` handler on uvloop: what a request costs before any work of ours. `receiving.py` compares with it.

`python empty_handler.py` prints its address, answers every OTLP export request of logs with success, and ends with its
standard input.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import grpc
import uvloop

from otel_modeldata_receiver.config.receiver import ReceiverConfig
from otel_modeldata_receiver.listeners import otlp_grpc
from otel_modeldata_receiver.mapping.signal import LOGS

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def running() -> Iterator[tuple[str, int]]:
    """The address and the process id of a server in another process."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip(), process.pid
        finally:
            process.stdin.close()


async def _export(_: bytes, __: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
    return b""


async def _serve() -> None:
    server = grpc.aio.server(options=otlp_grpc.options(ReceiverConfig()))
    methods = {"Export": grpc.unary_unary_rpc_method_handler(_export)}
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(LOGS.service, methods),))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"127.0.0.1:{port}", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await server.stop(None)


if __name__ == "__main__":
    uvloop.run(_serve())

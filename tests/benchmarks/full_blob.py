"""Fills one append blob to Azure's own limit of 50,000 blocks, in a real Azurite, and checks the result.

    uv run --all-extras python tests/benchmarks/full_blob.py [--blocks 50200] [--limit 50000]

Each append has one line. At `--limit` blocks the sink starts the next blob; the default is 49,900. 50000 uses the last
block that Azure allows. Above it, the service refuses the append (`BlockCountExceedsLimit`) and the sink is fenced. In
each case the sink starts the next blob, and no line is lost, doubled or split. It takes about five minutes.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "fixtures"))

from azurite import Azurite, running_azurite  # noqa: E402 - found in the folder `fixtures`
from history import check  # noqa: E402

from otel_modeldata_receiver.line import Line  # noqa: E402
from otel_modeldata_receiver.storage.open_store import open_store  # noqa: E402
from otel_modeldata_receiver.storage.sink import Sink, SinkLimits  # noqa: E402

FOLDER = "credit/blue/model_inputs/2026/11/22/12"
INSTANCE = "0123456789abcdef0123456789abcdef"


def line(number: int) -> Line:
    event = {
        "id": str(number),
        "source": "/endpoints/credit/deployments/blue",
        "type": "azureml.inference.model_inputs",
        "time": "2026-11-22T12:00:00Z",
        "producer": "one",
        "producersequence": str(number),
    }
    return Line(str(number), json.dumps(event).encode() + b"\n")


async def fill(azurite: Azurite, container: str, blocks: int, limit: int) -> None:
    os.environ["AZURE_STORAGE_CONNECTION_STRING"] = azurite.connection_string
    sink = Sink(open_store(f"az://{container}"), instance=INSTANCE, limits=SinkLimits(max_blocks=limit))
    started = time.monotonic()
    for number in range(blocks):
        await sink.append(FOLDER, [line(number)])
        if number % 5000 == 4999:
            print(f"{number + 1} blocks in {time.monotonic() - started:.0f} s", flush=True)
    await sink.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=50_200)
    parser.add_argument("--limit", type=int, default=SinkLimits().max_blocks)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, running_azurite(Path(folder)) as azurite:
        container = azurite.new_container()
        asyncio.run(fill(azurite, container, arguments.blocks, arguments.limit))
        stored = azurite.blobs(container)
        ids = [str(number) for number in range(arguments.blocks)]
        accounts = check(accepted=ids, acked=ids, store=stored, in_order=True)
        counts = {}
        with azurite.open(container) as client:
            for name in stored:
                counts[name.rpartition("/")[2]] = client.get_blob_client(name).get_blob_properties()
        for name, properties in counts.items():
            print(f"{name}: {properties.append_blob_committed_block_count} blocks, {properties.size} bytes")
        print(f"{accounts.stored} lines stored once and in order, {accounts.copies} copies, {accounts.lost} lost")


if __name__ == "__main__":
    try:
        main()
    except pytest.skip.Exception as reason:
        sys.exit(str(reason))

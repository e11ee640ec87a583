"""Batches take bounded memory, however large a store is."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, HOUR, NOON_NS

if TYPE_CHECKING:
    from pathlib import Path

MEGABYTES = 120
MOST_MB = 300
SECONDS = 120
READ = """
import sys
import otel_modeldata_reader as reader
rows = sum(batch.num_rows for batch in reader.open(sys.argv[1]).read(sys.argv[2]).batches())
(peak,) = (line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(rows, int(peak.split()[1]) // 1000)
"""
ROW = {f"f{number}": 0.1234567890123 + number for number in range(20)} | {"country": "ES", "text": "words, and more"}


@pytest.mark.long
@pytest.mark.parametrize(("rows", "types"), [(1, "f8*20,s*2"), (1000, None)])
def test_batches_take_less_than_300_mb(tmp_path: Path, rows: int, types: str | None) -> None:
    template = _template(rows, types)
    number = 0
    for hour in range(4):
        path = tmp_path / COLLECTION / HOUR[:-2] / f"{hour:02d}" / f"{0:032x}000000.jsonl"
        path.parent.mkdir(parents=True)
        with path.open("w") as blob:
            while blob.tell() < MEGABYTES * 1_000_000 / 4:
                blob.write(template.replace("NUMBER", f"{number:030d}"))
                number += 1
    command = [sys.executable, "-c", READ, str(tmp_path), COLLECTION]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    read, peak = map(int, done.stdout.split())
    assert read == number * rows
    assert peak < MOST_MB


def _template(rows: int, types: str | None) -> str:
    """A line in which NUMBER stands for the number of the event."""
    event = {
        "specversion": "1.0",
        "id": "event-NUMBER",
        "source": "/endpoints/shop/deployments/blue",
        "type": "azureml.inference.model_inputs",
        "data": [ROW] * rows,
        "correlationid": "request-NUMBER",
        "timens": str(NOON_NS),
    } | ({} if types is None else {"datatypes": types})
    return json.dumps(event, separators=(",", ":")) + "\n"

"""Processes that write into one local folder, and one that is killed."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.open_store import open_store
from otel_modeldata_receiver.storage.sink import Appended, Sink

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.anyio

INSTANCE = "0123456789abcdef0123456789abcdef"
FOLDER = "endpoint/blue/model_inputs/2026/11/22/13"


WRITER = """
import asyncio, sys
from otel_modeldata_receiver.line import Line
from otel_modeldata_receiver.storage.sink import Sink
from otel_modeldata_receiver.storage.open_store import open_store

async def main(root, folder, instance, name):
    sys.stdin.readline()
    sink = Sink(open_store(root), instance=instance)
    for number in range(60):
        key = f"{name}-{number}"
        await sink.append(folder, [Line(key, b'{"id":"%s","data":"%s"}\\n' % (key.encode(), b"x" * 5000))])
        print(key, flush=True)
    await sink.close()

asyncio.run(main(*sys.argv[1:]))
"""


def writer(root: Path, name: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", WRITER, str(root), FOLDER, INSTANCE, name]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def stored(root: Path) -> list[str]:
    """Every id, blob after blob; each line must be whole."""
    content = b"".join(path.read_bytes() for path in sorted((root / FOLDER).glob("*.jsonl")))
    assert content.endswith(b"\n")
    texts = content.decode().splitlines()
    assert {text[-5000 - 2 :] for text in texts} == {"x" * 5000 + '"}'}
    return [text.split('"')[3] for text in texts]


def test_two_processes_with_one_instance_id_store_every_line_of_both(tmp_path: Path) -> None:
    processes = [writer(tmp_path, name) for name in ("a", "b")]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=60)
        assert process.returncode == 0
    found = stored(tmp_path)
    for name in ("a", "b"):
        mine = [f"{name}-{number}" for number in range(60)]
        assert [key for key in found if key in mine] == mine
    assert len(found) == 120


async def test_acknowledged_lines_survive_a_kill_and_the_next_process_stores_nothing_twice(
    tmp_path: Path,
) -> None:
    process = writer(tmp_path, "a")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    acknowledged = [process.stdout.readline().strip() for _ in range(20)]
    process.kill()
    acknowledged += process.communicate(timeout=60)[0].split()
    assert set(acknowledged) <= set(stored(tmp_path))
    sink = Sink(open_store(str(tmp_path)), instance=INSTANCE)
    everything = [f"a-{number}" for number in range(60)]
    again = [Line(key, b'{"id":"%s","data":"%s"}\n' % (key.encode(), b"x" * 5000)) for key in everything]
    appended = await sink.append(FOLDER, again)
    await sink.close()
    assert stored(tmp_path) == everything
    assert appended.duplicates >= len(acknowledged)
    assert appended == Appended(60 - appended.duplicates, appended.duplicates)
    assert len(list((tmp_path / FOLDER).iterdir())) == 1

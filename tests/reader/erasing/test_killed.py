"""`kill -9` of the command at random moments, a hundred times, beside a receiver that takes events all the time."""

from __future__ import annotations

import itertools
import random
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from erased_rows import CONDITION, INPUTS, expected_rows, rows_of, send
from planted_person import INSTANCE
from receiver_process import lines_below

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver

KILLS = 25
SENT_BEFORE = 100
EACH = 10
"""Events that are sent meanwhile, each time."""


@pytest.mark.long
@pytest.mark.parametrize("seed", range(4))
def test_killed_erasures_beside_a_receiver_lose_nothing(
    start_receiver: StartReceiver, tmp_path: Path, seed: int
) -> None:
    receiver = start_receiver(str(tmp_path), "--instance-id", INSTANCE)
    send(receiver.endpoint, range(SENT_BEFORE))
    numbers = itertools.count(SENT_BEFORE)
    command = [sys.executable, "-m", "otel_modeldata_receiver", "erase", INPUTS, str(tmp_path)]
    command += ["--where", CONDITION, "--yes"]
    moments = random.Random(seed)
    interrupted, longest = 0, 0.3
    for _ in range(KILLS):
        more = [next(numbers) for _ in range(EACH)]
        writer = threading.Thread(target=send, args=(receiver.endpoint, more))
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
            writer.start()
            while process.poll() is None and not _is_working(tmp_path, process.pid):
                time.sleep(0.005)
            time.sleep(moments.uniform(0.0, longest))
            has_ended = process.poll() is not None
            process.kill()
        writer.join()
        longest = longest / 2 if has_ended else 1.5 * longest  # machines are fast and slow
        interrupted += (tmp_path / "_erased" / "unfinished").exists()
    print("interrupted", interrupted)
    assert interrupted > 0
    total = next(numbers)
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with reader.open(tmp_path) as store:
        assert rows_of(store) == expected_rows(range(total))
    ids = [line["id"] for line in lines_below(tmp_path)]
    assert len(ids) == len(set(ids)) == sum(number % 50 > 0 for number in range(total))
    assert receiver.logged("vanished") == []
    assert not (tmp_path / "_vanished").exists()
    assert not (tmp_path / "_erased" / "unfinished").exists()


def _is_working(store: Path, pid: int) -> bool:
    """Whether the process holds the lock, and has begun to change something."""
    lock = store / "_maintenance" / "lock"
    holds = lock.exists() and f"process {pid} " in lock.read_text(errors="replace")
    return holds and (store / "_erased" / "unfinished").exists()

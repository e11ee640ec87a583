"""`kill -9` of the command at random steps, a hundred times, beside a receiver that takes events all the time."""

from __future__ import annotations

import itertools
import random
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from erased_rows import CONDITION, INPUTS, expected_rows, rows_of, send
from planted_person import INSTANCE
from receiver_process import lines_below

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from receiver_process import StartReceiver

DYING_COMMAND = Path(__file__).parents[2] / "fixtures" / "dying_command.py"
KILLS = 25
MOST_STEPS = 60
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
    command = ["erase", INPUTS, str(tmp_path), "--where", CONDITION, "--yes"]
    steps = random.Random(seed)
    interrupted = 0
    for _ in range(KILLS):
        more = [next(numbers) for _ in range(EACH)]
        writer = threading.Thread(target=send, args=(receiver.endpoint, more))
        writer.start()
        dying = [sys.executable, str(DYING_COMMAND), str(steps.randrange(MOST_STEPS)), str(tmp_path), *command]
        ended = subprocess.run(dying, capture_output=True, text=True, timeout=300, check=False)
        assert ended.returncode in {0, -signal.SIGKILL}, ended.stderr
        writer.join()
        interrupted += (tmp_path / "_erased" / "unfinished").exists()
    assert interrupted > KILLS / 4
    total = next(numbers)
    whole = [sys.executable, "-m", "otel_modeldata_receiver", *command]
    done = subprocess.run(whole, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    with reader.open(tmp_path) as store:
        assert rows_of(store) == expected_rows(range(total))
    ids = [line["id"] for line in lines_below(tmp_path)]
    assert len(ids) == len(set(ids)) == sum(number % 50 > 0 for number in range(total))
    assert receiver.logged("vanished") == []
    assert not (tmp_path / "_vanished").exists()
    assert not (tmp_path / "_erased" / "unfinished").exists()

"""Sealing that is killed, beside itself and beside a writer."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, line, write

import otel_modeldata_reader as reader

if TYPE_CHECKING:
    from pathlib import Path

HOURS = [f"2026/11/{day:02}/{hour:02}" for day in (20, 21) for hour in range(24)]
SEAL = [sys.executable, "-m", "otel_modeldata_receiver", "seal", "--lateness", "0s", "--json"]


def fill(store: Path) -> None:
    for at, hour in enumerate(HOURS):
        write(store, [line(number=1_000 * at + number) for number in range(20)], hour=hour)


def ages(store: Path) -> list[int]:
    found: list[int] = reader.open(store).read(COLLECTION, sealed=True).to_arrow()["age"].to_pylist()
    return sorted(found)


@pytest.mark.slow
def test_sealing_that_is_killed_leaves_whole_seals_and_goes_on(tmp_path: Path) -> None:
    fill(tmp_path)
    randomly = random.Random(7)
    stop = threading.Event()
    written: list[int] = []

    def keep_writing() -> None:
        path = tmp_path / COLLECTION / HOURS[0] / f"{1:032x}000000.jsonl"
        with path.open("ab", buffering=0) as file:
            while not stop.is_set() and len(written) < 20_000:
                file.write(line(number=1_000_000 + len(written)))
                written.append(1_000_000 + len(written))

    writer = threading.Thread(target=keep_writing)
    writer.start()
    try:
        for _ in range(10):
            process = subprocess.Popen([*SEAL, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            try:
                process.wait(0.25 + randomly.random() * 0.5)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
            process.communicate()
            assert process.returncode in {0, -signal.SIGKILL}
    finally:
        stop.set()
        writer.join()
    done = subprocess.run([*SEAL, str(tmp_path)], capture_output=True, check=True, timeout=60)
    assert done.stderr == b""
    store = reader.open(tmp_path)
    found = store.sealed()
    assert [one.state for one in found] == ["sealed"] * len(HOURS)
    assert sum(one.seal.events for one in found if one.seal is not None) == 20 * len(HOURS) + len(written)
    assert ages(tmp_path) == sorted([*(1_000 * at + n for at in range(len(HOURS)) for n in range(20)), *written])


@pytest.mark.slow
def test_two_runs_at_once_seal_each_hour_once(tmp_path: Path) -> None:
    fill(tmp_path)
    runs = [subprocess.Popen([*SEAL, str(tmp_path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) for _ in range(3)]
    outputs = [run.communicate(timeout=60) for run in runs]
    codes = [run.returncode for run in runs]
    assert 0 in codes
    for code, (_, err) in zip(codes, outputs, strict=True):
        assert code in {0, 3}
        assert (b"got 'seal' of process" in err) == (code == 3), err
    assert sorted(path.name for path in (tmp_path / "_sealed").rglob("*.json")) == ["000001.json"] * len(HOURS)

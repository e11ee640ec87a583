"""A pipeline waits until an hour is complete."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from read_lines import COLLECTION, HOUR, NOON_NS, line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.blobs.store_access import StoreAccess
from otel_modeldata_reader.sealing.waiting import sealed_when_complete

if TYPE_CHECKING:
    from pathlib import Path


def test_an_hour_that_is_complete_is_sealed_at_once(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    (one,) = reader.open(tmp_path).wait_sealed(COLLECTION, "2026-11-22T10:30", lateness=0, timeout=0)
    assert (one.date, one.state, one.is_new, one.is_complete) == (HOUR, "sealed", True, True)


def test_an_hour_without_events_is_complete_when_it_has_ended(tmp_path: Path) -> None:
    write(tmp_path, [line()])
    store = reader.open(tmp_path)
    (one,) = store.wait_sealed(COLLECTION, "2026-11-22T13", timeout=0)
    assert (one.date, one.state, one.is_complete) == ("2026/11/22/13", "empty", True)
    with pytest.raises(reader.UnknownNameError, match="did you mean 'shop/blue/model_inputs'"):
        store.wait_sealed("shop/blue/model_inputz", "2026-11-22T10", timeout=0)
    (one,) = store.wait_sealed(COLLECTION, datetime.now(UTC) + timedelta(hours=1), timeout=0)
    assert (one.state, one.is_complete) == ("open", False)
    parked = tmp_path / "_parked" / COLLECTION / "2026/11/22/13" / f"{1:032x}000000.jsonl"
    parked.parent.mkdir(parents=True)
    parked.write_bytes(line())
    (one,) = store.wait_sealed(COLLECTION, "2026-11-22T13", timeout=0)
    assert (one.state, one.waits_for, one.is_complete) == ("open", "parked", False)


def test_the_wait_ends_when_the_writer_is_quiet_and_the_lock_is_free(tmp_path: Path) -> None:
    blob = write(tmp_path, [line()])
    access = StoreAccess(str(tmp_path))
    held = StoreAccess(str(tmp_path)).locked("compact")
    waits: list[float] = []

    def sleep(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 1:  # written a moment ago until now
            os.utime(blob, (blob.stat().st_mtime - 61,) * 2)
            held.__enter__()
        else:
            held.__exit__(None, None, None)

    start = NOON_NS - 2 * 3_600 * 1_000_000_000
    (one,) = sealed_when_complete(access, COLLECTION, start, lateness=60.0, timeout=600.0, poll=5.0, sleep=sleep)
    assert (one.state, one.is_new, waits) == ("sealed", True, [5.0, 5.0])


def test_an_hour_must_be_named(tmp_path: Path) -> None:
    with pytest.raises(reader.WindowError, match="expected an hour like"):
        reader.open(tmp_path).wait_sealed(COLLECTION, None)

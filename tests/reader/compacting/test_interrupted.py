"""A compaction that dies leaves the old state or the new one, and the next run completes it."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import threading
import time
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import compaction_zygote
import pandas as pd
import pytest
from collected_store import collecting
from compacted_store import lines_of_a_receiver, manifests, snapshot, typed_line
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata import Collector
from otel_modeldata_reader import StoreBusyError
from otel_modeldata_reader.blobs.store_access import StoreAccess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


class KilledError(BaseException):
    """Stands for a signal that ends the process."""


def _dies_at(patch: pytest.MonkeyPatch, step: int) -> Callable[[], bool]:
    """Let everything end before a step that others can see; the function says whether there was such a step."""
    steps = count()
    died = threading.Event()

    def dying(act: Any) -> Any:
        def acted(*arguments: Any) -> Any:
            if next(steps) == step:
                died.set()
                raise KilledError
            return act(*arguments)

        return acted

    patch.setattr(StoreAccess, "put", dying(StoreAccess.put))
    patch.setattr(StoreAccess, "remove", dying(StoreAccess.remove))
    return died.is_set


def _write(store: Path) -> None:
    write(store, [*lines_of_a_receiver(0, 3), line(number=50), typed_line(1, 2)])
    write(store, lines_of_a_receiver(20, 2), replica=1)


def _stored_files(store: Path) -> set[str]:
    return {path.name for path in (store / "_parquet").rglob("*") if path.is_file()}


@pytest.mark.parametrize("has_late_lines", [False, True], ids=["new", "late lines"])
def test_a_run_that_dies_at_any_step_loses_nothing(tmp_path: Path, *, has_late_lines: bool) -> None:
    for step in count():
        store = tmp_path / str(step)
        _write(store)
        if has_late_lines:
            with reader.open(store) as opened:
                opened.compact()
            write(store, lines_of_a_receiver(40, 2), replica=2)
        before = snapshot(store).table.to_pylist()
        with pytest.MonkeyPatch.context() as patch, reader.open(store) as opened:
            has_died = _dies_at(patch, step)
            with contextlib.suppress(KilledError):
                opened.compact(drop_lines=True)
        assert snapshot(store).table.to_pylist() == before
        with reader.open(store) as opened:
            opened.compact(drop_lines=True)
        assert snapshot(store).table.to_pylist() == before
        (manifest,) = manifests(store)
        assert _stored_files(store) == {f"manifest-{manifest.number:06d}.json", *(part.name for part in manifest.parts)}
        assert not list((store / "shop").rglob("*.jsonl"))
        if not has_died():
            break
    assert step > 8


def test_two_compactions_take_turns(tmp_path: Path) -> None:
    _write(tmp_path)
    with (
        StoreAccess(str(tmp_path)).locked("compact"),
        reader.open(tmp_path) as store,
        pytest.raises(StoreBusyError, match="got 'compact' of process"),
    ):
        store.compact()
    with reader.open(tmp_path) as store:
        assert store.compact(dry_run=True)[0].read > 0
        assert store.compact()[0].events == 6


@pytest.fixture(scope="module")
def zygote() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(Path(compaction_zygote.__file__))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def _run(zygote: subprocess.Popen[str], store: Path, killed_after: float = -1.0) -> int:
    """The exit code of a compaction in another process."""
    assert zygote.stdin is not None
    assert zygote.stdout is not None
    zygote.stdin.write(f"{killed_after} {store}\n")
    zygote.stdin.flush()
    return int(zygote.stdout.readline())


def _kill_beside_a_writer(
    store: Path, zygote: subprocess.Popen[str], kills: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kill compactions that remove the lines of a folder to which a receiver writes meanwhile."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "azureml.endpoint.name=shop,azureml.deployment.name=blue")
    numbers, is_over = count(), threading.Event()
    with collecting(store) as flush:
        collector = Collector(name="model_inputs")

        def collect() -> None:
            while not is_over.is_set():
                number = next(numbers)
                kind: Any = number if number % 7 else str(number)  # two types of the column
                collector.collect(pd.DataFrame({"n": [kind, kind], "row": [0, 1], "text": ["x" * 200] * 2}))
                is_over.wait(0.002)

        writer = threading.Thread(target=collect)
        writer.start()
        try:
            while not list((store / "shop").rglob("*.jsonl")):
                is_over.wait(0.01)
            assert _run(zygote, store) == 0  # imports what the next ones have already
            began = time.monotonic()
            assert _run(zygote, store) == 0
            usual = time.monotonic() - began
            codes = [_run(zygote, store, random.uniform(0, 1.3 * usual)) for _ in range(kills)]
        finally:
            is_over.set()
            writer.join()
        flush()
    assert -signal.SIGKILL in codes
    expected = sorted(str(number) for number in range(next(numbers)) for _ in range(2))
    found = snapshot(store)
    assert sorted(map(str, found.table["n"].to_pylist())) == expected
    assert found.report.duplicates == found.report.foreign == found.report.distrusted == 0
    assert _run(zygote, store) == 0
    again = snapshot(store)
    assert sorted(map(str, again.table["n"].to_pylist())) == expected
    assert not list((store / "shop").rglob("*.jsonl"))
    assert not list(store.glob("_vanished/*"))


@pytest.mark.slow
def test_killed_runs_beside_a_receiver_lose_no_row_and_repeat_none(
    tmp_path: Path, zygote: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill_beside_a_writer(tmp_path, zygote, 5, monkeypatch)


@pytest.mark.long
def test_fifty_killed_runs_beside_a_receiver_lose_no_row_and_repeat_none(
    tmp_path: Path, zygote: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _kill_beside_a_writer(tmp_path, zygote, 50, monkeypatch)

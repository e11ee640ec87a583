"""Processes find what one process finds."""

from __future__ import annotations

import asyncio
import os
from contextlib import aclosing
from typing import TYPE_CHECKING

import pytest
from audited_lines import BLOB, line

from otel_modeldata_reader.auditing.audit import Selection, audit
from otel_modeldata_reader.auditing.summaries import workers
from otel_modeldata_reader.auditing.summaries.segments import Segment, whole
from otel_modeldata_reader.auditing.summaries.workers import BySize, InProcess, Processes, Task
from otel_modeldata_receiver.exceptions import StoreError
from otel_modeldata_receiver.storage.local import LocalStore

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from pathlib import Path

    from otel_modeldata_reader.auditing.audit import Audit
    from otel_modeldata_reader.auditing.summaries.workers import Workers

pytestmark = pytest.mark.slow


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """Two deployments of some lines, of which one is torn and one is twice."""
    for tenant in ("credit/blue", "credit/green"):
        path = tmp_path / BLOB.replace("credit/blue", tenant)
        path.parent.mkdir(parents=True)
        source = f"/endpoints/{tenant.replace('/', '/deployments/')}"
        lines = [line(number, source=source) for number in (0, 1, 3, 3)]
        path.write_bytes(b"\n".join([*lines, b"torn", b""]))
    return tmp_path


def audited(folder: Path, chosen: Workers) -> Audit:
    async def run() -> Audit:
        opened = LocalStore(folder)
        try:
            return await audit(opened, Selection(), [], lambda *_: None, workers=chosen)
        finally:
            await opened.close()

    return asyncio.run(run())


def test_processes_find_what_one_process_finds(store: Path) -> None:
    ours, theirs = (audited(store, one) for one in (InProcess(LocalStore(store)), Processes(str(store), 2)))
    assert theirs.reconciliations == ours.reconciliations
    assert [one.gaps for one in ours.reconciliations] == [[(2, 2)], [(2, 2)]]
    for kind in ("unreadable", "misplaced", "content_range", "duplicated"):
        assert getattr(theirs.ledger, kind) == getattr(ours.ledger, kind), kind
    assert (ours.ledger.unreadable.count, ours.ledger.duplicated.count) == (2, 2)


async def _first(chosen: Workers, segment: Segment) -> int:
    async with aclosing(chosen.summarized([Task(7, segment)], lambda _: None)) as found:
        async for part, _ in found:
            return part
    return -1


def test_an_error_of_a_process_is_that_of_the_store(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("otel_modeldata_reader.auditing.summaries.blob_blocks.RETRY_SECONDS", 0.0)
    gone = Segment((whole("credit/blue/model_inputs/2026/11/22/12/gone.jsonl", 10),))
    with pytest.raises(StoreError, match=r"expected to read .*gone.jsonl"):
        asyncio.run(_first(Processes(str(store), 1), gone))


def test_a_process_that_is_killed_is_an_error_in_one_sentence(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "_summarize", _killed)
    with pytest.raises(StoreError, match="expected 1 processes to read the store, got one that was ended"):
        asyncio.run(_first(Processes(str(store), 1), Segment((whole(BLOB, 10),))))


def _killed(*_: object) -> bytes:
    os._exit(9)


class _Named:
    def __init__(self, part: int) -> None:
        self._part = part

    async def summarized(self, _tasks: Sequence[Task], _progress: object) -> AsyncGenerator[tuple[int, None], None]:
        yield self._part, None


@pytest.mark.parametrize(("size", "part"), [(10, 1), (300 << 20, 2)])
def test_a_large_store_is_read_by_several_processes(size: int, part: int) -> None:
    chosen = BySize(_Named(1), _Named(2))  # type: ignore[arg-type]
    assert asyncio.run(_first(chosen, Segment((whole(BLOB, size),)))) == part

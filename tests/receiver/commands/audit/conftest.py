"""Fixtures of the tests of `otel-modeldata audit`."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from audited_store import raw_event, send
from receiver_process import ReceiverProcess

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def written_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a real receiver wrote, once for all tests."""
    folder = tmp_path_factory.mktemp("audited")
    log, store = folder / "receiver.log", folder / "store"
    receiver = ReceiverProcess(store=str(store), flags=(), variables={}, log=log)
    receiver.start()
    try:
        for hour, numbers in ((10, range(8)), (11, range(8, 14)), (12, range(14, 20))):
            inputs = [raw_event(n, "no rows" if n == 7 else '[{"age":42}]', hour=hour) for n in numbers]
            send(receiver.endpoint, *inputs, *(raw_event(n, collection="model_outputs", hour=hour) for n in numbers))
        receiver.stop()
    finally:
        receiver.kill()
    return store


@pytest.fixture
def store(tmp_path: Path, written_store: Path) -> Path:
    """20 inputs and 20 outputs of the hours 10, 11 and 12, with number 7 of the inputs in quarantine."""
    return shutil.copytree(written_store, tmp_path / "store")

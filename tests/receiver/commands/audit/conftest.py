"""Fixtures of the tests of `otel-modeldata audit`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from audited_store import (
    raw_event,
    send,
)

if TYPE_CHECKING:
    from pathlib import Path

    from receiver_process import StartReceiver


@pytest.fixture
def store(tmp_path: Path, start_receiver: StartReceiver) -> Path:
    """20 inputs and 20 outputs of the hours 10, 11 and 12, with number 7 of the inputs in quarantine."""
    folder = tmp_path / "store"
    receiver = start_receiver(str(folder))
    for hour, numbers in ((10, range(8)), (11, range(8, 14)), (12, range(14, 20))):
        inputs = [raw_event(n, "no rows" if n == 7 else '[{"age":42}]', hour=hour) for n in numbers]
        send(receiver.endpoint, *inputs, *(raw_event(n, collection="model_outputs", hour=hour) for n in numbers))
    receiver.stop()
    return folder

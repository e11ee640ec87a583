"""The sender does not depend on gRPC; `test_worker.py` tests its behavior with the whole worker."""

from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize("module", ["retry_sender", "worker", "delivery_queue", "batch_source", "loss_reporter"])
def test_the_sending_side_does_not_load_grpc(module: str) -> None:
    code = f"import otel_modeldata._delivery.{module}, sys; print('grpc' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"

"""azureml-ai-monitoring through restarts of the receiver, while another process holds its socket."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

from receiver_process import lines_below

if TYPE_CHECKING:
    from pathlib import Path

EVENTS = 1000
RESTARTS = 3
PROGRAM = f"""
import threading
import pandas as pd
from azureml.ai.monitoring import Collector
full = []
collector = Collector(name="model_inputs", on_error=full.append)
for number in range({EVENTS}):
    while True:
        full.clear()
        collector.collect(pd.DataFrame({{"number": [number]}}))
        if not full:
            break
        threading.Event().wait(0.01)  # its queue holds 100 events
import importlib
importlib.import_module("azureml.ai.monitoring.init").teardown(wait_for_flush=True)
"""
ACTIVATE = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.executable, [sys.executable, "-m", "otel_modeldata_receiver", *sys.argv[2:]])
"""
"""What a service manager does before it starts a service with a socket (sd_listen_fds)."""


def stop(receiver: subprocess.Popen[str]) -> None:
    """As a rollout does."""
    receiver.terminate()
    with receiver:
        assert receiver.wait(timeout=60) == 0


def test_no_event_is_refused_while_the_receiver_restarts(tmp_path: Path) -> None:
    store = tmp_path / "store"
    with socket.create_server(("127.0.0.1", 0), backlog=1024) as held:
        port = held.getsockname()[1]

        def start() -> subprocess.Popen[str]:
            receive = ["receive", "--json", "--listen", "127.0.0.1:0", "--old-protocol-listen", f"127.0.0.1:{port}"]
            process = subprocess.Popen(
                [sys.executable, "-c", ACTIVATE, str(held.fileno()), *receive, "--store", str(store)],
                pass_fds=[held.fileno()],
                stdout=subprocess.PIPE,
                text=True,
            )
            assert process.stdout is not None
            assert json.loads(process.stdout.readline())["old_protocol_listen"] == f"127.0.0.1:{port}"
            return process

        receiver = start()
        variables = {"AZUREML_MDC_ENABLED": "true", "AZUREML_MDC_PORT": str(port)}
        scoring = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], env=os.environ | variables, stdout=subprocess.PIPE, text=True
        )
        for _ in range(RESTARTS):
            before = len(lines_below(store))
            while scoring.poll() is None and len(lines_below(store)) < before + EVENTS // (RESTARTS + 1) - 1:
                os.sched_yield()
            stop(receiver)
            receiver = start()
        output, _ = scoring.communicate(timeout=120)
        stop(receiver)
    assert scoring.returncode == 0
    assert "failed" not in output
    numbers = [row["number"] for line in lines_below(store) for row in line["data"]]
    assert sorted(numbers) == list(range(EVENTS))

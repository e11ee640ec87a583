"""Runs the demo: receive, train, serve, score, flush, shut down, stop, and read the store.

The receiver is the real one, on its own thread, event loop and a free loopback port; the collectors send to it over
gRPC. The environment of the process is changed only while the application runs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ...server import Server
from . import app, verification

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from ...config.receiver import ReceiverConfig

_ENDPOINT: Final = "breast-cancer"
_DEPLOYMENT: Final = "blue"
_DEPLOYMENT_YAML: Final = f"""\
name: {_DEPLOYMENT}
endpoint_name: {_ENDPOINT}
data_collector:
  collections:
    model_inputs:
      enabled: 'True'
    model_outputs:
      enabled: 'True'
"""


def run(config: ReceiverConfig, requests: int, *, show_progress: bool) -> verification.Verification:
    """Score `requests` rows and read the store.

    Args:
        config: settings of the receiver: a free loopback port, the store, an instance id that no other run has.
        requests: how many rows to score.
        show_progress: whether to show a progress bar on stderr.

    Raises:
        ModelDataError: a setting of the environment is wrong for the collectors.
        ReceiverError: the store cannot be used.
    """
    started = time.time_ns()
    with tempfile.TemporaryDirectory(prefix="otel-modeldata-demo-") as folder, _receiving(config) as port:
        scoring = _score(Path(folder), port, requests, show_progress=show_progress)
    period_ns = (started, time.time_ns())
    stored = asyncio.run(verification.read_blobs(config, _ENDPOINT, _DEPLOYMENT, period_ns))
    return verification.Verification(scoring=scoring, stored=stored, seconds=(time.time_ns() - started) / 1e9)


def _score(folder: Path, port: int, requests: int, *, show_progress: bool) -> app.Scoring:
    """Score, with collectors that send to the receiver at `port`."""
    deployment = folder / "deployment.yml"
    deployment.write_text(_DEPLOYMENT_YAML)
    variables = {
        "AZUREML_MODEL_DIR": str(folder),
        "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": f"http://127.0.0.1:{port}",
        "OTEL_MODELDATA_CONFIG": str(deployment),
        "OTEL_SDK_DISABLED": "false",  # the demo shows the request spans
        "OTEL_SERVICE_NAME": _ENDPOINT,
    }
    with _environment(variables):
        return app.score(folder, requests, show_progress=show_progress)


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    """Set these variables; restore the environment of the process afterwards."""
    before = dict(os.environ)
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@contextlib.contextmanager
def _receiving(config: ReceiverConfig) -> Iterator[int]:
    """Run a receiver on its own thread and event loop; return its port. Stopping it waits for pending lines."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="otel-modeldata-demo-receiver", daemon=True)
    thread.start()
    try:
        server = asyncio.run_coroutine_threadsafe(_started(config), loop).result()
        try:
            yield server.port
        finally:
            asyncio.run_coroutine_threadsafe(server.stop(), loop).result()
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _started(config: ReceiverConfig) -> Server:
    server = Server(config)
    await server.start()
    return server

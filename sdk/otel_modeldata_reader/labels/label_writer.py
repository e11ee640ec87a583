"""`LabelWriter`: collects labels into a store, in a process of its own.

The SDK's delivery is one for a process, with one destination and one deployment. A notebook may have a store open to
read and collect into another one, so labels get a process: its environment is that of this one, with the store and the
deployment of the labels. `delivery_process.py` is the program. It starts with the first label, which takes about two
seconds, and ends with the writer or with this process.
"""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import threading
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple
from urllib.parse import quote

import msgspec

from otel_modeldata import semconv

from ..exceptions import LabelError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from types import TracebackType

    import pandas as pd

    from otel_modeldata_receiver.config.store_access import AccessConfig

__all__ = ["GROUND_TRUTH", "LabelWriter"]

GROUND_TRUTH: Final = "ground_truth"
"""The collection of labels."""
MOST_ROWS: Final = 5000
"""Labels in one event."""
_MOST_FRAMES: Final = 200
"""Events that are delivered together; far fewer than a queue takes."""
LENGTH_BYTES: Final = 8
"""Of the length in front of each frame."""
_PROGRAM: Final = "from otel_modeldata_reader.labels.delivery_process import main; main()"
_REPLACED: Final = (
    "OTEL_MODELDATA_CONFIG",  # names another deployment, and may switch the collection off
    "OTEL_MODELDATA_SPOOL",  # the spool of a service is sent by that service
    "OTEL_SERVICE_NAME",
    "OTEL_RESOURCE_ATTRIBUTES",
    "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS",
)
_STORE_CONFIG: Final = "OTEL_MODELDATA_STORE_CONFIG"
_END_SECONDS: Final = 30.0


class LabelWriter:
    """Writes labels of the rows of one deployment; threads may share it.

    Args:
        store: its URL or folder, as for the receiver's `--store`.
        deployment: `endpoint/deployment`: labels are in its collection `ground_truth`.
        access: how an account in Azure is opened; by default by what the environment has, else the identity of the
            machine.
        timeout: how many seconds `write` waits for the store.

    Raises:
        LabelError: `deployment` is none.
    """

    def __init__(
        self, store: str, deployment: str, *, access: AccessConfig | None = None, timeout: float = 30.0
    ) -> None:
        names = deployment.split("/")
        if len(names) != 2 or not all(map(semconv.is_name, names)):
            raise LabelError(f"expected endpoint/deployment, got {deployment!r}: the labels are stored below it")
        self._deployment = deployment
        self._environment = _environment(store, *names)
        self._access = _settings(access)
        self._timeout = timeout
        self._lock = threading.Lock()
        self._delivery: _Delivery | None = None

    def __repr__(self) -> str:
        return f"LabelWriter({self._deployment!r})"

    def __enter__(self) -> LabelWriter:  # noqa: PYI034 (`Self` is not in Python 3.10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def write(self, *frames: pd.DataFrame) -> int:
        """Collect labels; they are in the store when it returns.

        Args:
            frames: one label a row, as `label_frames` makes them. They are delivered together.

        Returns:
            The number of labels.

        Raises:
            LabelError: some of them are not in the store; the message says why.
        """
        with self._lock:
            try:
                for some in _messages(frames):
                    content = _encoded(some)
                    if self._delivery is None:
                        self._delivery = _Delivery.start(self._environment, self._access, self._timeout)
                    self._delivery.write(content)
            except BaseException:  # an interrupted wait, too: its answer would be taken for the next one
                self._end()
                raise
        return sum(map(len, frames))

    def close(self) -> None:
        """End the process; a later `write` starts another one."""
        with self._lock:
            self._end()

    def _end(self) -> None:
        delivery, self._delivery = self._delivery, None
        if delivery is not None:
            delivery.end()


class _Delivery(NamedTuple):
    """The process, its two pipes, and the folder of its settings, if it has some."""

    process: subprocess.Popen[bytes]
    frames: IO[bytes]
    answers: IO[bytes]
    folder: tempfile.TemporaryDirectory[str] | None

    @classmethod
    def start(cls, environment: Mapping[str, str], settings: str, timeout: float) -> _Delivery:
        """Start the process; raises LabelError if it cannot collect into the store."""
        folder = None
        if settings:
            folder = tempfile.TemporaryDirectory(prefix="otel-modeldata-")
            file = Path(folder.name, "access.yaml")
            file.write_text(settings, "utf-8")
            environment = {**environment, _STORE_CONFIG: str(file)}
        process = subprocess.Popen(  # noqa: S603 - this interpreter
            [sys.executable, "-c", _PROGRAM, str(timeout)],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101
        started = cls(process, process.stdin, process.stdout, folder)
        try:
            started.wait()
        except LabelError:
            started.end()
            raise
        return started

    def write(self, content: bytes) -> None:
        """Send a frame, and wait until it is delivered; raises LabelError if it is not."""
        with contextlib.suppress(OSError):  # if the process has ended, there is no answer
            self.frames.write(len(content).to_bytes(LENGTH_BYTES, "big") + content)
            self.frames.flush()
        self.wait()

    def wait(self) -> None:
        """Wait for an answer; raises LabelError if it is an error."""
        line = self.answers.readline()
        answer: dict[str, Any] = json.loads(line) if line.endswith(b"\n") else {}
        if not answer.get("done"):
            raise LabelError(
                answer.get("error")
                or "expected an answer of the process that writes labels, got its end: its output has the reason"
            )

    def end(self) -> None:
        """End the process."""
        with contextlib.suppress(OSError):
            self.frames.close()
        try:
            self.process.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.answers.close()
        if self.folder is not None:
            self.folder.cleanup()


def _messages(frames: Sequence[pd.DataFrame]) -> Iterator[list[pd.DataFrame]]:
    """The frames, those of a message with at most `MOST_ROWS` rows."""
    some: list[pd.DataFrame] = []
    left = MOST_ROWS
    for frame in frames:
        start = 0
        while start < len(frame):
            part = frame.iloc[start : start + left]
            some.append(part)
            start, left = start + len(part), left - len(part)
            if not left or len(some) == _MOST_FRAMES:
                yield some
                some, left = [], MOST_ROWS
    if some:
        yield some


def _settings(access: AccessConfig | None) -> str:
    """Settings of a receiver, in JSON, which is YAML; they name files and have no secret."""
    if access is None:
        return ""
    return json.dumps({"store_access": {name: msgspec.to_builtins(getattr(access, name)) for name in access.chosen}})


def _encoded(frames: list[pd.DataFrame]) -> bytes:
    try:
        return pickle.dumps(frames)
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise LabelError(f"expected values that can be collected, got one that {error}") from None


def _environment(store: str, endpoint: str, deployment: str) -> dict[str, str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in _REPLACED and not name.startswith("AZUREML_MDC_")
    }
    names = {semconv.AZUREML_ENDPOINT_NAME: endpoint, semconv.AZUREML_DEPLOYMENT_NAME: deployment}
    return kept | {
        "OTEL_MODELDATA_STORE": store,
        "OTEL_RESOURCE_ATTRIBUTES": ",".join(f"{key}={quote(name)}" for key, name in names.items()),
    }

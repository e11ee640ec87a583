"""The program of the process that writes labels: collects frames, and answers when they are delivered.

Lists of frames come from its standard input, each a pickle behind its length: only its parent process has that pipe. It
writes a line of JSON for its start and for each list, `{"done": true}` or `{"error": "..."}`, and ends with its input.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import sys
from typing import TYPE_CHECKING, Any

import otel_modeldata
from otel_modeldata.exceptions import ModelDataError

from .label_writer import GROUND_TRUTH, LENGTH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from otel_modeldata.report import DeliveryReport

__all__ = ["main"]


def main() -> None:
    """Run until the input ends; the first argument is how many seconds a delivery may take."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that has the labels: it ends this one
    timeout = float(sys.argv[1])
    # What else this process prints does not come between the answers.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    sys.stdout = sys.stderr
    for answer in _answers(sys.stdin.buffer, timeout):
        answers.write(json.dumps(answer) + "\n")
        answers.flush()
    otel_modeldata.shutdown(timeout)


def _answers(frames: BinaryIO, timeout: float) -> Iterator[dict[str, Any]]:
    try:
        collector = otel_modeldata.Collector(name=GROUND_TRUTH)
    except ModelDataError as error:
        yield {"error": str(error)}
        return
    yield {"done": True}
    while len(head := frames.read(LENGTH_BYTES)) == LENGTH_BYTES:
        content = frames.read(int.from_bytes(head, "big"))
        try:
            for frame in pickle.loads(content):  # noqa: S301 - of its parent process
                collector.collect(frame)
        except ModelDataError as error:
            otel_modeldata.flush(timeout)
            yield {"error": str(error)}
        else:
            yield _settled(otel_modeldata.flush(timeout), timeout)


def _settled(report: DeliveryReport, timeout: float) -> dict[str, Any]:
    if report.pending or report.lost:
        state = ", ".join(f"{count} event(s) {reason}" for reason, count in report.lost.items())
        missing = state or f"none within {timeout:g} s"
        return {"error": f"expected an answer of the store for each label, got {missing}: write them again"}
    return {"done": True}

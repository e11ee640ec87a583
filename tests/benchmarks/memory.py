"""Cases of memory: the sink is paused while the application collects, then it continues.

On our side the receiver's process is stopped (SIGSTOP); on the peer's side the sink accepts no requests. Afterwards
both continue, and every accepted event must arrive.
"""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import official
from case import Case, Effort, Run, Sides, Target, in_turn
from workload_arrivals import of_workload

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SETTING_MIB: Final = 128
"""The SDK's default limit of its queue."""


def _stalled(rows: int, per_second: float) -> Callable[[Effort], Sides]:
    def run(effort: Effort) -> Sides:
        settings = {"rows": rows, "per_second": per_second, "seconds": effort.seconds(effort.minutes * 60)}
        return in_turn(
            1,
            {"ours": lambda: _ours(settings), "official": lambda: _official(settings)},
        )

    return run


def _ours(settings: dict[str, Any]) -> Run:
    with official.receiver() as one:
        environ = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{one.endpoint}"}
        with _process(settings | {"sender": "ours"}, environ) as ask:
            ask()
            assert one._process is not None
            one._process.send_signal(signal.SIGSTOP)
            try:
                figures = ask()
            finally:
                one._process.send_signal(signal.SIGCONT)
            sent = ask()["sent"]
        assert one.stop() == 0
        official.check(Path(one.store), round(sent), _shape(settings))
    figures["growth_of_setting"] = figures["growth_mib"] / SETTING_MIB
    return figures


def _official(settings: dict[str, Any]) -> Run:
    with official.CountingSink(of_workload(_shape(settings), official.OFFICIAL_PLACES)) as sink:
        variables = {key: value for key, value in sink.variables.items() if "CAPACITY" not in key}
        with _process(settings | {"sender": "official"}, variables) as ask:
            ask()
            sink.open.clear()
            figures = ask()
            sink.open.set()
            sent = ask()["sent"]
        sink.check(round(sent))
        return figures


def _shape(settings: dict[str, Any]) -> dict[str, Any]:
    """One frame, again and again."""
    return {"rows": settings["rows"], "samples": 1}


@contextmanager
def _process(settings: dict[str, Any], environ: dict[str, str]) -> Iterator[Callable[[], Run]]:
    """A collecting process that runs one step per request and answers."""
    command = [sys.executable, str(official.HERE / "stall.py"), json.dumps(settings)]
    process = subprocess.Popen(
        command, env=official.clean() | environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def ask() -> Run:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write("\n")
        process.stdin.flush()
        # The official SDK logs to standard output, too.
        answer: Run = json.loads(next(line for line in process.stdout if line.startswith("{")))
        return answer

    with process:
        try:
            yield ask
        except BaseException:
            process.kill()
            raise


CASES: Final[dict[str, Case]] = {
    "memory-small": Case(
        about="frames of 1x23 at full speed while the sink is paused",
        run=_stalled(1, 1e6),
        targets={"growth_of_setting": [Target(most=1.1, absolute=True)]},
    ),
    "memory-large": Case(
        about="the same with frames of 1000x23 at 50/s",
        run=_stalled(1000, 50),
        targets={"growth_of_setting": [Target(most=1.1, absolute=True)]},
    ),
}

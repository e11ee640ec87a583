"""Cases `frames-*`: `collect` on frames as people have them, by this SDK and by azureml-ai-monitoring, in turn.

Each SDK has a process of its own, which collects when it is asked: a call of ours, a pause, a call of the other, a
pause. So a slow moment of the machine affects both, neither takes the other's interpreter lock, and both are cold. What
arrives is compared with the values that the frames were made of. A figure is named `KIND x ROWS FIGURE`:

- `p50_us`, `p99_us`: time of the call, with a frame that was made just before, as in a server;
- `waited_p50_us`: the same with a frame that was made before the pause, so that its memory is cold, too;
- `cpu_us`: CPU time of the calling thread, the median, with a frame that was made just before;
- `all_cpu_us`: CPU time of the process per event, with encoding and delivery;
- `calls`: how many there were in all rounds. Of less than a hundred, p99 is nearly the slowest one.
"""

from __future__ import annotations

import json
import math
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import official
from arrivals import Arrivals, add_store
from case import Case, Effort, Run, Sides, Target
from frames_table import table
from pandas_environments import interpreter
from realistic_frames import KINDS, VARIANTS, Sample, sample

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_ROWS: Final = (1, 32, 1000)
_CELLS: Final = {"500 columns": 506, "embeddings": 768, "prompts": 80}
"""Of a row, others have about 23; a prompt takes as long as so many."""
_CELL_SECONDS: Final = 0.9e-6
"""A pause for each cell: three times what azureml-ai-monitoring needs to encode and send it."""
_PAUSE_SECONDS: Final = 0.0025
"""The shortest pause: each SDK collects 200 frames in a second."""
_ROUND_SECONDS: Final = 0.7
"""How long frames of one kind and size are collected in a round."""
_CALLS: Final = (12, 100)
"""Least and most calls of a round."""
_P99_CALLS: Final = 150
"""Least calls of a round of frames that have a target for p99: of both rounds, three calls are above it."""
_FIRST_SECONDS: Final = 0.8
"""How long frames of many rows are collected before the first round. Until it has delivered some, a process gets new
memory from the system for each, and keeps it."""
_LARGE_CELLS: Final = 50_000
_ANSWER_SECONDS: Final = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """Where the frames are collected.

    Attributes:
        about: its name in the list of cases.
        pandas: the version to install; this environment's when empty.
        has_arrow: whether pandas finds pyarrow.
    """

    about: str
    pandas: str = ""
    has_arrow: bool = True

    def command(self, side: str) -> list[str]:
        """The process of one SDK."""
        python = interpreter(self.pandas) if self.pandas else Path(sys.executable)
        flags = [] if self.has_arrow else ["--no-arrow"]
        return [str(python), str(official.HERE / "collect_on_request.py"), side, *flags]


@dataclass(frozen=True, slots=True)
class Frames:
    """Frames of one kind and size."""

    kind: str
    rows: int

    @property
    def name(self) -> str:
        return f"{self.kind} x {self.rows}"

    @property
    def collection(self) -> str:
        return f"{self.kind}_{self.rows}".replace(" ", "_").lower()

    @property
    def cells(self) -> int:
        return self.rows * _CELLS.get(self.kind, 23)

    @property
    def is_large(self) -> bool:
        """Whether a frame is delivered before the next one is collected."""
        return self.cells > _LARGE_CELLS

    @property
    def pause_seconds(self) -> float:
        return _PAUSE_SECONDS if self.is_large else max(_PAUSE_SECONDS, self.cells * _CELL_SECONDS / 2)

    def calls(self, effort: Effort) -> int:
        """How many frames each SDK collects in a round."""
        least, most = _CALLS
        usual = min(most, max(least, round(_ROUND_SECONDS / (self.cells * _CELL_SECONDS))))
        if f"{self.name} p99_us" in _targets():
            usual = max(usual, _P99_CALLS)
        return effort.of(usual * 5 if effort.full else usual, 2)

    def first_calls(self, effort: Effort) -> int:
        """How many frames each SDK collects before the first round."""
        if self.rows < _ROWS[-1] or self.is_large or effort.tiny:
            return 0
        return math.ceil(_FIRST_SECONDS / (4 * self.pause_seconds))


class _Process:
    """One SDK, which collects when it is asked."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def ask(self, *request: object) -> dict[str, Any]:
        """The answer to one request."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        for line in self._process.stdout:
            if line.startswith("{"):  # azureml-ai-monitoring logs to standard output, too
                answer: dict[str, Any] = json.loads(line)
                return answer
        raise AssertionError(f"expected an answer to {request}, got the end of the process; its error is above")


def _frames(effort: Effort, *, environment: Environment) -> Sides:
    """All kinds of frames with each number of rows, in rounds."""
    wanted = [
        Frames(kind, rows)
        for kind in KINDS
        if (environment.has_arrow or kind != "Arrow text") and any(part in kind for part in effort.only or ("",))
        for rows in (_ROWS[:2] if effort.tiny else _ROWS)
    ]
    by_collection = {frames.collection: frames for frames in wanted}
    arrived, arrived_official = _arrivals(by_collection), _arrivals(by_collection, places=official.OFFICIAL_PLACES)
    sides: Sides = {"ours": [], "official": [], "memcpy": []}
    with ExitStack() as stack:
        receiver = stack.enter_context(official.receiver())
        sink = stack.enter_context(official.CountingSink(arrived_official))
        variables = sink.variables | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://{receiver.endpoint}"}
        pair = _Pair(
            ours=stack.enter_context(_process(environment.command("ours"), variables)),
            official=stack.enter_context(_process(environment.command("official"), variables)),
            sink=sink,
        )
        _progress(str(pair.versions()))
        for number in range(effort.repeat):
            for frames in wanted:
                if frames.rows == _ROWS[0]:
                    _progress(f"round {number + 1} of {effort.repeat}: {frames.kind}")
                pair.round(frames, frames.calls(effort), frames.first_calls(effort) if number == 0 else 0)
        for name, calls in pair.calls.items():
            for side, one in calls.items():
                figures = one.figures if one.process else {"p50_us": _percentile(one.walls, 50)}
                sides[side].append({f"{name} {figure}": value for figure, value in figures.items()})
        sides = {side: [dict(item for run in runs for item in run.items())] for side, runs in sides.items()}
        assert receiver.stop() == 0
        add_store(arrived, Path(receiver.store))
        sent = pair.sent
        sink.check(sum(sent.values()))
    assert arrived.counts == sent, (arrived.counts, sent)
    assert arrived_official.counts == sent, (arrived_official.counts, sent)
    _progress(f"{sum(sent.values()):,} frames arrived on each side, with their values")
    return sides if any(sides["memcpy"]) else {side: runs for side, runs in sides.items() if side != "memcpy"}


def _arrivals(by_collection: dict[str, Frames], places: int | None = None) -> Arrivals:
    @cache
    def made(collection: str, variant: int) -> Sample:
        return sample(by_collection[collection].kind, by_collection[collection].rows, variant)

    def rows(collection: str, number: int) -> list[dict[str, Any]]:
        return made(collection, number % VARIANTS).rows(official=places is not None)

    return Arrivals(rows, lambda _, number: number % VARIANTS, places)


@contextmanager
def _process(command: Sequence[str], variables: dict[str, str]) -> Iterator[_Process]:
    sources = {"PYTHONPATH": str(official.HERE.parents[1] / "sdk")}
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(
            command,
            env=official.clean() | variables | sources,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as process,
    ):
        try:
            yield _Process(process)
        except BaseException:
            process.kill()
            errors.seek(0)
            sys.stderr.write(errors.read()[-4000:])
            raise
        assert process.stdin is not None
        process.stdin.close()


@dataclass(slots=True)
class _Calls:
    """The calls of one side with frames of one kind and size, of all rounds.

    Attributes:
        walls: seconds of each call, with a frame that was made just before.
        waited: the same, with a frame that was made before the pause.
        threads: CPU seconds of each of the first.
        process: CPU seconds of the process for all of them.
    """

    walls: list[float] = field(default_factory=list)
    waited: list[float] = field(default_factory=list)
    threads: list[float] = field(default_factory=list)
    process: float = 0.0

    @property
    def figures(self) -> Run:
        """All figures."""
        return {
            "p50_us": _percentile(self.walls, 50),
            "p99_us": _percentile(self.walls, 99),
            "waited_p50_us": _percentile(self.waited, 50),
            "cpu_us": _percentile(self.threads, 50),
            "all_cpu_us": self.process / (len(self.walls) + len(self.waited)) * 1e6,
            "calls": len(self.walls),
        }


class _Pair:
    """Both SDKs; `sent` counts the frames of each collection, `calls` has those of each kind by side."""

    def __init__(self, *, ours: _Process, official: _Process, sink: official.CountingSink) -> None:
        self._sides = {"ours": ours, "official": official}
        self._sink = sink
        self.sent: dict[str, int] = {}
        self.calls: defaultdict[str, defaultdict[str, _Calls]] = defaultdict(lambda: defaultdict(_Calls))

    def versions(self) -> dict[str, str]:
        """What both sides make their frames with."""
        ours, others = (process.ask("versions") for process in self._sides.values())
        assert ours == others
        return ours

    def round(self, frames: Frames, count: int, first_count: int) -> None:
        """So many calls of each SDK, in turn, after others that are not measured."""
        for process in self._sides.values():
            first = process.ask("prepare", frames.collection, frames.kind, frames.rows)["collected"]
        self.sent[frames.collection] = self.sent.get(frames.collection, 0) + first
        self._collect(frames, first_count, defaultdict(_Calls))
        before, calls = self._flush(), self.calls[frames.name]
        self._collect(frames, count, calls)
        for side, cpu in self._flush().items():
            calls[side].process += cpu - before[side]
        if frames.name == _COPIED:
            calls["memcpy"].walls += [self._sides["ours"].ask("copy", frames.cells)["wall"] for _ in range(count)]

    def _collect(self, frames: Frames, count: int, calls: defaultdict[str, _Calls]) -> None:
        """So many calls with a frame that is new, and with one that waited; adds their times to `calls`."""
        for _ in range(count):
            for side, process in self._sides.items():
                time.sleep(frames.pause_seconds)
                answer = process.ask("collect")
                calls[side].walls.append(answer["wall"])
                calls[side].threads.append(answer["cpu"])
            self._sent(frames)
            for side, process in self._sides.items():
                process.ask("make")
                time.sleep(frames.pause_seconds)
                calls[side].waited.append(process.ask("collect")["wall"])
            self._sent(frames)

    def _sent(self, frames: Frames) -> None:
        """Count a frame; a large one is delivered before the next one is collected."""
        self.sent[frames.collection] += 1
        if frames.is_large:
            self._flush()

    def _flush(self) -> dict[str, float]:
        """Wait until everything has arrived; the CPU time of each process so far."""
        cpu = {side: process.ask("flush")["cpu"] for side, process in self._sides.items()}
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self._sink.count < sum(self.sent.values()):
            assert time.monotonic() < deadline, (self._sink.count, self.sent)
            time.sleep(0.002)
        return cpu | {"official": self._sides["official"].ask("flush")["cpu"]}


def _percentile(seconds: list[float], percent: float) -> float:
    return float(np.percentile(seconds, percent)) * 1e6


def _progress(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)


_COPIED: Final = "embeddings x 1000"
"""The peer copies nothing here, and 6 MB must be copied: beside it is the time of one memcpy."""


def _targets() -> dict[str, list[Target]]:
    most = {f"{kind} x {rows} p50_us": 1.3 for kind in KINDS for rows in _ROWS}
    most |= {"prompts x 1000 p50_us": 1.8, "embeddings x 32 p50_us": 1.8}
    most |= {"mixed x 1 p50_us": 0.75, "mixed x 1 p99_us": 0.9, "mixed x 1000 p50_us": 1.1, "mixed x 1000 p99_us": 1.0}
    targets = {figure: [Target(most=bound)] for figure, bound in most.items()}
    return targets | {f"{_COPIED} p50_us": [Target(most=3, peer="memcpy")]}


def _case(environment: Environment) -> Case:
    return Case(
        about=f"collect on frames as people have them, {environment.about}",
        run=partial(_frames, environment=environment),
        targets=_targets(),
        table=table,
    )


CASES: Final[dict[str, Case]] = {
    "frames-pandas-3": _case(Environment(about="pandas 3")),
    "frames-pandas-3-no-arrow": _case(Environment(about="pandas 3 without pyarrow", has_arrow=False)),
    "frames-pandas-2": _case(Environment(about="pandas 2.3", pandas="2.3.3")),
}

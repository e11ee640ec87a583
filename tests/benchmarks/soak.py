"""Minutes of load and random kills: `uv run --all-extras python tests/benchmarks/soak.py --minutes 10 [--seed N]`.

Two scoring processes with spools, a gateway with its queue file, a receiver with a local store. Every few seconds one
of them gets SIGKILL and is started again. At the end, every event that a process accepted must be stored once. Memory
and open files of each role are sampled, and their slopes per hour are shown. It needs Linux, and Go, which builds the
gateway once.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import gateway
from history import check
from receiver_process import ReceiverProcess, lines_below
from scoring_process import ScoringProcess
from usage import Sample, sample, summary

if TYPE_CHECKING:
    from collections.abc import Iterator

SAMPLE_SECONDS = 2.0
SETTLED_SECONDS = 15.0
"""Longer than the pause between retries of the gateway."""
KEY = "correlationid"


@dataclass(kw_only=True)
class Pod:
    """Scoring processes that run one after the other with one spool."""

    name: str
    endpoint: str
    folder: Path
    per_second: float
    lives: list[ScoringProcess] = field(default_factory=list)

    @property
    def pid(self) -> int | None:
        return self.lives[-1].pid

    def start(self, count: int = 10_000_000) -> None:
        life = ScoringProcess(
            endpoint=self.endpoint,
            folder=self.folder,
            count=count,
            per_second=self.per_second,
            size=500,
            variables={"OTEL_MODELDATA_SPOOL": str(self.folder / f"{self.name}.spool")},
            name=f"{self.name}.{len(self.lives)}",
        )
        life.start()
        self.lives.append(life)

    def kill(self) -> None:
        self.lives[-1].kill()

    def finish(self) -> None:
        """Stop the current process normally, then start a last one, which delivers what is left in the spool."""
        self.lives[-1].wait_until_accepted(1)  # from then on it handles signals
        self.lives[-1].stop()
        reports = [self.lives[-1].finish()]
        self.start(count=1)
        reports.append(self.lives[-1].finish())
        for report in reports:
            assert report == {"refused": 0, "lost": {}, "pending": 0}, report

    def accepted(self) -> Iterator[str]:
        for life in self.lives:
            yield from life.accepted()


class Soak:
    """One run.

    Args:
        folder: for all files.
        seed: decides which process is killed when.
        per_second: of each of the two scoring processes.
    """

    def __init__(self, folder: Path, seed: int, per_second: float) -> None:
        self._rng = random.Random(seed)
        self._kills: Counter[str] = Counter()
        self._samples: dict[str, list[Sample]] = defaultdict(list)
        self.store = folder / "store"
        self.receiver = ReceiverProcess(
            store=str(self.store), flags=("--instance-id", "0" * 32), variables={}, log=folder / "receiver.log"
        )
        self.receiver.start()
        self.gateway = gateway._otelcol(
            _binary(), "gateway.yaml", folder, {"OTEL_MODELDATA_RECEIVER_ENDPOINT": self.receiver.endpoint}
        )
        self.gateway.start()
        self.pods = [
            Pod(name=f"pod{number}", endpoint=self.gateway.grpc, folder=folder, per_second=per_second)
            for number in range(2)
        ]

    def run(self, seconds: float) -> dict[str, Any]:
        """Kill processes for this time, wait until everything has arrived, check it, and return the figures."""
        for pod in self.pods:
            pod.start()
        victims: dict[str, ReceiverProcess | gateway.Gateway | Pod] = {
            "receiver": self.receiver,
            "gateway": self.gateway,
            **{pod.name: pod for pod in self.pods},
        }
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._watch(self._rng.uniform(2.0, 12.0))
            name, victim = self._rng.choice(list(victims.items()))
            victim.kill()
            self._kills[name] += 1
            self._watch(self._rng.choice([0.0, self._rng.uniform(0.0, 6.0)]))
            victim.start()
        for pod in self.pods:
            pod.finish()
        self._settle()
        assert self.gateway.stop() == 0
        assert self.receiver.stop() == 0
        return self._figures()

    def close(self) -> None:
        """End processes that still run after a failure."""
        for pod in self.pods:
            if pod.lives:
                pod.kill()
        self.gateway.kill()
        self.receiver.kill()

    def _watch(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            processes = {
                "receiver": self.receiver._process,
                "gateway": self.gateway._process,
                "scoring": self.pods[0],
            }
            for role, process in processes.items():
                if process is not None and process.pid is not None and (used := sample(process.pid)) is not None:
                    self._samples[role].append(used)
            time.sleep(min(left, SAMPLE_SECONDS))

    def _settle(self) -> None:
        count, since = -1, time.monotonic()
        while time.monotonic() - since < SETTLED_SECONDS:
            if (now := len(lines_below(self.store))) != count:
                count, since = now, time.monotonic()
            time.sleep(1.0)

    def _figures(self) -> dict[str, Any]:
        accepted = [key for pod in self.pods for key in pod.accepted()]
        known = set(accepted)
        # A process may be killed after a record is in its spool and before its id is noted here.
        unbooked = {line[KEY] for line in lines_below(self.store)} - known
        lives = sum(len(pod.lives) for pod in self.pods)
        assert len(unbooked) < lives, sorted(unbooked)
        accounts = check(accepted=known | unbooked, acked=accepted, store=self.store, key=KEY)
        return {
            "accepted": accounts.accepted,
            "stored": accounts.stored,
            "lost": accounts.lost,
            "duplicates": accounts.copies,
            "kills": dict(self._kills),
            "lives": lives,
            "usage": {role: summary(samples) for role, samples in self._samples.items()},
        }


def _binary() -> Path:
    folder = gateway.built_folder()
    if not gateway.program(folder).exists():
        go = shutil.which("go")
        assert go is not None, gateway.NO_GO
        gateway.build(go, folder)
    return gateway.program(folder)


def main() -> None:
    """Run, print a table, and write JSON if requested."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--per-second", type=float, default=150.0, help="events of each of two scoring processes")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(Path(folder), options.seed, options.per_second)
        try:
            figures = soak.run(options.minutes * 60)
        finally:
            soak.close()
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2), "utf-8")
    usage = figures.pop("usage")
    console = Console(width=130)
    console.print(figures)
    table = Table("role", *next(iter(usage.values())), title=f"{options.minutes:g} minutes, {os.cpu_count()} CPUs")
    for role, values in usage.items():
        table.add_row(role, *(f"{value:.0f}" for value in values.values()))
    console.print(table)


if __name__ == "__main__":
    main()

"""The cost of faults, beside OTel's log pipeline: `uv run --all-extras python tests/benchmarks/faults.py [CASE ...]`.

Each case causes the same fault on both sides, in real processes. `tests/fixtures/history.py` compares accepted and
stored records. On our side, only losses reported to the caller are allowed.

Cases: `outage-100` and `outage-1000` (the receiver is down for 15 s at 100 or 1000 records a second), `lost-acks`
(every record is stored, the answer does not arrive), `kill-9` (of the scoring process, in an outage), `poison` (one bad
record in each of 100 batches of 512), `azurite` (70 % of the appends to the store fail; needs Node), and, only when it
is named, `outage-long` (the receiver is away for 10 minutes at 100 records a second).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

from azurite import running_azurite
from fault_proxy import WITH_EFFECT, WITHOUT_EFFECT, FaultProxy, dice
from history import HistoryCounts, Sent, Store, check, examine
from lost_acks import LostAcks
from otlp_load import Load
from receiver_process import ReceiverProcess, lines_below
from recording_backend import RecordingBackend
from scoring_process import ScoringProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord

KEY = "correlationid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """The result of a side in a case.

    Attributes:
        lost: accepted, neither stored nor reported to the caller.
        reported: refused by `collect`, or reported lost afterwards.
        copies: lines in excess of one per record.
        disorder: lines that follow a later line of their producer in the same blob.
    """

    case: str
    side: str
    accepted: int
    stored: int
    lost: int
    reported: int
    copies: int
    disorder: int


def figure(case: str, side: str, accounts: HistoryCounts, reported: int = 0) -> Figure:
    return Figure(
        case=case,
        side=side,
        accepted=accounts.accepted,
        stored=accounts.stored,
        lost=accounts.lost,
        reported=reported,
        copies=accounts.copies,
        disorder=accounts.disorder,
    )


@contextmanager
def receiver(folder: Path, name: str, store: str = "", **variables: str) -> Iterator[ReceiverProcess]:
    """A receiver that stores below `folder`."""
    place = folder / name
    place.mkdir(parents=True)
    flags = ("--instance-id", "0" * 32)
    process = ReceiverProcess(store=store or str(place / "store"), flags=flags, variables=variables, log=place / "log")
    process.start()
    try:
        yield process
    finally:
        process.kill()


def settled(store: Path) -> None:
    """Wait until no line was added for a few seconds."""
    before, since = -1, time.monotonic()
    while time.monotonic() - since < 3.0:
        if (now := len(lines_below(store))) != before:
            before, since = now, time.monotonic()
        time.sleep(0.2)


def judged(case: str, scoring: ScoringProcess, store: Store, reported: int = 0) -> Figure:
    """The figure of a side; raises if our side is not correct."""
    accounts = examine(accepted=scoring.accepted(), store=store, key=KEY)
    if not scoring.stock and not scoring.name.startswith("nospool"):
        check(accepted=scoring.accepted(), store=store, key=KEY)
    return figure(case, scoring.name, accounts, reported)


def outage(rate: int, *, seconds: int, away: int = 15) -> list[Figure]:
    """The receiver is killed in the middle of `seconds` of load, and started again after `away` seconds."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        receivers = [stack.enter_context(receiver(folder, side)) for side in ("ours", "stock")]
        sides = [
            ScoringProcess(
                endpoint=one.endpoint,
                folder=folder,
                count=rate * seconds,
                per_second=rate,
                size=500,
                name=one.log.parent.name,
                stock=one.log.parent.name == "stock",
            )
            for one in receivers
        ]
        for side in sides:
            side.start()
        for side in sides:
            side.wait_until_accepted(rate * (seconds - away) // 2)
        for one in receivers:
            one.kill()
        time.sleep(away)
        for one in receivers:
            one.start()
        reports = [side.finish() for side in sides]
        for one in receivers:
            settled(Path(one.store))
            one.stop()
        reported = [report["refused"] + sum(report["lost"].values()) for report in reports]
        stores = [Path(one.store) for one in receivers]
        return [judged(f"outage-{rate}, {away} s", *facts) for facts in zip(sides, stores, reported, strict=True)]


def lost_acks() -> list[Figure]:
    """Our SDK sends to our receiver; OTel's pipeline to a server that stores every request, like writers without
    ids."""
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as stack:
        folder = Path(scratch)
        one = stack.enter_context(receiver(folder, "ours"))
        backend = stack.enter_context(RecordingBackend())
        figures = []
        for upstream, stock in ((one.endpoint, False), (backend.endpoint, True)):
            lossy = stack.enter_context(LostAcks(upstream, most=1))
            side = ScoringProcess(
                endpoint=lossy.endpoint, folder=folder, count=100, stock=stock, name="stock" if stock else "ours"
            )
            side.start()
            side.finish()
            assert lossy.lost == 1
            store: Store = Path(one.store)
            if stock:
                store = [{KEY: _correlation_id(record)} | {"id": "-"} for record in backend.records()]
            figures.append(judged("lost-acks", side, store))
        return figures


def _correlation_id(record: LogRecord) -> str:
    ids: list[str] = [one.value.string_value for one in record.attributes if one.key == "azureml.correlation.id"]
    return ids[0]


def kill_9() -> list[Figure]:
    """The scoring process is killed in an outage; then both start again, with the same spool if there was one."""
    figures = []
    for name in ("ours", "nospool", "stock"):
        with tempfile.TemporaryDirectory() as scratch, receiver(Path(scratch), name) as one:
            variables = {"OTEL_MODELDATA_SPOOL": f"{scratch}/spool"} if name == "ours" else {}
            side = ScoringProcess(
                endpoint=one.endpoint,
                folder=Path(scratch),
                count=100_000,
                per_second=500,
                size=500,
                variables=variables,
                name=name,
                stock=name == "stock",
            )
            side.start()
            side.wait_until_accepted(500)
            one.kill()
            side.wait_until_accepted(1500)
            side.kill()
            one.start()
            following = ScoringProcess(
                endpoint=one.endpoint, folder=Path(scratch), count=1, variables=variables, name=f"{name}-next"
            )
            following.start()
            following.finish()
            settled(Path(one.store))
            one.stop()
            accepted = [*side.accepted(), *following.accepted()]
            # A record in flight when the process was killed may be stored although its `collect` did not return.
            extra = [line[KEY] for line in lines_below(Path(one.store)) if line[KEY] not in accepted]
            assert len(extra) <= 1, extra
            accounts = examine(accepted=accepted + extra, store=Path(one.store), key=KEY)
            if name == "ours":
                check(accepted=accepted + extra, store=Path(one.store), key=KEY)
            side_name = {"ours": "ours, with a spool", "nospool": "ours, without"}.get(name, name)
            figures.append(figure("kill-9", side_name, accounts))
    return figures


def poison() -> list[Figure]:
    """51,200 records, each 512th is bad: `collect` refuses it, OTel's pipeline loses its batch."""
    figures = []
    for name in ("ours", "stock"):
        with tempfile.TemporaryDirectory() as scratch, receiver(Path(scratch), name) as one:
            side = ScoringProcess(
                endpoint=one.endpoint,
                folder=Path(scratch),
                count=51_200,
                poison_every=512,
                name=name,
                stock=name == "stock",
            )
            side.start()
            report = side.finish()
            settled(Path(one.store))
            one.stop()
            figures.append(judged("poison", side, Path(one.store), report["refused"]))
    return figures


def azurite() -> list[Figure]:
    """Three seeds, 10,000 lines each: 70 % of the appends fail, half of them although they were applied."""
    figures = []
    with tempfile.TemporaryDirectory() as scratch, running_azurite(Path(scratch)) as emulator:
        for seed in range(3):
            container = emulator.new_container()
            with FaultProxy(emulator.host, dice(seed, 0.7, [*WITHOUT_EFFECT, *WITH_EFFECT])) as proxy:
                connection = emulator.connection_string_through(proxy.host)
                started = receiver(
                    Path(scratch),
                    f"seed-{seed}",
                    f"az://{container}",
                    AZURE_STORAGE_CONNECTION_STRING=connection,
                )
                with started as one, Load(one.endpoint, threads=2, records=25) as load:
                    for _ in range(100):
                        load.wait_for_acks(100)
                    load.finish()
                    one.stop()
                appends = proxy.appends()
                broken = proxy.count(*WITHOUT_EFFECT, *WITH_EFFECT) / appends
            sent: list[Sent] = load.sent()
            accounts = check(accepted=sent, acked=load.acked, store=emulator.blobs(container), in_order=True)
            case = f"azurite, {broken:.0%} of {appends} appends"
            figures.append(figure(case, f"ours, seed {seed}", accounts))
    return figures


CASES: dict[str, Callable[[], list[Figure]]] = {
    "outage-100": lambda: outage(100, seconds=45),
    "outage-1000": lambda: outage(1000, seconds=30),
    "outage-long": lambda: outage(100, seconds=660, away=600),
    "lost-acks": lost_acks,
    "kill-9": kill_9,
    "poison": poison,
    "azurite": azurite,
}


def main() -> None:
    """Run the cases that the command line names, or all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="names of cases; all when none is given")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every figure here, too")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"expected cases among {', '.join(CASES)}, got {', '.join(sorted(unknown))}")
    names = options.cases or [name for name in CASES if name != "outage-long"]
    figures = [one for name in names for one in CASES[name]()]
    table = Table(*Figure.__dataclass_fields__, title=f"{os.cpu_count()} CPUs")
    for one in figures:
        table.add_row(*(f"{value:,}" if isinstance(value, int) else value for value in asdict(one).values()))
    Console(width=120).print(table)
    if options.json:
        options.json.write_text(json.dumps([asdict(one) for one in figures], indent=2), "utf-8")


if __name__ == "__main__":
    main()

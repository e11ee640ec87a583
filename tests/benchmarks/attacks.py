"""An honest client beside attacks: how long it waits, and how much memory a receiver takes.

The honest client sends an event every 50 ms from a process of its own, whether or not the last one was answered; its
latency counts from the moment when the event was due. Two attackers in another process send one kind of request
(`attack_requests.py`) again and again. Everything runs on this machine, over loopback. Each honest event must be
answered and stored once, and each request of the attackers must have an answer.

The figures of an attack are the 99th percentile of the honest client's latency, and the most memory of the receiver and
its mapping process together. `base` is without an attack; `fsync` is the cost of one on the disk of the store, which is
a part of every latency. `python tests/benchmarks/attacks.py NAME ...` runs some of them.
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import grpc

sys.path.insert(0, str(Path(__file__).parents[1] / "fixtures"))

import flood
from attack_requests import ATTACKS
from case import Case, Effort, Run, Sides, Target
from otlp_requests import DEPLOYMENT, record, request
from otlp_sender import LOGS
from receiver_process import ReceiverProcess

from otel_modeldata import semconv

if TYPE_CHECKING:
    from attack_requests import Attack

_PERIOD_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 120.0
_ATTACKERS: Final = 2
_SECONDS: Final = 10.0
_HONEST: Final = {**DEPLOYMENT, semconv.AZUREML_ENDPOINT_NAME: "honest"}
_LISTENERS: Final = ("--http-listen", "127.0.0.1:0", "--old-protocol-listen", "127.0.0.1:0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Waited:
    """The latencies of the honest client in ms, and how many of its events were answered."""

    p50: float
    p99: float
    longest: float
    sent: int


def run(name: str | None, seconds: float) -> tuple[Waited, float]:
    """The latencies beside one attack, or beside none, and the most memory in MB."""
    with tempfile.TemporaryDirectory() as folder:
        store, log = Path(folder, "store"), Path(folder, "log")
        one = ReceiverProcess(store=str(store), flags=_LISTENERS, variables={}, log=log, is_backfilled=False)
        one.start()
        assert one._process is not None
        try:
            attacker = None if name is None else _started("attack", name, json.dumps(one.startup), str(seconds))
            if attacker is not None:
                assert attacker.stdout is not None
                assert attacker.stdout.readline() == "ready\n"
            honest = _started("honest", one.endpoint, str(seconds))
            if attacker is not None:
                assert attacker.stdin is not None
                attacker.stdin.write("go\n")
                attacker.stdin.flush()
            peak = 0.0
            while honest.poll() is None:
                peak = max(peak, _megabytes(one._process.pid))
                time.sleep(0.02)
            waited = Waited(**json.loads(honest.communicate()[0]))
            if attacker is not None:
                answers = json.loads(attacker.communicate(timeout=_ANSWER_SECONDS)[0])
                assert answers["without"] == 0, (name, answers)
            assert one.stop() == 0
        finally:
            one.kill()
        ids = [json.loads(line)["id"] for line in flood.lines_of(store / "honest")]
        assert sorted(ids) == sorted(map(str, range(waited.sent))), name
    return waited, peak


def _started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *(f"--{arguments[0]}", *arguments[1:])]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _megabytes(pid: int) -> float:
    """Resident memory of a process and its children."""
    size = 0.0
    for process in (pid, *_children(pid)):
        try:
            status = Path(f"/proc/{process}/status").read_text("utf-8")
        except OSError:  # it has ended
            continue
        size += sum(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")) / 1024
    return size


def _children(pid: int) -> list[int]:
    return [int(one) for path in Path(f"/proc/{pid}/task").glob("*/children") for one in path.read_text().split()]


def be_honest(endpoint: str, seconds: float) -> Waited:
    """Send an event every `_PERIOD_SECONDS`."""
    latencies: list[float] = []
    with grpc.insecure_channel(endpoint) as channel:
        export = channel.unary_unary(LOGS)
        calls = []
        began = time.monotonic()
        for number in range(int(seconds / _PERIOD_SECONDS)):
            due = began + number * _PERIOD_SECONDS
            time.sleep(max(0.0, due - time.monotonic()))
            call = export.future(request(record(event_id=str(number)), resource_values=_HONEST), timeout=60)
            call.add_done_callback(lambda _, due=due: latencies.append(1000 * (time.monotonic() - due)))
            calls.append(call)
        for call in calls:
            call.result()
    while len(latencies) < len(calls):
        time.sleep(0.001)
    latencies.sort()
    middle, high = (latencies[int(len(latencies) * share)] for share in (0.5, 0.99))
    return Waited(p50=middle, p99=high, longest=latencies[-1], sent=len(calls))


def attack(name: str, startup: dict[str, Any], seconds: float) -> dict[str, int]:
    """Send the request of an attack again and again, each as soon as the last one was answered."""
    one = ATTACKS[name]
    message = one.message()
    print("ready", flush=True)
    sys.stdin.readline()
    end = time.monotonic() + seconds
    counts = {"answers": 0, "without": 0}

    def send_again() -> None:
        while time.monotonic() < end:
            try:
                _send(one, message, startup)
            except (OSError, http.client.HTTPException):
                counts["without"] += 1
            else:
                counts["answers"] += 1

    threads = [threading.Thread(target=send_again) for _ in range(_ATTACKERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return counts


def _send(one: Attack, message: bytes, startup: dict[str, Any]) -> None:
    if one.headers is None:
        options = [("grpc.max_send_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        with grpc.insecure_channel(startup["listen"], options=options) as channel:
            try:
                channel.unary_unary(one.path)(message, timeout=60)
            except grpc.RpcError:  # a refusal is an answer
                time.sleep(0.02)
        return
    connection = http.client.HTTPConnection(startup[one.listener], timeout=60)
    try:
        connection.request("POST", one.path, message, {**one.headers, "Content-Encoding": "gzip"})
        connection.getresponse().read()
    finally:
        connection.close()


def fsync_ms(folder: Path) -> float:
    """The median of the milliseconds that an fsync takes."""
    taken = []
    with (folder / "fsync").open("wb") as file:
        for _ in range(20):
            file.write(bytes(1000))
            file.flush()
            began = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - began))
    return sorted(taken)[10]


def _attacks(effort: Effort) -> Sides:
    names = ["100,000 records"] if effort.tiny else list(ATTACKS)
    seconds = effort.seconds(_SECONDS)
    with tempfile.TemporaryDirectory() as folder:
        figures: Run = {"fsync ms": fsync_ms(Path(folder))}
    waited, peak = run(None, seconds)
    figures |= {"base: p99 ms": waited.p99, "base: MB": peak}
    for name in names:
        waited, peak = run(name, seconds)
        figures |= {f"{name}: p99 ms": waited.p99, f"{name}: MB": peak}
    return {"ours": [figures]}


CASES: Final[dict[str, Case]] = {
    "attacks": Case(
        about="an honest client beside attackers of another deployment",
        run=_attacks,
        targets={f"{name}: p99 ms": [Target(most=50, absolute=True)] for name in ATTACKS},
    )
}


def main() -> None:
    """Run the attacks that the command line names, or be one side of one."""
    match sys.argv[1:]:
        case ["--honest", endpoint, seconds]:
            print(json.dumps(asdict(be_honest(endpoint, float(seconds)))))
        case ["--attack", name, startup, seconds]:
            print(json.dumps(attack(name, json.loads(startup), float(seconds))))
        case names:
            for name in [None, *(names or ATTACKS)]:
                waited, peak = run(name, _SECONDS)
                print(
                    f"{name or 'no attack':30} p50 {waited.p50:6.1f} ms  p99 {waited.p99:6.1f} ms  "
                    f"longest {waited.longest:7.1f} ms  {peak:5.0f} MB",
                    flush=True,
                )


if __name__ == "__main__":
    main()

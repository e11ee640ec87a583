"""`kill -9` of each command at random moments, a hundred times, beside a receiver that takes events all the time."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import signal
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

import grpc
import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.storage.blob import BlobLeaseClient
from command_run import run_command
from command_zygote import CommandZygote, command_zygote
from otlp_requests import NOON, raw_request, record, resource
from otlp_sender import LOGS
from planted_person import INPUTS, INSTANCE, TENANT

import otel_modeldata_reader as reader
from otel_modeldata import semconv

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from azurite import Azurite
    from receiver_process import ReceiverProcess, StartReceiver

HOUR_NS = 3_600 * 10**9
OLD_NS = NOON - 1_000 * HOUR_NS
PERSON = "a person's rows"
BEFORE = 60
"""Events before the first command."""
COMMANDS: dict[str, list[str]] = {
    "compact": ["compact", "--drop-lines"],
    "erase": ["erase", INPUTS, "--where", "who = 'a person''s rows'", "--yes"],
    "expire": ["expire", "--older", "30d", "--yes"],
    "seal": ["seal"],
    "audit": ["audit", "--running", "--remember"],
}


def is_old(number: int) -> bool:
    return number % 5 == 0


def whos(number: int) -> list[str]:
    """Who is in the rows of an event: each tenth has one of the person, and each fiftieth has no other ones."""
    return [PERSON if number % 50 == 1 or (number % 10 == 2 and row == 1) else f"other {number}" for row in range(3)]


def sent(number: int) -> bytes:
    """A record; the events are in four hours, two of which are old."""
    time_ns = (OLD_NS if is_old(number) else NOON) - number % 2 * HOUR_NS + number
    attributes = {semconv.AZUREML_PRODUCER_SEQUENCE: number, semconv.AZUREML_CORRELATION_ID: f"request-{number}"}
    body = json.dumps([{"x": number, "row": row, "who": who} for row, who in enumerate(whos(number))])
    one = record(body, attributes, collection="model_inputs", event_id=f"event-{number}", time_ns=time_ns)
    return bytes(one.SerializeToString())


@dataclass
class Writer:
    """Sends events until it is stopped."""

    endpoint: str
    pause: float
    numbers: Iterator[int] = field(default_factory=itertools.count)
    is_over: threading.Event = field(default_factory=threading.Event)
    done: int = 0

    def send(self, numbers: Iterable[int]) -> None:
        origin = resource(TENANT).SerializeToString()
        with grpc.insecure_channel(self.endpoint) as channel:
            call = channel.unary_unary(LOGS)
            for number in numbers:
                call(raw_request([sent(number)], origin), timeout=60)
                self.done = number + 1

    def run(self) -> None:
        self.send(self._until_over())

    def _until_over(self) -> Iterator[int]:
        while not self.is_over.wait(self.pause):
            yield next(self.numbers)


def expected(command: str, count: int) -> list[tuple[str, str]]:
    """The rows that are left when a command was completed after `count` events."""
    found = []
    for number in range(count):
        for row, who in enumerate(whos(number)):
            if not (command == "erase" and who == PERSON) and not (command == "expire" and is_old(number)):
                found.append((f"request-{number}_{row}", who))
    return sorted(found)


def rows_of(url: str) -> list[tuple[str, str]]:
    with reader.open(url) as store:
        frame = store.read(INPUTS).to_pandas()
    return sorted(zip(frame["row_id"], frame["who"], strict=True))


def kill_beside_a_writer(
    zygote: CommandZygote,
    receiver: ReceiverProcess,
    words: Sequence[str],
    *,
    kills: int,
    pause: float,
    after: Callable[[], object] = lambda: None,
) -> int:
    """Kill a command many times, then let it end twice; how many events there are."""
    writer = Writer(receiver.endpoint, pause)
    writer.send(itertools.islice(writer.numbers, BEFORE))
    thread = threading.Thread(target=writer.run)
    thread.start()
    moments = random.Random(len(words))
    codes: Counter[int] = Counter()
    try:
        assert zygote.run(*words) in {0, 1}  # 1: rows came meanwhile
        began = time.monotonic()
        assert zygote.run(*words) in {0, 1}
        usual = time.monotonic() - began
        while codes[-signal.SIGKILL] < kills:
            codes[zygote.run(*words, killed_after=moments.uniform(0, usual))] += 1
            after()
            assert sum(codes.values()) < 3 * kills, codes
    finally:
        writer.is_over.set()
        thread.join()
    assert set(codes) <= {-signal.SIGKILL, 0, 1}, codes
    assert zygote.run(*words) in {0, 1}
    assert zygote.run(*words) == 0
    return writer.done


@pytest.fixture(scope="module")
def zygote() -> Iterator[CommandZygote]:
    with command_zygote() as started:
        yield started


def check(capsys: pytest.CaptureFixture[str], receiver: ReceiverProcess, url: str, command: str, count: int) -> None:
    """All other rows are there, each once, and the audit is right with what it remembers and without."""
    assert rows_of(url) == expected(command, count)
    for memory in ([], ["--no-memory"]):
        code, out, err = run_command(capsys, "audit", url, "--running", "--json", *memory)
        facts = json.loads(out)
        assert (code, err) == (0, ""), {
            name: facts[name] for name in ("findings", "faults", "reconciliations") if name in facts
        }
        assert {name: fault["count"] for name, fault in facts["faults"].items() if fault["count"]} == {}
    assert receiver.logged("vanished") == []
    with reader.open(url) as store:
        names = [one.name for one in store._store.walk()]
    assert [name for name in names if name.startswith(("_erased/unfinished/", "_vanished/"))] == []


@pytest.mark.long
@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_that_is_killed_a_hundred_times_beside_a_receiver_loses_and_repeats_nothing(
    start_receiver: StartReceiver,
    tmp_path_factory: pytest.TempPathFactory,
    zygote: CommandZygote,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    url = str(tmp_path_factory.mktemp("store"))
    receiver = start_receiver(url, "--instance-id", INSTANCE)
    words = [*COMMANDS[command], "--store", url]
    count = kill_beside_a_writer(zygote, receiver, words, kills=100, pause=0.1)
    check(capsys, receiver, url, command, count)


def unlock(azurite: Azurite, url: str) -> None:
    """End the lease of a command that was killed; else the next one waits for a minute until it ends by itself."""
    lock = azurite.open(url.removeprefix("az://")).get_blob_client("_maintenance/lock")
    with contextlib.suppress(ResourceNotFoundError, HttpResponseError):  # it died before, or had ended
        BlobLeaseClient(lock).break_lease(0)


@pytest.mark.long
@pytest.mark.parametrize("command", ["compact", "erase"])
def test_a_command_that_is_killed_twenty_times_beside_a_receiver_of_a_container_loses_and_repeats_nothing(
    start_receiver: StartReceiver,
    azurite: Azurite,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
) -> None:
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", azurite.connection_string)
    url = f"az://{azurite.new_container()}"
    receiver = start_receiver(url, "--instance-id", INSTANCE)
    words = [*COMMANDS[command], "--store", url]
    with command_zygote() as zygote:  # with the variable
        count = kill_beside_a_writer(zygote, receiver, words, kills=20, pause=0.5, after=partial(unlock, azurite, url))
    check(capsys, receiver, url, command, count)

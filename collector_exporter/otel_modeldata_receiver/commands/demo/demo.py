"""Runs the demo: receive, serve, score, kill, restart, deliver, and read the store.

Receiver and service are processes of their own, as in production: `otel-modeldata receive`, and uvicorn with
`scripts/app.py`. Nothing of the service is imported here.
"""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
import uuid
from collections import defaultdict
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Final

from otel_modeldata_reader.auditing.producer_report import ReportSource, load

from ...storage.open_store import open_store
from ..browser import has_browser, open_browser
from .child_processes import ChildProcesses
from .deployment import ENDPOINT, FIRST, free_deployment
from .flights import DRIFTING, flights_of_the_day
from .interrupts import Interrupts
from .progress import Progress
from .receiver import listening_port, start_receiver
from .report_folder import keep_reports, report_folder
from .service import start_service
from .service_clock import ServiceClock
from .stored_lines import watched_store
from .studio import StudioProcess, live_rows
from .traffic import Client
from .verification import COLLECTIONS, Verification, expected_events

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from ...config.receiver import ReceiverConfig
    from .child_processes import ChildProcess
    from .flights import Flight
    from .stored_lines import StoreWatch
    from .traffic import Request

__all__ = ["Demo", "running_demo"]

_KILLED_AT: Final = 0.5
"""Share of the requests after which the receiver is killed."""
_AWAY_SECONDS: Final = 1.0
"""How long it is away at least, while requests go on."""
_DELIVERY_SECONDS: Final = 60.0
_POLL_SECONDS: Final = 0.1


@contextmanager
def running_demo(config: ReceiverConfig) -> Iterator[Demo]:
    """A demo whose processes have all ended when it is left.

    Args:
        config: the store, and an instance id that no other run has.

    Raises:
        ReceiverError: the store cannot be used.
        KeyboardInterrupt: Ctrl-C, SIGTERM or SIGHUP came.
    """
    name = asyncio.run(_checked(config))
    with (
        Interrupts() as interrupts,
        tempfile.TemporaryDirectory(prefix="otel-modeldata-demo-") as folder,
        ChildProcesses(Path(folder), interrupts) as processes,
        watched_store(config, f"{ENDPOINT}/{name}", COLLECTIONS) as watch,
    ):
        yield Demo(config, name, Path(folder), processes, watch)


async def _checked(config: ReceiverConfig) -> str:
    """Prove that the store can be written, before any process starts, and choose a deployment that it does not have."""
    store = open_store(config.store, create_container=config.create_container)
    try:
        await store.check()
        return await free_deployment(store)
    finally:
        await store.close()


class Demo:
    """The steps, in their order; `progress` is what the view shows.

    Attributes:
        deployment: `endpoint/deployment` of this run.
        reports: the folder that has the final report of the service; None before it has ended, and without the right
            to write there.
    """

    def __init__(
        self, config: ReceiverConfig, name: str, folder: Path, processes: ChildProcesses, watch: StoreWatch
    ) -> None:
        self.deployment = f"{ENDPOINT}/{name}"
        self.reports: Path | None = None
        self._config = config
        self._name = name
        self._folder = folder
        self._processes = processes
        self._watch = watch
        self._view: Callable[[Progress], object] = lambda _: None
        self._progress = Progress()
        self._started = time.monotonic()
        self._begun: dict[str, float] = {}
        self._studio: StudioProcess | None = None
        self._url: str | None = None
        self._is_opened = False
        self._killed_after = 0

    @property
    def progress(self) -> Progress:
        """What has happened so far."""
        return self._progress

    def run(self, count: int | None, view: Callable[[Progress], object], *, studio: bool) -> Verification:
        """Run all steps, and compare the store with the requests.

        Args:
            count: how many flights to score; None for those of a day.
            view: shows the progress.
            studio: whether to start Studio, and to open it.

        Raises:
            DemoError: a process ended too early, or a request was not answered.
            ReceiverError: the store cannot be read.
        """
        self._view = view
        if self._name != FIRST:
            self._begin("store", "")
            self._end("store", f"has {ENDPOINT}/{FIRST} already: this run is {self.deployment}")
        flights = flights_of_the_day(count, datetime.now(timezone.utc))
        self._begin("receiver", "starts")
        receiver = start_receiver(self._processes, self._config, 0)
        receiver_port = listening_port(receiver)
        self._end("receiver", f"listens on 127.0.0.1:{receiver_port}")

        if studio:
            self._studio = StudioProcess(self._processes, self._config.store)
        clock = ServiceClock(self._folder / "clock")
        self._begin("service", "trains on 3,000 flights of the weeks before, and starts")
        service, port = start_service(self._processes, self._name, receiver_port, clock.path, self._folder / "reports")
        self._end("service", f"FastAPI on http://127.0.0.1:{port}, with Collectors")
        self._find_studio()

        with closing(Client(port, clock, uuid.uuid4().hex[:6])) as client:
            traffic = _Traffic(client, flights)
            receiver = self._send(traffic, receiver, receiver_port)

        self._begin("delivery", "the service delivers what waits, and ends")
        listening_port(receiver)
        self._await_stored(traffic)
        service.interrupt()
        (delivery,) = load([ReportSource(path=self._folder / "reports")])
        receiver.interrupt()
        self.reports = keep_reports(self._folder / "reports", report_folder(self._config.store))
        blobs = self._watch.finish()
        self._progress = replace(self._progress, stored=sum(len(blob.lines) for blob in blobs))
        self._end("delivery", f"{delivery.delivered:,} events delivered, {sum(delivery.lost.values())} lost")
        return Verification(
            requests=traffic.requests,
            landings=traffic.landings,
            labels=traffic.labels,
            killed_after=self._killed_after,
            delivery=delivery,
            blobs=blobs,
            seconds=time.monotonic() - self._started,
        )

    def stay(self, tell: Callable[[str], object]) -> None:
        """Wait for Ctrl-C if Studio runs; it may come as soon as the first letter of the address is there.

        Args:
            tell: called with its address before.
        """
        if self._studio is not None and self._url is not None:
            with suppress(KeyboardInterrupt):
                self._open_studio()
                tell(self._url)
                self._studio.wait()

    def _find_studio(self) -> None:
        if self._studio is not None:
            self._begin("studio", "starts")
            self._url = self._studio.url()
            when = "opens when it has rows" if has_browser() else "(no browser here)"
            self._end("studio", self._studio.why_not() if self._url is None else f"{self._url} {when}")

    def _open_studio(self) -> None:
        """Open the rows as they come, once."""
        if self._url is not None and not self._is_opened:
            self._is_opened = True
            open_browser(live_rows(self._url, self.deployment), lambda _: None)  # the address is in the terminal, too

    def _send(self, traffic: _Traffic, receiver: ChildProcess, receiver_port: int) -> ChildProcess:
        """Send the requests; kill the receiver in the middle, and return the one that is started meanwhile."""
        total = len(traffic.flights)
        self._begin("traffic", "the flights of a day, and a label when one has landed")
        self._progress = replace(self._progress, total=total)
        killed, restarted = 0.0, False
        for number in range(1, total + 1):
            traffic.send_next()
            self._show(traffic)
            if not killed and number >= total * _KILLED_AT:
                receiver.kill()
                killed, self._killed_after = time.monotonic(), number
                self._begin("kill -9", "the receiver is gone; requests go on")
            is_time = killed and time.monotonic() - killed > _AWAY_SECONDS
            if not restarted and (is_time or number == total):
                restarted = True
                receiver = start_receiver(self._processes, self._config, receiver_port)
                self._end("kill -9", "the receiver was killed, and is started again")
        self._end("traffic", f"{total:,} flights scored, {traffic.labels:,} labels")
        return receiver

    def _await_stored(self, traffic: _Traffic) -> None:
        """Wait until everything is stored; after a minute the comparison says what is missing."""
        until = time.monotonic() + _DELIVERY_SECONDS
        while self._progress.stored < self._progress.accepted and time.monotonic() < until:
            time.sleep(_POLL_SECONDS)
            self._show(traffic)

    def _begin(self, name: str, text: str) -> None:
        self._begun[name] = time.monotonic()
        self._progress = self._progress.begin(name, text)
        self._view(self._progress)

    def _end(self, name: str, text: str) -> None:
        self._progress = self._progress.end(name, text, time.monotonic() - self._begun[name])
        self._view(self._progress)

    def _show(self, traffic: _Traffic) -> None:
        sent = len(traffic.requests)
        self._progress = replace(
            self._progress,
            requests=sent,
            accepted=expected_events(sent, traffic.landings),
            stored=self._watch.stored,
            clock=traffic.requests[-1].flight.departed,
            delays=traffic.delays(),
            labels=traffic.labels,
        )
        self._view(self._progress)
        if self._url is not None and not self._is_opened and self._watch.is_complete:
            self._open_studio()


class _Traffic:
    """The requests of the day, and what the client knows of them."""

    def __init__(self, client: Client, flights: Sequence[Flight]) -> None:
        self._client = client
        self.flights = flights
        self.requests: list[Request] = []
        self.landings = 0
        """Messages with landings."""
        self.labels = 0
        self._flying: list[Request] = []
        self._delays: defaultdict[datetime, list[int]] = defaultdict(list)

    def send_next(self) -> None:
        """Score the next flight; at the end of an hour, and of the day, report which ones have landed."""
        flight = self.flights[len(self.requests)]
        self.requests.append(self._client.score(flight))
        self._flying.append(self.requests[-1])
        hour = flight.departed.replace(minute=0)
        is_new = hour not in self._delays
        self._delays[hour].append(flight.row[DRIFTING])
        if is_new or len(self.requests) == len(self.flights):
            self._report_landings(flight.departed)

    def delays(self) -> tuple[float, ...]:
        """The median of the drifting feature by hour."""
        return tuple(statistics.median(delays) for _, delays in sorted(self._delays.items()))

    def _report_landings(self, now: datetime) -> None:
        landed = [one for one in self._flying if one.flight.landed is not None and one.flight.landed <= now]
        if landed:
            self._client.report_landings(landed)
            ids = {one.id for one in landed}
            self._flying = [one for one in self._flying if one.id not in ids]
            self.landings += 1
            self.labels += len(landed)

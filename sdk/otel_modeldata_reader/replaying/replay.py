"""`Store.replay`: recorded requests to another endpoint, and its answers against the recorded outputs."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import ReplayError
from ..joining.window_edges import EDGE_NS
from ..lines.tally import Tally
from ..window import Window, held, window_of
from .body_formats import DEFAULT_FORMAT, format_named
from .comparison import Compared
from .journal import Journal
from .matching import Matching
from .recorded_requests import RequestRows, Source, recorded_bodies, recorded_rows
from .result_files import difference_file, remove_unfinished, write_answers
from .sending import Pace, send_all

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from typing import TypeVar

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Moment
    from .comparison import Comparison
    from .recorded_requests import RecordedRequest
    from .sending import Progress
    from .target import Target
    from .value_differences import Tolerance

    T = TypeVar("T")

__all__ = ["Recording", "Replay", "ReplayPreview", "Replayed"]

REQUESTS: Final = "request"
RESPONSES: Final = "response"


_SHOWN_BYTES: Final = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What is replayed.

    Attributes:
        deployment: `endpoint/deployment`.
        since: only requests from this moment on, as for `Store.read`.
        until: only requests before this moment.
        inputs: the collection of inputs; None is `model_inputs`, or `request` with recorded bodies.
        from_requests: whether `inputs` is a collection of payload logging, whose bodies are sent as they were.
        form: the format of the bodies; see `body_formats.py`.
        columns: send only these columns, in this order; None sends all.
        by: the column of the inputs whose values are the slices of a comparison.
        outputs: the collection of recorded outputs; None is `model_outputs`, or `response` with recorded bodies.
        answer_at: the keys that lead to the rows in an answer; empty finds them.
    """

    deployment: str
    since: Moment = None
    until: Moment = None
    inputs: str | None = None
    from_requests: bool = False
    form: str = DEFAULT_FORMAT
    columns: tuple[str, ...] | None = None
    by: str | None = None
    outputs: str | None = None
    answer_at: tuple[str, ...] = ()

    @property
    def input_name(self) -> str:
        """The collection that is replayed."""
        return f"{self.deployment}/{self.inputs or (REQUESTS if self.from_requests else 'model_inputs')}"

    @property
    def output_name(self) -> str:
        """The collection that answers are compared with."""
        return f"{self.deployment}/{self.outputs or (RESPONSES if self.from_requests else 'model_outputs')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """What a replay has done, over all its starts.

    Attributes:
        target: the URL, without its query.
        folder: with `journal.sqlite`, `answers.parquet` and, after a comparison, `differences.parquet`.
        run: the id that marks its requests.
        requests: how many were sent.
        answered: how many of them have an answer of status 2xx.
        rows: of the requests that were sent.
        by_status: how many requests have each last status, or which error instead.
        skipped: events that are no request to send, by the reason.
        latency_p50_ms: of the answers, from sending a request to the end of its answer; None without answers.
        latency_p99_ms: likewise.
        progress: of the last start.
        comparison: with the recorded outputs; None if it was not asked for.
        refusal: the beginning of the first answer with another status; empty if there is none.
    """

    target: str
    folder: Path
    run: str
    requests: int
    answered: int
    rows: int
    by_status: Mapping[str, int]
    skipped: Mapping[str, int]
    latency_p50_ms: float | None
    latency_p99_ms: float | None
    progress: Progress
    comparison: Comparison | None = None
    refusal: str = ""

    @property
    def failed(self) -> int:
        """How many requests have no answer of status 2xx."""
        return self.requests - self.answered


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPreview:
    """What a replay would send.

    Attributes:
        requests: how many.
        rows: theirs; 0 for recorded bodies.
        size: the bytes of their bodies.
        skipped: events that are no request to send, by the reason.
        first: the first request; None if there is none.
    """

    requests: int
    rows: int
    size: int
    skipped: Mapping[str, int]
    first: RecordedRequest | None


class Replay:
    """The requests of a recording; see `Store.replay`.

    Args:
        store: has them.
        blobs_of: the blobs of a collection by its name.
        recording: what is replayed.

    Raises:
        ReplayError: a wrong recording.
    """

    def __init__(self, store: StoreAccess, blobs_of: Callable[[str], CollectionBlobs], recording: Recording) -> None:
        format_named(recording.form)
        if recording.from_requests and (recording.by is not None or recording.columns is not None):
            raise ReplayError("expected no columns with recorded bodies, which are sent as they are: leave them out")
        self._store = store
        self._blobs_of = blobs_of
        self._recording = recording

    def preview(self, limit: int | None = None) -> ReplayPreview:
        """Read what would be sent, and send nothing.

        Args:
            limit: only the first so many requests.

        Raises:
            ReaderError: as for `send`.
        """
        recording = self._recording
        source = self._source(self._blobs_of(recording.input_name), window_of(recording.since, recording.until))
        first, requests, rows, size = None, 0, 0, 0
        for one in islice(_requests(source, recording), limit):
            first = first or one
            requests, rows, size = requests + 1, rows + (one.rows or 0), size + len(one.body)
        return ReplayPreview(requests=requests, rows=rows, size=size, skipped=dict(source.skipped), first=first)

    def send(  # noqa: PLR0913 (most are keywords)
        self,
        target: Target,
        out: str | os.PathLike[str],
        *,
        pace: Pace | None = None,
        tolerance: Tolerance | None = None,
        resume: bool = False,
        report: Callable[[Progress], object] = lambda _: None,
    ) -> Replayed:
        """Send the requests to a target, and compare its answers with the recorded outputs.

        Args:
            target: where to; `target_of` makes it of a URL.
            out: a folder for the journal and the results. A replay that was killed goes on from its journal.
            pace: how fast; by default four requests at the same time.
            tolerance: of numbers, for a comparison; None compares nothing.
            resume: go on with the replay in `out`: send what has no answer of status 2xx.
            report: called a few times a second.

        Raises:
            UnknownNameError: no such collection or column.
            ReplayError: a wrong argument, or `out` has another replay.
            TargetUnavailableError: the target does not answer any more. What was answered is kept.
            StoreUnavailableError: the store is missing, cannot be reached, or may not be read.
        """
        recording, pace = self._recording, pace or Pace()
        inputs = self._blobs_of(recording.input_name)
        outputs = None if tolerance is None else self._blobs_of(recording.output_name)
        folder = Path(out)
        window = window_of(recording.since, recording.until)
        journal = Journal(folder, self._facts(target), resume=resume)
        try:
            remove_unfinished(folder)
            run = journal.fact("run", secrets.token_hex(6))
            window = Window(**journal.fact("window", {"since": window.since, "until": window.until}))
            source = self._source(inputs, window)
            requests = _requests(source, recording)
            progress = _run(lambda: send_all(requests, target, pace, journal, run=run, report=report))
            comparison = None
            if outputs is not None and tolerance is not None:
                until = None if window.until is None else held(window.until + EDGE_NS)
                later = Window(since=window.since, until=until)
                comparison = _compared(journal, self._source(outputs, later), recording, tolerance)
            write_answers(journal)
            return _replayed(journal, target.shown, run, source.skipped, progress, comparison)
        except sqlite3.Error as error:
            raise ReplayError(f"expected a folder that can be written, got {error}: {folder}") from None
        finally:
            journal.close()

    def _source(self, collection: CollectionBlobs, window: Window) -> Source:
        tally = Tally(strict=False)
        return Source(store=self._store, collection=collection, window=window, tally=tally, skipped=Counter())

    def _facts(self, target: Target) -> dict[str, Any]:
        """What identifies the replay: a journal is not continued with others."""
        recording = self._recording
        return {
            "store": self._store.shown,
            "collection": recording.input_name,
            "since": None if recording.since is None else str(recording.since),
            "until": None if recording.until is None else str(recording.until),
            "target": target.shown,
            "format": None if recording.from_requests else recording.form,
            "columns": None if recording.columns is None else list(recording.columns),
            "by": recording.by,
        }


def _replayed(  # noqa: PLR0913, PLR0917 (each is another part)
    journal: Journal,
    target: str,
    run: str,
    skipped: Mapping[str, int],
    progress: Progress,
    comparison: Comparison | None,
) -> Replayed:
    requests, answered, rows = journal.counts()
    return Replayed(
        target=target,
        folder=journal.folder,
        run=run,
        requests=requests,
        answered=answered,
        rows=rows,
        by_status=journal.statuses(),
        skipped=dict(skipped),
        latency_p50_ms=journal.latency(0.5),
        latency_p99_ms=journal.latency(0.99),
        progress=progress,
        comparison=comparison,
        refusal=journal.refusal(_SHOWN_BYTES),
    )


def _requests(source: Source, recording: Recording) -> Iterator[RecordedRequest]:
    if recording.from_requests:
        return recorded_bodies(source)
    how = RequestRows(form=format_named(recording.form), columns=recording.columns, by=recording.by)
    return recorded_rows(source, how)


def _compared(journal: Journal, outputs: Source, recording: Recording, tolerance: Tolerance) -> Comparison:
    with Matching(journal) as matching, difference_file(journal.folder) as report:
        matching.take(outputs)
        comparing = Compared(tolerance, recording.answer_at, report)
        comparing.take_all(matching.matched())
    return comparing.result(recording.output_name)


def _run(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """The result of a coroutine, also where an event loop runs already, such as a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(main())
    found: list[T] = []
    failed: list[BaseException] = []

    def run() -> None:
        try:
            found.append(asyncio.run(main()))
        except BaseException as error:  # noqa: BLE001 (it is raised below)
            failed.append(error)

    thread = threading.Thread(target=run, name="modeldata-replay", daemon=True)
    thread.start()
    thread.join()
    if failed:
        raise failed[0]
    return found[0]

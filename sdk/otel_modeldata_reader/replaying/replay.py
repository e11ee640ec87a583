"""`Store.replay`: recorded requests to another endpoint, and its answers against the recorded outputs."""

from __future__ import annotations

import asyncio
import secrets
import sqlite3
import threading
from collections import Counter
from dataclasses import dataclass
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
from .result_files import difference_file, write_answers
from .sending import Pace, Progress, send_all

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Coroutine, Iterator, Mapping
    from typing import TypeVar

    from ..blobs.listing import CollectionBlobs
    from ..blobs.store_access import StoreAccess
    from ..window import Moment
    from .comparison import Comparison
    from .recorded_requests import RecordedRequest
    from .target import Target
    from .value_differences import Tolerance

    T = TypeVar("T")

__all__ = ["Recording", "ReplayPreview", "Replayed", "preview", "replay"]

REQUESTS: Final = "request"
RESPONSES: Final = "response"


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


def preview(
    store: StoreAccess, blobs_of: Callable[[str], CollectionBlobs], recording: Recording, limit: int | None = None
) -> ReplayPreview:
    """Read what a replay would send, and send nothing.

    Raises:
        ReaderError: as for `replay`.
    """
    source = _source(store, blobs_of(recording.input_name), window_of(recording.since, recording.until))
    first, requests, rows, size = None, 0, 0, 0
    for one in _requests(source, recording):
        if limit is not None and requests >= limit:
            break
        first = first or one
        requests, rows, size = requests + 1, rows + (one.rows or 0), size + len(one.body)
    return ReplayPreview(requests=requests, rows=rows, size=size, skipped=dict(source.skipped), first=first)


def replay(  # noqa: PLR0913 (most are keywords)
    store: StoreAccess,
    blobs_of: Callable[[str], CollectionBlobs],
    recording: Recording,
    target: Target,
    out: str | os.PathLike[str],
    *,
    pace: Pace,
    resume: bool,
    tolerance: Tolerance | None,
    report: Callable[[Progress], object],
) -> Replayed:
    """Send recorded requests to a target, and compare its answers.

    Args:
        store: has them.
        blobs_of: the blobs of a collection by its name.
        recording: what is replayed.
        target: where to.
        out: the folder of the journal and of the results.
        pace: how fast.
        resume: go on with the replay in `out`.
        tolerance: compare answers with recorded outputs; None does not.
        report: called a few times a second.

    Raises:
        UnknownNameError: no such collection or column.
        ReplayError: a wrong argument, or `out` has another replay.
        TargetUnavailableError: the target does not answer any more. What was answered is kept.
        StoreUnavailableError: the store cannot be read.
    """
    _check(recording, pace)
    inputs = blobs_of(recording.input_name)
    outputs = None if tolerance is None else blobs_of(recording.output_name)
    window = window_of(recording.since, recording.until)
    facts = {
        "store": store.shown,
        "collection": recording.input_name,
        "since": None if recording.since is None else str(recording.since),
        "until": None if recording.until is None else str(recording.until),
        "target": target.shown,
        "format": None if recording.from_requests else recording.form,
        "columns": None if recording.columns is None else list(recording.columns),
        "by": recording.by,
    }
    folder = Path(out)
    journal = Journal(folder, facts, resume=resume)
    try:
        run = journal.fact("run", secrets.token_hex(6))
        window = Window(**journal.fact("window", {"since": window.since, "until": window.until}))
        source = _source(store, inputs, window)
        requests = _requests(source, recording)
        progress = _run(lambda: send_all(requests, target, pace, journal, run=run, report=report))
        comparison = None
        if outputs is not None and tolerance is not None:
            later = Window(since=window.since, until=None if window.until is None else held(window.until + EDGE_NS))
            comparison = _compared(journal, _source(store, outputs, later), recording, tolerance)
        write_answers(journal)
        counts = journal.counts()
        return Replayed(
            target=target.shown,
            folder=folder,
            run=run,
            requests=counts[0],
            answered=counts[1],
            rows=counts[2],
            by_status=journal.statuses(),
            skipped=dict(source.skipped),
            latency_p50_ms=journal.latency(0.5),
            latency_p99_ms=journal.latency(0.99),
            progress=progress,
            comparison=comparison,
        )
    except sqlite3.Error as error:
        raise ReplayError(f"expected a folder that can be written, got {error}: {folder}") from None
    finally:
        journal.close()


def _check(recording: Recording, pace: Pace) -> None:
    format_named(recording.form)
    if recording.from_requests and (recording.by is not None or recording.columns is not None):
        raise ReplayError("expected no columns with recorded bodies, which are sent as they are: leave them out")
    if pace.concurrency < 1 or (pace.rate is not None and not pace.rate > 0) or not pace.timeout > 0:
        raise ReplayError(
            f"expected a concurrency of at least 1, and a rate and a timeout above 0, got {pace.concurrency}, "
            f"{pace.rate} and {pace.timeout}: correct them"
        )
    if pace.limit is not None and pace.limit < 1:
        raise ReplayError(f"expected a limit of at least 1 request, got {pace.limit}: leave it out")


def _source(store: StoreAccess, collection: CollectionBlobs, window: Window) -> Source:
    return Source(store=store, collection=collection, window=window, tally=Tally(strict=False), skipped=Counter())


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

"""Finds the recorded outputs of each request of a journal, by correlation id.

Outputs are copied into a file beside the journal while they are matched, so memory is bounded. A correlation id with
several requests is matched as a join does it: where traces, or times and order, leave one possibility.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..joining import join
from ..lines.envelope import is_utf8
from ..lines.erased_rows import without_rows
from ..lines.event_time import NO_TIME
from ..lines.payloads import is_binary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType

    from .journal import Journal
    from .recorded_requests import Source

    _Output = tuple[str, str | None, int | None, str | None, bytes]

__all__ = ["Matched", "Matching"]

_FILE: Final = ".outputs.sqlite"
_CHUNK: Final = 500
_CHUNK_BYTES: Final = 4 << 20
_MOST_OF_ID: Final = 100_000
"""Requests of one correlation id that are matched; their times and traces are in memory."""
_TABLES: Final = """\
CREATE TABLE outputs.recorded (n INTEGER PRIMARY KEY, correlationid TEXT, traceparent TEXT, time INTEGER, erased TEXT,
    content BLOB);
CREATE TABLE outputs.pairs (key TEXT PRIMARY KEY, n INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE outputs.repeated (correlationid TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_UNIQUE: Final = """\
INSERT INTO outputs.pairs
SELECT min(a.key), min(r.n) FROM answers a JOIN outputs.recorded r ON r.correlationid = a.correlationid
GROUP BY a.correlationid HAVING count(*) = 1
"""
_REPEATED: Final = """\
INSERT INTO outputs.repeated
SELECT correlationid FROM (
    SELECT correlationid, count(*) AS number FROM answers GROUP BY correlationid
) JOIN (
    SELECT correlationid, count(*) AS outputs FROM outputs.recorded GROUP BY correlationid
) USING (correlationid) WHERE number + outputs BETWEEN 3 AND ?
"""
_ALL: Final = """\
SELECT a.key, a.correlationid, a.rows, a.erased, a.slices, a.status, a.error, a.content, r.erased, r.content,
    EXISTS (SELECT 1 FROM outputs.recorded o WHERE o.correlationid = a.correlationid)
FROM answers a LEFT JOIN outputs.pairs p ON p.key = a.key LEFT JOIN outputs.recorded r ON r.n = p.n
ORDER BY a.number, a.key
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Matched:
    """A request, its answer and its recorded outputs.

    Attributes:
        key: of the request.
        correlation_id: of the request.
        rows: how many it has; None if that is not known.
        erased: the numbers of the rows that were erased from the request; None without.
        slices: the values of the slice column as a JSON array; None without.
        is_usable: whether the answer counts.
        answer: its body.
        recorded: the recorded outputs; None if there are none for certain.
        erased_outputs: the numbers of the rows that were erased from them; None without.
        is_uncertain: whether there are some that may be those of another request.
    """

    key: str
    correlation_id: str | None
    rows: int | None
    erased: str | None
    slices: str | None
    is_usable: bool
    answer: bytes
    recorded: bytes | None
    erased_outputs: str | None
    is_uncertain: bool


class Matching:
    """The file of the outputs while they are matched; it is removed at the end.

    Args:
        journal: has the requests.
    """

    def __init__(self, journal: Journal) -> None:
        self._connection = journal.connection
        self._path = journal.folder / _FILE

    def __enter__(self) -> Matching:  # noqa: PYI034 (`Self` is not in Python 3.10)
        self._path.unlink(missing_ok=True)
        os.close(os.open(self._path, os.O_CREAT | os.O_RDWR, 0o600))
        self._connection.execute("ATTACH DATABASE ? AS outputs", (str(self._path),))
        # It is worth nothing after a crash.
        self._connection.executescript("PRAGMA outputs.journal_mode=OFF; PRAGMA outputs.synchronous=OFF;" + _TABLES)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._connection.in_transaction:
            self._connection.execute("ROLLBACK")
        self._connection.execute("DETACH DATABASE outputs")
        self._path.unlink(missing_ok=True)

    def take(self, source: Source) -> None:
        """Take the outputs of requests of the journal.

        Raises:
            StoreUnavailableError: the store cannot be read.
        """
        chunk: list[_Output] = []
        size = 0
        for events, index, content in source.contents():
            one = events.envelopes[index]
            if not one.correlationid or is_binary(one) or not is_utf8(content):
                continue
            time = int(events.times[index])
            kept = without_rows(content, one.erasedrows) if one.erasedrows else content
            moment = None if time == NO_TIME else time
            chunk.append((one.correlationid, one.traceparent, moment, one.erasedrows, kept))
            size += len(content)
            if len(chunk) >= _CHUNK or size >= _CHUNK_BYTES:
                self._add(chunk)
                chunk, size = [], 0
        self._add(chunk)
        self._connection.executescript("CREATE INDEX outputs.recorded_by_id ON recorded (correlationid);")
        self._connection.execute(_UNIQUE)
        self._connection.execute(_REPEATED, (_MOST_OF_ID,))
        for group in self._repeated_groups():
            self._connection.executemany("INSERT INTO outputs.pairs VALUES (?, ?)", _certain(*group))

    def matched(self) -> Iterator[Matched]:
        """Every request of the journal, in order."""
        for *of_request, status, error, answer, erased_outputs, recorded, has_outputs in self._connection.execute(_ALL):
            key, correlation_id, rows, erased, slices = of_request
            yield Matched(
                key=key,
                correlation_id=correlation_id,
                rows=rows,
                erased=erased,
                slices=slices,
                is_usable=error is None and status is not None and 200 <= status < 300,
                answer=answer,
                recorded=recorded,
                erased_outputs=erased_outputs,
                is_uncertain=recorded is None and bool(has_outputs),
            )

    def _add(self, chunk: Sequence[_Output]) -> None:
        ids = list({one[0] for one in chunk})
        marks = ", ".join("?" * len(ids))
        query = f"SELECT DISTINCT correlationid FROM answers WHERE correlationid IN ({marks})"  # noqa: S608 (marks only)
        wanted = {correlation_id for (correlation_id,) in self._connection.execute(query, ids)}
        self._connection.execute("BEGIN")
        self._connection.executemany(
            "INSERT INTO outputs.recorded (correlationid, traceparent, time, erased, content) VALUES (?, ?, ?, ?, ?)",
            [one for one in chunk if one[0] in wanted],
        )
        self._connection.execute("COMMIT")

    def _repeated_groups(self) -> Iterator[tuple[list[Any], list[Any]]]:
        """The requests and the outputs of repeated ids, those of some ids at a time."""
        ids: list[str] = [one for (one,) in self._connection.execute("SELECT correlationid FROM outputs.repeated")]
        group: tuple[list[Any], list[Any]] = ([], [])
        for correlation_id in ids:
            group[0].extend(self._of_id("key, correlationid, traceparent, time FROM answers", correlation_id))
            group[1].extend(self._of_id("n, correlationid, traceparent, time FROM outputs.recorded", correlation_id))
            if len(group[0]) + len(group[1]) >= _MOST_OF_ID:
                yield group
                group = ([], [])
        yield group

    def _of_id(self, what: str, correlation_id: str) -> Sequence[Any]:
        return self._connection.execute(f"SELECT {what} WHERE correlationid = ?", (correlation_id,)).fetchall()


def _certain(requests: Sequence[Any], outputs: Sequence[Any]) -> list[tuple[str, int]]:
    """The pairs that a join of rows finds: a request is one row, with the number 0."""
    joined = join(_table("key", requests), _table("n", outputs)).table
    return list(zip(joined["key"].to_pylist(), joined["n"].to_pylist(), strict=True))


def _table(own: str, found: Sequence[Any]) -> Any:
    import pyarrow as pa  # noqa: PLC0415 (slow to import)

    keys, ids, traces, times = zip(*found, strict=True) if found else ((), (), (), ())
    return pa.table(
        {
            "row_id": pa.array([f"{one}_0" for one in ids], pa.string()),
            "correlationid": pa.array(ids, pa.string()),
            "time": pa.array(times, pa.timestamp("ns", "UTC")),
            "traceparent": pa.array(traces, pa.string()),
            own: pa.array(keys, pa.int64() if own == "n" else pa.string()),
        }
    )

"""The journal of a replay: which requests have an answer, and the answers.

A SQLite file in the folder of the replay. A request has one row, by its key, whatever was sent how often; a transaction
is in the file when it is committed, also if the process is killed then. The file is locked while a replay writes it.
"""

from __future__ import annotations

import json
import os
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ..exceptions import ReplayError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from .recorded_requests import RecordedRequest

__all__ = ["JOURNAL", "Answer", "Journal"]

JOURNAL: Final = "journal.sqlite"
_TABLES: Final = """\
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, number INTEGER NOT NULL, correlationid TEXT, traceparent TEXT, time INTEGER, rows INTEGER,
    erased TEXT, slices TEXT, sent_id TEXT NOT NULL, status INTEGER, error TEXT, attempts INTEGER NOT NULL,
    latency_ms REAL, content BLOB
);
CREATE INDEX IF NOT EXISTS answers_by_id ON answers (correlationid);
"""
_ADD: Final = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
_OK: Final = "(status BETWEEN 200 AND 299 AND error IS NULL)"
_FOLDER_MODE: Final = 0o700
"""Answers are as confidential as the store."""
_LOCKED: Final = "locked"
"""Part of what SQLite says about a file that another process writes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the target said to a request.

    Attributes:
        sent_id: the correlation id that was sent.
        status: of HTTP; None without an answer.
        error: why there is none, or none that can be used.
        attempts: how often it was sent.
        latency_ms: from the last sending to the end of its answer.
        content: the body of the answer.
    """

    sent_id: str
    status: int | None = None
    error: str | None = None
    attempts: int = 0
    latency_ms: float | None = None
    content: bytes = b""

    @property
    def is_usable(self) -> bool:
        """Whether it counts; a resumed replay sends a request again that has another one."""
        return self.error is None and self.status is not None and 200 <= self.status < 300


class Journal:
    """An open journal.

    Args:
        folder: of the replay; it is made if it is missing.
        facts: what identifies the replay. A journal with other facts is refused.
        resume: whether there may be a journal already.

    Raises:
        ReplayError: there is a journal already, one of another replay, none that can be read, or another process
            writes it.
    """

    def __init__(self, folder: Path, facts: Mapping[str, Any], *, resume: bool) -> None:
        self.folder = folder
        path = folder / JOURNAL
        if path.exists() and not resume:
            raise ReplayError(
                f"expected a new folder, got one with a replay, {folder}: choose another one, or continue this replay "
                "(--resume, resume=True)"
            )
        try:
            folder.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
            self.connection = sqlite3.connect(path, timeout=0.0, isolation_level=None, check_same_thread=False)
        except (OSError, sqlite3.Error) as error:
            reason = error.strerror if isinstance(error, OSError) else error
            raise ReplayError(f"expected a folder that can be written, got {reason}: {folder}") from None
        try:
            self._prepare(facts)
        except sqlite3.OperationalError as error:
            self.close()
            if _LOCKED not in str(error):  # a full disk, for example
                raise ReplayError(f"expected a folder that can be written, got {error}: {folder}") from None
            raise ReplayError(
                f"expected a journal that only this process writes, got {error}, {path}: wait until the other replay "
                "ends"
            ) from None
        except sqlite3.DatabaseError as error:
            self.close()
            raise ReplayError(f"expected the journal of a replay, got {error}: {path}; choose another folder") from None
        except ReplayError:
            self.close()
            raise

    def _prepare(self, facts: Mapping[str, Any]) -> None:
        self.connection.executescript(
            "PRAGMA locking_mode=EXCLUSIVE; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
        )
        self.connection.executescript(f"BEGIN IMMEDIATE; {_TABLES} COMMIT;")
        found = dict(self.connection.execute("SELECT name, value FROM facts"))
        given = {name: json.dumps(value) for name, value in facts.items()}
        for name, value in given.items():
            if name in found and found[name] != value:
                raise ReplayError(
                    f"expected the {name} of the replay in {self.folder}, {found[name]:.200}, got {value:.200}: give "
                    "the same, or choose another folder"
                )
        self.connection.executemany("INSERT OR IGNORE INTO facts VALUES (?, ?)", given.items())

    def fact(self, name: str, value: Any) -> Any:
        """A fact that a replay keeps over its starts: the first value that was given for it."""
        self.connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, json.dumps(value)))
        return json.loads(self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0])

    def answered(self, keys: Sequence[str]) -> set[str]:
        """Those of some keys, at most a few hundred, that have an answer."""
        marks = ", ".join("?" * len(keys))
        query = f"SELECT key FROM answers WHERE {_OK} AND key IN ({marks})"  # noqa: S608 (marks only)
        return {key for (key,) in self.connection.execute(query, list(keys))}

    def add(self, answers: Sequence[tuple[int, RecordedRequest, Answer]]) -> None:
        """Keep some answers, each with the number of its request; they are in the file when this returns."""
        self.connection.execute("BEGIN")
        self.connection.executemany(
            _ADD,
            [
                (
                    *(one.key, number, one.correlation_id, one.traceparent, one.time, one.rows, one.erased),
                    json.dumps(one.slices) if one.slices else None,
                    *(answer.sent_id, answer.status, answer.error, answer.attempts, answer.latency_ms, answer.content),
                )
                for number, one, answer in answers
            ],
        )
        self.connection.execute("COMMIT")

    def statuses(self) -> dict[str, int]:
        """How many requests have which status; those without an answer have the text of their error."""
        query = "SELECT coalesce(error, cast(status AS TEXT)), count(*) FROM answers GROUP BY 1 ORDER BY 1"
        return dict(self.connection.execute(query))

    def counts(self) -> tuple[int, int, int]:
        """How many requests there are, how many are answered, and how many rows have been sent."""
        query = f"SELECT count(*), coalesce(sum({_OK}), 0), coalesce(sum(rows), 0) FROM answers"  # noqa: S608 (a constant)
        requests, answered, rows = self.connection.execute(query).fetchone()
        return requests, answered, rows

    def latency(self, share: float) -> float | None:
        """The quantile of the latencies of answered requests, in milliseconds: the nearest rank."""
        answered = self.counts()[1]
        if not answered:
            return None
        rank = min(max(int(-(-share * answered // 1)) - 1, 0), answered - 1)
        query = f"SELECT latency_ms FROM answers WHERE {_OK} ORDER BY latency_ms LIMIT 1 OFFSET ?"  # noqa: S608 (a constant)
        return float(self.connection.execute(query, (rank,)).fetchone()[0])

    def refusal(self, most: int) -> str:
        """The first so many bytes of the first answer that is not of status 2xx; empty if there is none."""
        query = (
            f"SELECT substr(content, 1, ?) FROM answers WHERE NOT {_OK} AND length(content) > 0 ORDER BY number LIMIT 1"  # noqa: S608 (a constant)
        )
        found = self.connection.execute(query, (most,)).fetchone()
        return "" if found is None else bytes(found[0]).decode(errors="replace")

    def rows(self) -> Iterator[Mapping[str, Any]]:
        """All answers in the order of their requests, by the names of the columns."""
        cursor = self.connection.execute("SELECT * FROM answers ORDER BY number, key")
        names = [column[0] for column in cursor.description]
        for values in cursor:
            yield dict(zip(names, values, strict=True))

    def close(self) -> None:
        """Close the file; what was added is there."""
        self.connection.close()

"""The first answers of a large tail of lines: what they show is the newest there is, though most is still to read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from opened_studio import opened_studio, whole
from read_lines import COLLECTION, line, write

from otel_modeldata_studio.screens import explore
from otel_modeldata_studio.screens.newest_rows import newest
from otel_modeldata_studio.tables import tables

if TYPE_CHECKING:
    from pathlib import Path

DEPLOYMENT = COLLECTION.rpartition("/")[0]
OUTPUTS = f"{DEPLOYMENT}/model_outputs"
ROWS = 12_000
"""Of a kilobyte each: several times what is read at once."""


def write_rows(store: Path, replicas: int) -> None:
    """Rows of several receivers, each of which has a blob of its own."""
    for name in (COLLECTION, OUTPUTS):
        for replica in range(replicas):
            some = [
                line([{"n": at, "text": "x" * 700}], number=at, id=f"{name}-{at}", timens=str(1763805600 * 10**9 + at))
                for at in range(replica, ROWS, replicas)
            ]
            write(store, some, collection=name, hour="2025/11/22/10", replica=replica)


@pytest.mark.parametrize("replicas", [1, 5])
def test_the_first_page_has_the_newest_rows_with_their_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, replicas: int
) -> None:
    write_rows(tmp_path, replicas)
    monkeypatch.setattr(tables, "_READ_SECONDS", 0.0)
    with opened_studio(tmp_path) as studio:
        first = explore.rows(studio, deployment=DEPLOYMENT, columns=("inputs.n", "outputs.n"))
        assert first.pending > 0
        assert [row.values for row in first.rows] == [[at, at] for at in reversed(range(ROWS - 100, ROWS))]
        assert whole(lambda: explore.volume(studio, deployment=DEPLOYMENT)).total == ROWS
        last = explore.rows(studio, deployment=DEPLOYMENT, columns=("inputs.n", "outputs.n"))
        assert (last.rows, last.columns, last.pending) == (first.rows, first.columns, 0)


def test_the_responses_of_a_page_are_read_before_those_of_the_next_hour(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "_READ_SECONDS", 0.0)
    for hour in (10, 11):
        day = datetime(2025, 11, 22, hour, tzinfo=UTC)
        keys = {"number": hour, "timens": str(int(day.timestamp()) * 10**9)}
        write(tmp_path, [line(**keys)], hour=f"{day:%Y/%m/%d/%H}")
        answered = line({"score": [0.5]}, id=f"response-{hour}", statuscode="200", latencyms=str(hour), **keys)
        write(tmp_path, [answered], collection=f"{DEPLOYMENT}/response", hour=f"{day:%Y/%m/%d/%H}")
    with opened_studio(tmp_path) as studio:
        page = explore.rows(studio, deployment=DEPLOYMENT, until="2025-11-22T11:00:00Z")
        assert page.pending > 0
        assert [(row.id, row.latency_ms) for row in page.rows] == [("request-10_0", 10.0)]


def test_the_newest_rows_of_one_collection_are_the_newest_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_rows(tmp_path, 2)
    monkeypatch.setattr(tables, "_READ_SECONDS", 0.0)
    with opened_studio(tmp_path) as studio:
        first = newest(studio, collection=OUTPUTS)
        assert first.pending > 0
        assert [row.id for row in first.rows] == [f"request-{at}_0" for at in reversed(range(ROWS - 100, ROWS))]
        assert whole(lambda: newest(studio, collection=OUTPUTS)).rows == first.rows

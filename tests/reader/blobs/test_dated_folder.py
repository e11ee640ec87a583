"""Folders of a collection in the order of their times, and when they are closed."""

from __future__ import annotations

from otel_modeldata_reader.blobs.dated_folder import DatedFolder, dated_folders, is_closed
from otel_modeldata_reader.blobs.listing import collections_of, hours_of
from otel_modeldata_receiver.storage.store import StoredObject


def test_blobs_of_an_hour_are_together() -> None:
    names = ["a/b/c/2026/11/22/11/y.jsonl", "a/b/c/2026/11/22/10/x.jsonl", "a/b/c/2026/11/22/11/x.jsonl"]
    blobs = {name: StoredObject(name=name, size=1) for name in names}
    found = list(dated_folders(collections_of(blobs.values())["a/b/c"]))
    assert found == [
        DatedFolder(root="a/b/c", date="2026/11/22/10", blobs=(blobs[names[1]],)),
        DatedFolder(root="a/b/c", date="2026/11/22/11", blobs=(blobs[names[2]], blobs[names[0]])),
    ]
    assert [one.name for one in found] == ["a/b/c/2026/11/22/10", "a/b/c/2026/11/22/11"]


def test_a_folder_is_closed_when_its_time_and_that_of_late_events_has_ended() -> None:
    end = hours_of("2026/11/22/10")[1]
    quarter = 15 * 60 * 10**9
    assert not is_closed("2026/11/22/10", now_ns=end + quarter)
    assert is_closed("2026/11/22/10", now_ns=end + quarter + 1)
    assert is_closed("2026/11/22/10", 0, end + 1)
    assert not is_closed("2026/11/22", now_ns=end + quarter + 1)

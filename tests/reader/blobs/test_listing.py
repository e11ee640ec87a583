"""Collections are found by the dates in the names of blobs."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from otel_modeldata_reader.blobs.listing import collections_of, hours_of
from otel_modeldata_reader.window import Window
from otel_modeldata_receiver.layout import partition
from otel_modeldata_receiver.storage.store import StoredObject


def objects(*names: str) -> list[StoredObject]:
    return [StoredObject(name=name, size=1) for name in names]


def test_blobs_belong_to_the_folder_above_their_date() -> None:
    found = collections_of(
        objects(
            "shop/blue/inputs/2026/11/22/10/b.jsonl",
            "shop/blue/inputs/2026/11/21/23/z.jsonl",
            "shop/blue/inputs/2026/11/22/10/files/rows.json",
            "inputs/2023/01/01/01/data.jsonl",
            "2024/01/01/01/data.jsonl",
            "deep/er/than/three/2026/11/22/10/05/a.jsonl",
            "_quarantine/2026/11/22/10/a.jsonl",
            "_parked/shop/blue/inputs/2026/11/22/10/a.jsonl",
            "shop/blue/inputs_block_blob/2026/11/22/10/b.jsonl",
            "shop/blue/notes.txt",
        )
    )
    assert {root: [blob.name for blob in one.blobs] for root, one in found.items()} == {
        "": ["2024/01/01/01/data.jsonl"],
        "deep/er/than/three": ["deep/er/than/three/2026/11/22/10/05/a.jsonl"],
        "inputs": ["inputs/2023/01/01/01/data.jsonl"],
        "shop/blue/inputs": ["shop/blue/inputs/2026/11/21/23/z.jsonl", "shop/blue/inputs/2026/11/22/10/b.jsonl"],
    }
    assert dict(found["shop/blue/inputs"].objects) == {"shop/blue/inputs/2026/11/22/10/files/rows.json": 1}
    assert found["shop/blue/inputs"].names == ("shop", "blue", "inputs")
    assert found["inputs"].names is None


MOMENTS = st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=st.just(UTC))  # noqa: DTZ001


@given(MOMENTS, st.sampled_from(list(partition.RollingRate)))
def test_a_folder_of_the_receiver_has_the_times_of_its_events(moment: datetime, rate: partition.RollingRate) -> None:
    time_ns = int(moment.timestamp()) * 10**9
    folder = partition.folder("shop/blue/inputs", time_ns, rate)
    start, end = hours_of(folder.removeprefix("shop/blue/inputs/"))
    assert start <= time_ns < end
    for other in (start - 1, end):
        assert partition.folder("shop/blue/inputs", other, rate) != folder
    (found,) = collections_of(objects(f"{folder}/a.jsonl")).values()
    assert len(found.within(Window(since=time_ns, until=time_ns + 1))) == 1
    assert found.within(Window(since=end)) == []
    assert found.within(Window(until=start)) == []


@pytest.mark.parametrize("date", ["2026/13", "2026/02/30", "2026/11/22/24", "0000/01/01/00"])
def test_a_date_that_there_is_not_is_in_no_window(date: str) -> None:
    assert hours_of(date) == (0, 0)

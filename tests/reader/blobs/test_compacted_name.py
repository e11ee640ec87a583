"""Names of compacted folders, and back."""

from __future__ import annotations

import pytest

from otel_modeldata_reader.blobs.compacted_name import CompactedName, compacted_folder, compacted_name, manifest_name
from otel_modeldata_reader.blobs.listing import collections_of
from otel_modeldata_receiver.storage.store import StoredObject

FOLDERS = {
    "2026": "year=2026",
    "2026/11": "month=2026-11",
    "2026/11/22": "date=2026-11-22",
    "2026/11/22/10": "date=2026-11-22/hour=10",
    "2026/11/22/10/05": "date=2026-11-22/hour=10/minute=05",
}


@pytest.mark.parametrize("root", ["shop/blue/model_inputs", "x", ""])
@pytest.mark.parametrize("date", FOLDERS)
def test_a_name_says_the_folder_of_the_lines(root: str, date: str) -> None:
    folder = compacted_folder(root, date)
    assert folder == "/".join(filter(None, ("_parquet", root, FOLDERS[date])))
    assert compacted_name(manifest_name(root, date, 12)) == CompactedName(root, date, "manifest-000012.json")
    found = compacted_name(f"{folder}/manifest-000012.json")
    assert found is not None
    assert (found.number, found.folder) == (12, f"{root}/{date}" if root else date)
    part = compacted_name(f"{folder}/part-0.parquet")
    assert part is not None
    assert part.number is None


@pytest.mark.parametrize(
    "name", ["_parquet/x", "shop/date=2026-11-22/x", "_parquet/shop/date=26/x", "_parquet/a/hour=10/x"]
)
def test_other_names_are_in_no_compacted_folder(name: str) -> None:
    assert compacted_name(name) is None


def test_a_collection_without_lines_is_one_and_leftovers_are_none() -> None:
    objects = [
        StoredObject(name=manifest_name("shop/blue/dropped", "2026/11/22/10", 2), size=9),
        StoredObject(name=f"{compacted_folder('shop/blue/interrupted', '2026/11/22/10')}/part-0.parquet", size=9),
        StoredObject(name="shop/blue/dropped/2026/11/22/10/files/large.json", size=5),
    ]
    (found,) = collections_of(objects).values()
    assert (found.root, found.blobs) == ("shop/blue/dropped", ())
    assert found.compacted == {"2026/11/22/10": {"manifest-000002.json": 9}}
    assert found.objects == {"shop/blue/dropped/2026/11/22/10/files/large.json": 5}

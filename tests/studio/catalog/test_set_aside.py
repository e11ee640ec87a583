"""What receivers have set aside: records in quarantine by name and reason, and parked lines, each read once."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from typing import TYPE_CHECKING

from looked_store import INPUTS, hour
from read_lines import line, write
from shop_store import quarantine

import otel_modeldata_reader as reader
from otel_modeldata_studio.catalog import quarantine as quarantine_module
from otel_modeldata_studio.catalog.parked import Parked, ParkedCollection
from otel_modeldata_studio.catalog.quarantine import Quarantine

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

MOMENT = dt.datetime(2026, 11, 22, 10, tzinfo=dt.UTC)


def test_records_are_counted_by_name_and_reason(tmp_path: Path) -> None:
    quarantine(tmp_path, MOMENT, collection="model_inputs", body="[1]")
    quarantine(tmp_path, MOMENT, collection="model_inputs", body="[2]")
    quarantine(tmp_path, MOMENT, collection="../inputs", body='[{"a": 1}]')
    with reader.open(tmp_path) as store:
        found = Quarantine(store.objects).look(store.objects.walk())
    assert found.records == 3
    assert found.names == Counter({INPUTS: 2, "shop/blue/../inputs": 1})
    assert found.kinds == {INPUTS: Counter({"body not rows": 2}), "shop/blue/../inputs": Counter({"name": 1})}
    assert (found.of(INPUTS), found.of("shop/blue"), found.of("SHOP/Blue"), found.of("shop/b")) == (2, 3, 3, 0)
    assert [(one.deployment, one.collection, one.records) for one in found.newest] == [
        ("shop/blue", "../inputs", 1),
        ("shop/blue", "model_inputs", 1),
        ("shop/blue", "model_inputs", 1),
    ]


def test_what_is_appended_is_read_once_and_a_torn_line_when_it_is_whole(tmp_path: Path) -> None:
    quarantine(tmp_path, MOMENT, collection="model_inputs", body="[1]")
    (blob,) = (tmp_path / "_quarantine").rglob("*.jsonl")
    whole = blob.read_bytes()
    with reader.open(tmp_path) as store:
        looked = Quarantine(store.objects)
        blob.write_bytes(whole + whole[:50])
        assert looked.look(store.objects.walk()).records == 1
        blob.write_bytes(whole + whole + b"no JSON\n")
        found = looked.look(store.objects.walk())
        assert (found.records, found.unreadable) == (2, 1)
        assert looked.look(store.objects.walk()) is found
        blob.unlink()
        assert looked.look(store.objects.walk()).records == 0


def test_of_a_large_quarantine_the_newest_bytes_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(5):
        quarantine(tmp_path, MOMENT, collection="model_inputs", body=f"[{number}]")
    (blob,) = (tmp_path / "_quarantine").rglob("*.jsonl")
    monkeypatch.setattr(quarantine_module, "MOST_BYTES", blob.stat().st_size // 2)
    with reader.open(tmp_path) as store:
        found = Quarantine(store.objects).look(store.objects.walk())
    assert found.records == 2
    assert found.left == blob.stat().st_size - blob.stat().st_size // 2


def test_parked_lines_are_counted_by_collection(tmp_path: Path) -> None:
    first = write(tmp_path, [line(), line(number=1)], collection=f"_parked/{INPUTS}", hour=hour(3))
    write(tmp_path, [line(number=2)], collection=f"_parked/{INPUTS}", hour=hour(1))
    delivered = write(tmp_path, [line()], collection="_parked/shop/blue/model_outputs", hour=hour(1))
    size = delivered.stat().st_size
    delivered.with_name(f"{delivered.stem}-{size}-{'0' * 64}.delivered").write_bytes(b"")
    with reader.open(tmp_path) as store:
        parked = Parked(store.objects)
        found = parked.look(store.objects.walk())
        sizes = sum(one.size for one in store.objects.walk(f"_parked/{INPUTS}"))
        expected = {"root": INPUTS, "place": "shop/blue", "oldest": hour(3), "is_counted": True}
        assert found == {INPUTS: ParkedCollection(lines=3, size=sizes, **expected)}
        with first.open("ab") as blob:
            blob.write(line(number=3))
        assert parked.look(store.objects.walk())[INPUTS].lines == 4

"""Lines that wait for a datastore are in the receiver's own store, below `_parked/_at/`: `erase` there finds them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from local_blobs import files_below
from planted_person import INSTANCE
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.exceptions import UnknownNameError
from otel_modeldata_receiver.mapping.cloudevent import rows_object_name
from otel_modeldata_receiver.storage.parking.parked_names import parked_object

if TYPE_CHECKING:
    from pathlib import Path

HOUR = "2026/11/22/10"
ROOT = "_at/local/inputs"
OWN = "shop/blue/model_inputs"


def _plant(store: Path, *, with_others: bool) -> None:
    """Lines of two deployments for one datastore: the first of each has its rows in an object."""
    for replica, endpoint in enumerate(("shop", "bank")):
        content = b'[{"who":"a person"}]'
        name = f"{ROOT}/{HOUR}/files/{rows_object_name(f'{endpoint}-0', content)}"
        parked = store / parked_object(name, "application/json")
        parked.parent.mkdir(parents=True, exist_ok=True)
        parked.write_bytes(content)
        source = f"/endpoints/{endpoint}/deployments/blue"
        lines = [
            line(
                None,
                number=10 * replica,
                id=f"{endpoint}-0",
                source=source,
                dataref=f"/datastore/{name.removeprefix(ROOT)}",
            ),
            *(line(number=10 * replica + n, id=f"{endpoint}-{n}", source=source) for n in (1, 2)),
        ]
        write(store, lines, collection=f"_parked/{ROOT}", replica=int(INSTANCE, 16) + replica)
    if with_others:
        write(store, [line(number=99)], collection=OWN)


def _ids(store: Path) -> set[str]:
    text = b"".join(content for name, content in files_below(store).items() if name.endswith(".jsonl")).decode()
    return {f"{endpoint}-{n}" for endpoint in ("shop", "bank") for n in range(3) if f'"id": "{endpoint}-{n}"' in text}


def _objects(store: Path) -> int:
    return sum("/files/" in name for name in files_below(store))


@pytest.mark.parametrize("with_others", [True, False])
def test_events_that_wait_for_a_datastore_are_erased_with_their_payloads(tmp_path: Path, *, with_others: bool) -> None:
    _plant(tmp_path, with_others=with_others)
    with reader.open(tmp_path) as store:
        planned = store.erase(ids=["shop-0", "bank-2"])
        assert (_objects(tmp_path), len(_ids(tmp_path))) == (2, 6)
        receipt = store.erase(ids=["shop-0", "bank-2"], dry_run=False)
    assert receipt.hours == planned.hours
    assert [(hour.root, hour.date, hour.events) for hour in receipt.hours] == [(ROOT, HOUR, 2)]
    assert _ids(tmp_path) == {"shop-1", "shop-2", "bank-0", "bank-1"}
    assert _objects(tmp_path) == 1


@pytest.mark.parametrize("scope", ["shop/blue", OWN])
def test_of_a_deployment_only_its_own_events_go(tmp_path: Path, scope: str) -> None:
    """The folder in a datastore does not say whose events it has; their source does."""
    _plant(tmp_path, with_others=True)
    with reader.open(tmp_path) as store:
        store.erase(scope, ids=["shop-0", "shop-1", "bank-1"], dry_run=False)
    assert _ids(tmp_path) == {"bank-0", "bank-1", "bank-2", "shop-2"}


def test_rows_that_wait_are_chosen_by_a_condition_about_their_folder(tmp_path: Path) -> None:
    _plant(tmp_path, with_others=True)
    with reader.open(tmp_path) as store:
        receipt = store.erase(ROOT, where="event_id in ('shop-1', 'bank-2')", dry_run=False)
        assert (receipt.rows, receipt.is_done) == (2, True)
        with pytest.raises(UnknownNameError, match=rf"got '_at/local/input': did you mean '{ROOT}'\?"):
            store.erase("_at/local/input", where="event_id = 'shop-2'")
    assert _ids(tmp_path) == {"shop-0", "shop-2", "bank-0", "bank-1"}

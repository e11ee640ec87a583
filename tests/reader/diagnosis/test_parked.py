"""Lines that wait because their own place takes none: whose they are, and what a diagnosis says of others'."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from missing_data import causes, folder, sentence
from read_lines import line, write

import otel_modeldata_reader as reader
from otel_modeldata_reader.diagnosis import parked
from otel_modeldata_receiver.storage.parking.parked_names import DeliveredMark, delivered_mark

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

NAME = "credit/blue/model_inputs"
LAKE = "_at/lake/in"


def park(store: Path, root: str, *sources: str | None, replica: int = 0, **keys: Any) -> Path:
    """Park a line of each source; None names no deployment."""
    lines = [
        line(number=number, source="/machine/7" if source is None else f"/endpoints/{source}", **keys)
        for number, source in enumerate(sources)
    ]
    return write(store, lines, collection=f"_parked/{root}", hour=folder(0), replica=replica)


OURS = "credit/deployments/blue"
OTHER = "fraud/deployments/red"


def outcomes(diagnosis: reader.Diagnosis) -> list[tuple[str, str]]:
    return [(one.cause, one.outcome) for one in diagnosis.findings if one.step == "parked"]


def test_parked_lines_wait_for_their_place(tmp_path: Path) -> None:
    park(tmp_path, NAME, OURS, OURS)
    (tmp_path / "credit").write_text("no folder")
    found = reader.why(tmp_path, NAME)
    assert (found.has_data, causes(found)) == (False, [("folder_unreadable", "stopped"), ("parked", "stopped")])
    assert sentence(found, "parked") == (
        "2 line(s) are parked in _parked/, because the place of credit/blue takes none (expected a folder to write to, "
        f"got a file at '{tmp_path}/credit'): nothing is lost; repair the place, and the receiver that parked them "
        "delivers them while it runs"
    )


def test_of_the_lines_for_a_datastore_those_of_the_deployment_are_found_by_their_source(tmp_path: Path) -> None:
    park(tmp_path, LAKE, OURS, OTHER, OURS, OTHER, OTHER)
    audit = "otel-modeldata audit --running --endpoint {} --deployment {} --collection model_inputs --store {}"
    for tenant, count in (("credit/blue", 2), ("fraud/red", 3)):
        found = reader.why(tmp_path, f"{tenant}/model_inputs")
        assert outcomes(found) == [("parked", "stopped")]
        assert sentence(found, "parked").startswith(
            f"{count} line(s) are parked in _parked/, because the place of datastore 'lake' takes none: nothing is lost"
        )
        (run,) = (one.run for one in found.findings if one.cause == "parked")
        assert run == (audit.format(*tenant.split("/"), tmp_path),)
    assert sentence(reader.why(tmp_path), "parked").startswith("5 line(s) are parked")
    assert outcomes(reader.why(tmp_path, "credit")) == [("parked", "stopped")]


def test_lines_of_others_are_one_word_where_nothing_is_wrong(tmp_path: Path) -> None:
    write(tmp_path, [line()], hour=folder(0), collection="shop/green/model_inputs")
    park(tmp_path, LAKE, OURS, OTHER)
    park(tmp_path, "bank/a/model_inputs", "bank/deployments/a")
    park(tmp_path, "bank/b/model_inputs", "bank/deployments/b")
    for name in ("shop/green", "shop/green/model_inputs"):
        found = reader.why(tmp_path, name)
        assert (found.has_data, causes(found)) == (True, [])
        assert sentence(found, "nothing_parked") == (
            f"no line of {name} waits for its place; others do, of bank/a, bank/b, credit/blue and 1 more"
        )
    outputs = reader.why(tmp_path, "credit/blue/model_outputs")
    assert outcomes(outputs) == [("nothing_parked", "ok")]


def test_lines_that_name_no_deployment_may_be_of_any(tmp_path: Path) -> None:
    park(tmp_path, LAKE, None, OTHER)
    found = reader.why(tmp_path, NAME)
    assert outcomes(found) == [("parked_without_name", "suspect")]
    assert sentence(found, "parked_without_name") == (
        "1 line(s) in _parked/ wait for datastore 'lake' and do not say of which deployment or collection they are, so "
        f"they may be of {NAME}"
    )
    assert outcomes(reader.why(tmp_path, "credit/blue/model_outputs")) == [("nothing_parked", "ok")]


def test_a_folder_of_the_operator_is_asked_for_by_its_name(tmp_path: Path) -> None:
    """What waits for it is its own, whatever the sources say; an audit has no name for it."""
    for root in ("lake/of/credit/inputs", LAKE):
        park(tmp_path, root, OURS)
        found = reader.why(tmp_path, root)
        assert outcomes(found) == [("parked", "stopped")]
        (run,) = (one.run for one in found.findings if one.cause == "parked")
        assert run == (f"otel-modeldata audit --running --store {tmp_path}",)
    assert outcomes(reader.why(tmp_path, "lake/of/credit/outputs")) == [("nothing_parked", "ok")]
    assert outcomes(reader.why(tmp_path, NAME)) == [("parked", "stopped")] * 2


def test_names_are_the_same_in_any_case(tmp_path: Path) -> None:
    park(tmp_path, "Credit/Blue/Model_Inputs", OURS)
    park(tmp_path, LAKE, "CREDIT/deployments/BLUE")
    assert outcomes(reader.why(tmp_path, NAME)) == [("parked", "stopped")] * 2


def test_lines_that_are_delivered_and_could_not_be_removed_do_not_wait(tmp_path: Path) -> None:
    blob = park(tmp_path, NAME, OURS)
    content = blob.read_bytes()
    name = str(blob.relative_to(tmp_path))
    digest = hashlib.sha256(content).hexdigest()
    (tmp_path / delivered_mark(DeliveredMark(name, len(content), digest))).touch()
    assert outcomes(reader.why(tmp_path, NAME)) == [("nothing_parked", "ok")]


def test_of_many_parked_lines_the_newest_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = park(tmp_path, LAKE, *[OTHER] * 20).stat().st_size
    monkeypatch.setattr(parked, "MOST_BYTES", size // 2)
    found = reader.why(tmp_path, NAME)
    assert outcomes(found) == [("parked_not_checked", "not checked")]
    park(tmp_path, NAME, *[OURS] * 5)
    assert sentence(reader.why(tmp_path, NAME), "parked").startswith("at least 5 line(s) are parked")


def test_a_hostile_store_has_many_places_and_damaged_lines(tmp_path: Path) -> None:
    for number in range(30):
        blob = park(tmp_path, f"_at/lake{number}/in", OURS, replica=number)
        with blob.open("ab") as file:
            file.write(b"[" * 10_000 + b'\n\xff\n\n{"source":1,"type":"x"}\nno end')
    found = reader.why(tmp_path, NAME)
    assert outcomes(found) == [("parked", "stopped")] * 6
    assert any("25 line(s)" in one.sentence and "25 further places" in one.sentence for one in found.findings)

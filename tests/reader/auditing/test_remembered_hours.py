"""An audit that remembers hours finds exactly what one finds that reads every line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from audited_lines import SOURCE, line
from hypothesis import given, settings
from hypothesis import strategies as st
from sealed_store import append, audited, blob_of, found, seal

from otel_modeldata_reader.auditing.audit import Selection

if TYPE_CHECKING:
    from pathlib import Path

COLLECTIONS = ("model_inputs", "model_outputs")


STEPS = st.lists(
    st.one_of(
        st.just(("seal",)),
        st.tuples(
            st.sampled_from(["line"] * 6 + ["torn", "hour", "tenant", "size", "dataref", "unnumbered", "blank"]),
            st.sampled_from(COLLECTIONS),
            st.integers(0, 2),  # hour
            st.integers(0, 1),  # blob
            st.integers(0, 6),  # event
            st.sampled_from(["p", "q"]),
            st.sampled_from(["credit/blue", "credit/green"]),
        ),
    ),
    max_size=30,
)


def take(store: Path, step: tuple[Any, ...]) -> None:
    if step[0] == "seal":
        seal(store) if store.exists() and any(store.iterdir()) else None
        return
    fate, collection, hour, blob, event, producer, tenant = step
    source = SOURCE if (tenant == "credit/blue") != (fate == "tenant") else SOURCE.replace("blue", "green")
    keys: dict[str, Any] = {
        "id": f"event-{event}",
        "type": f"azureml.inference.{collection}",
        "time": f"2026-11-22T{10 + hour + (fate == 'hour')}:00:00Z",
        "producer": producer,
        "source": source,
    }
    if fate == "size":
        keys["contentrange"] = "bytes 0-98/99"
    if fate == "dataref":
        keys |= {"data": None, "dataref": f"x/{tenant}/{collection}/2026/11/22/{10 + hour}/files/rows-{event}.json"}
    raw = line(None if fate == "unnumbered" else event, **keys) + b"\n"
    content = {"torn": raw[: len(raw) // 2], "blank": b"\n"}.get(fate, raw)
    append(blob_of(store, tenant, collection, hour, blob), content)


@pytest.mark.slow
@settings(max_examples=60)
@given(STEPS)
def test_the_result_is_the_same_whatever_is_remembered(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[Any, ...]]
) -> None:
    """Ids repeat in an hour, in its late lines and in other hours; lines are torn, misplaced and forged."""
    store = tmp_path_factory.mktemp("store")
    for step in steps:
        take(store, step)
    assert found(audited(store, use_seals=True)) == found(audited(store, use_seals=False))


def store_of_three_hours(store: Path) -> None:
    for hour in range(3):
        lines = [line(number, time=f"2026-11-22T{10 + hour}:00:00Z") for number in range(10 * hour, 10 * hour + 10)]
        append(blob_of(store, "credit/blue", "model_inputs", hour, 0), b"".join(one + b"\n" for one in lines))


def test_a_second_audit_reads_new_bytes_only(tmp_path: Path) -> None:
    store_of_three_hours(tmp_path)
    assert seal(tmp_path) == ["sealed"] * 3
    size = sum(path.stat().st_size for path in tmp_path.glob("credit/**/*.jsonl"))
    assert audited(tmp_path, use_seals=True).remembered == (3, size)
    append(blob_of(tmp_path, "credit/blue", "model_inputs", 1, 0), line(30, time="2026-11-22T11:00:00Z") + b"\n")
    late = audited(tmp_path, use_seals=True)
    assert late.remembered == (3, size), "only the late line was read"
    assert (late.ledger.lines, late.reconciliations[0].stored, late.reconciliations[0].gaps) == (31, 31, [])


def test_an_hour_that_shares_an_id_with_an_earlier_one_is_read_again(tmp_path: Path) -> None:
    store_of_three_hours(tmp_path)
    append(blob_of(tmp_path, "credit/blue", "model_inputs", 2, 0), line(3, time="2026-11-22T12:00:00Z") + b"\n")
    seal(tmp_path)
    result = audited(tmp_path, use_seals=True)
    assert result.ledger.duplicated.locations[0].blob.startswith("credit/blue/model_inputs/2026/11/22/12/")
    assert (result.ledger.duplicated.count, result.reconciliations[0].stored) == (1, 30)


def test_the_payloads_of_remembered_lines_are_looked_for_again(tmp_path: Path) -> None:
    folder = "credit/blue/model_inputs/2026/11/22/10"
    raw = line(
        data=None, dataref=f"x/{folder}/files/rows.json", contentrange="bytes 0-9/10", time="2026-11-22T10:00:00Z"
    )
    append(blob_of(tmp_path, "credit/blue", "model_inputs", 0, 0), raw + b"\n")
    payload = tmp_path / folder / "files/rows.json"
    payload.parent.mkdir()
    payload.write_bytes(b'[{"a":123}]'[:10])
    seal(tmp_path)
    assert (audited(tmp_path, use_seals=True).ledger.dataref.count, seal(tmp_path)) == (0, ["sealed"])
    payload.write_bytes(b"[]")
    assert audited(tmp_path, use_seals=True).ledger.content_range.count == 1
    payload.unlink()
    assert audited(tmp_path, use_seals=True).ledger.dataref.count == 1


def test_sealed_bytes_that_are_gone_are_a_finding(tmp_path: Path) -> None:
    store_of_three_hours(tmp_path)
    seal(tmp_path)
    blob = blob_of(tmp_path, "credit/blue", "model_inputs", 1, 0)
    content = blob.read_bytes()
    blob.write_bytes(content[: content.index(b"\n") + 1])
    result = audited(tmp_path, use_seals=True)
    assert [(one.kind, one.expected, one.found) for one in result.seals] == [
        ("vanished", len(content), content.index(b"\n") + 1)
    ]
    assert result.reconciliations[0].gaps == [(11, 19)]
    blob.unlink()
    assert [(one.kind, one.found) for one in audited(tmp_path, use_seals=False).seals] == [("vanished", 0)]


def test_sealed_bytes_that_are_others_are_found_when_they_are_read_again(tmp_path: Path) -> None:
    store_of_three_hours(tmp_path)
    blob = blob_of(tmp_path, "credit/blue", "model_inputs", 1, 0)
    blob.write_bytes(blob.read_bytes() + b"\n" * 5000)
    seal(tmp_path)
    blob.write_bytes(blob.read_bytes().replace(b'"producersequence":"12"', b'"producersequence":"99"'))
    assert audited(tmp_path, use_seals=True).reconciliations[0].gaps == [], "name, size and end are the same"
    result = audited(tmp_path, use_seals=True, verify=True)
    assert [one.kind for one in result.seals] == ["changed"]
    assert (12, 12) in result.reconciliations[0].gaps


def test_another_blob_of_a_sealed_name_is_found_by_its_last_bytes(tmp_path: Path) -> None:
    """It was restored from another copy, for example, and lines were appended since."""
    store_of_three_hours(tmp_path)
    seal(tmp_path)
    blob = blob_of(tmp_path, "credit/blue", "model_inputs", 1, 0)
    other = [line(number, time="2026-11-22T11:00:00Z") + b"\n" for number in (10, *range(30, 50))]
    blob.write_bytes(b"".join(other))
    result = audited(tmp_path, use_seals=True)
    assert [(one.kind, one.blob.rpartition("/")[2]) for one in result.seals] == [("changed", blob.name)]
    assert (result.remembered[0], result.reconciliations[0].stored, result.reconciliations[0].gaps) == (
        2,
        41,
        [(11, 19)],
    )


@pytest.mark.parametrize("damage", [b"", b"x", b"otel-modeldata audit 1\n" + b"\xff" * 24])
def test_a_damaged_memory_is_not_used(tmp_path: Path, damage: bytes) -> None:
    store_of_three_hours(tmp_path)
    seal(tmp_path)
    for memory in tmp_path.glob("_sealed/**/*.audit"):
        memory.write_bytes(damage)
    result = audited(tmp_path, use_seals=True)
    assert (result.remembered, found(result)) == ((0, 0), found(audited(tmp_path, use_seals=False)))


def test_hours_that_are_not_selected_are_not_remembered(tmp_path: Path) -> None:
    store_of_three_hours(tmp_path)
    seal(tmp_path)
    selection = Selection(first="2026/11/22/11", last="2026/11/22/11")
    result = audited(tmp_path, use_seals=True, selection=selection)
    assert (result.remembered[0], result.ledger.lines) == (1, 10)

"""The checker of histories finds every planted violation, names the ids, and reports nothing else."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from history import HistoryError, Sent, check, check_refusals, examine
from hypothesis import given
from hypothesis import strategies as st
from otlp_requests import record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TENANTS = ("credit/blue", "credit/green", "fraud/blue")
COLLECTIONS = ("model_inputs", "model_outputs")
HOUR = "2026/11/22/12"
INSTANCES = ("0" * 32, "f" * 32)


def sent(number: int, tenant: str = "credit/blue", collection: str = "model_inputs") -> Sent:
    return Sent(
        id=f"{tenant}/{collection}/{number}",
        tenant=tenant,
        collection=collection,
        producer=f"producer-of-{tenant}",
        sequence=number,
        hour=HOUR,
    )


def blob_of(one: Sent, instance: str = INSTANCES[0], ordinal: int = 0) -> str:
    return f"{one.tenant}/{one.collection}/{one.hour}/{instance}{ordinal:06d}.jsonl"


def line_of(one: Sent, **changes: Any) -> bytes:
    endpoint, _, deployment = (one.tenant or "").partition("/")
    event = {
        "specversion": "1.0",
        "id": one.id,
        "source": f"/endpoints/{endpoint}/deployments/{deployment}",
        "type": f"azureml.inference.{one.collection}",
        "time": "2026-11-22T12:30:00Z",
        "data": [{"x": 1}],
        "producer": one.producer,
        "producersequence": str(one.sequence),
    }
    return json.dumps(event | changes).encode() + b"\n"


def quarantine_line(event_id: str | None, reason: str = "name: expected ..") -> bytes:
    raw = record(event_id=event_id).SerializeToString()
    line = {"reason": reason, "id": f"digest-of-{event_id}", "record": base64.b64encode(raw).decode()}
    return json.dumps(line).encode() + b"\n"


@dataclass
class Scene:
    """A correct history, to plant faults in."""

    events: list[Sent]
    blobs: dict[str, bytes]
    lost: dict[str, str]

    def stored(self) -> list[Sent]:
        return [one for one in self.events if one.id not in self.lost and one.id not in self.quarantined()]

    def quarantined(self) -> list[str]:
        lines = b"".join(content for blob, content in self.blobs.items() if blob.startswith("_quarantine/"))
        ids = [json.loads(line)["id"] for line in lines.splitlines()]
        return [key.removeprefix("digest-of-") for key in ids]

    def problems(self) -> list[str]:
        acked = [one.id for one in self.events if one.id not in self.lost]
        store = self.blobs
        return examine(accepted=self.events, acked=acked, lost=self.lost, store=store).broken


def scene(events: list[Sent], fates: list[str], ordinals: list[int]) -> Scene:
    made = Scene(events, {}, {})
    for one, fate, ordinal in zip(events, fates, ordinals, strict=True):
        if fate == "lost":
            made.lost[one.id] = "shutdown"
            continue
        blob = (
            blob_of(one, INSTANCES[ordinal % 2], ordinal) if fate == "stored" else f"_quarantine/{HOUR}/q000000.jsonl"
        )
        line = line_of(one) if fate == "stored" else quarantine_line(one.id)
        made.blobs[blob] = made.blobs.get(blob, b"") + line
    return made


@st.composite
def scenes(draw: st.DrawFn) -> Scene:
    numbers = draw(
        st.lists(
            st.tuples(st.integers(0, 30), st.sampled_from(TENANTS), st.sampled_from(COLLECTIONS)),
            min_size=2,
            unique=True,
            max_size=40,
        )
    )
    events = [sent(*number) for number in numbers]
    size = len(events)
    fates = draw(st.lists(st.sampled_from(["stored", "stored", "lost", "quarantined"]), min_size=size, max_size=size))
    fates[0] = "stored"
    return scene(events, fates, draw(st.lists(st.integers(0, 3), min_size=size, max_size=size)))


# --- Faults to plant: each returns the start of the expected message and the id in it ---


def drop(made: Scene, one: Sent) -> tuple[str, str]:
    """A line disappears."""
    for blob, content in made.blobs.items():
        made.blobs[blob] = content.replace(line_of(one), b"")
    return "I1 accepted, but neither stored, lost nor in quarantine", one.id


def double(made: Scene, one: Sent) -> tuple[str, str]:
    """A line is stored again, maybe by another writer."""
    blob = blob_of(one, INSTANCES[len(made.events) % 2], 7)
    made.blobs[blob] = made.blobs.get(blob, b"") + line_of(one)
    return "I2 stored more than once", one.id


def stray(made: Scene, one: Sent) -> tuple[str, str]:
    """A line is under another tenant."""
    drop(made, one)
    blob = blob_of(sent(0, "intruder/blue"))
    made.blobs[blob] = made.blobs.get(blob, b"") + line_of(one)
    return "I3 under a wrong path", one.id


def late(made: Scene, one: Sent) -> tuple[str, str]:
    """A line is in the hour of its arrival instead of its own."""
    drop(made, one)
    blob = blob_of(one).replace(HOUR, "2026/11/22/13")
    made.blobs[blob] = made.blobs.get(blob, b"") + line_of(one)
    return "I3 under a wrong path", one.id


def garble(made: Scene, one: Sent) -> tuple[str, str]:
    """A line is cut in two by an LF."""
    for blob, content in made.blobs.items():
        line = line_of(one)
        made.blobs[blob] = content.replace(line, line[:20] + b"\n" + line[20:])
    return "I3 unreadable", "_source_"


def tear(made: Scene, one: Sent) -> tuple[str, str]:
    """A blob ends in the middle of a line."""
    blob = blob_of(one, ordinal=8)
    made.blobs[blob] = made.blobs.get(blob, b"") + line_of(one)[:30]
    return "I3 unreadable", blob


def renumber(made: Scene, one: Sent) -> tuple[str, str]:
    """A line has another number than was sent."""
    for blob, content in made.blobs.items():
        made.blobs[blob] = content.replace(line_of(one), line_of(one, producersequence="999"))
    return "I3 not what was sent", one.id


def invent(made: Scene, one: Sent) -> tuple[str, str]:
    """A line that was not sent is stored."""
    ghost = sent(10_000)
    blob = blob_of(ghost)
    made.blobs[blob] = made.blobs.get(blob, b"") + line_of(ghost)
    return "I1 stored, but never accepted", ghost.id


def report_wrongly(made: Scene, one: Sent) -> tuple[str, str]:
    """An event is reported lost although it is stored."""
    made.lost[one.id] = "refused"
    return "I1 reported lost, but it is there", one.id


def both(made: Scene, one: Sent) -> tuple[str, str]:
    """An event is stored and in quarantine."""
    blob = f"_quarantine/{HOUR}/q000001.jsonl"
    made.blobs[blob] = made.blobs.get(blob, b"") + quarantine_line(one.id)
    return "I2 stored and in quarantine", one.id


def lose_silently(made: Scene, one: Sent) -> tuple[str, str]:
    """An event is lost without a reason."""
    drop(made, one)
    made.lost[one.id] = ""
    return "I4 lost without a reason", one.id


FAULTS = (drop, double, stray, late, garble, tear, renumber, invent, report_wrongly, both, lose_silently)


@given(made=scenes())
def test_a_correct_history_passes_with_its_counts(made: Scene) -> None:
    assert made.problems() == []
    counts = check(accepted=made.events, lost=made.lost, store=made.blobs, quarantined=made.quarantined())
    assert (counts.accepted, counts.copies, counts.lost) == (len(made.events), 0, len(made.lost))
    assert counts.stored == len(made.stored()) == len(made.events) - len(made.lost) - counts.quarantined


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
@given(made=scenes(), choice=st.integers(0, 1000))
def test_every_planted_fault_is_found_and_its_id_named(
    fault: Callable[[Scene, Sent], tuple[str, str]], made: Scene, choice: int
) -> None:
    victim = made.stored()[choice % len(made.stored())]
    verdict, key = fault(made, victim)
    found = [line for line in made.problems() if line.startswith(verdict)]
    assert len(found) == 1
    assert key == "_source_" or key in found[0]
    with pytest.raises(HistoryError, match=verdict):
        check(accepted=made.events, acked=[victim.id], lost=made.lost, store=made.blobs)


def test_a_missing_acknowledged_event_is_found_even_if_reported_lost() -> None:
    with pytest.raises(HistoryError, match="I2 acknowledged, but neither stored nor in quarantine"):
        check(accepted=["a"], acked=["a"], lost={"a": "shutdown"}, store=[])


def test_the_number_of_losses_must_be_the_number_of_missing_events() -> None:
    lines: list[bytes | dict[str, Any]] = [{"id": "a"}]
    assert check(accepted=["a", "b"], lost=1, store=lines).lost == 1
    with pytest.raises(HistoryError, match=r"I1 reported as lost 2, but missing \(1\): b"):
        check(accepted=["a", "b"], lost=2, store=lines)
    with pytest.raises(HistoryError, match="I1 reported as lost 1, but nothing is missing"):
        check(accepted=["a"], lost=1, store=lines)


def test_an_event_of_unknown_outcome_may_be_stored_or_not() -> None:
    counts = check(accepted=["a", "b"], lost={"a": "shutdown"}, unknown=["a", "b"], store=[{"id": "a"}])
    assert (counts.stored, counts.lost) == (1, 1)


def test_copies_of_two_writers_are_only_counted_if_readers_remove_them() -> None:
    one = sent(1)
    blobs = {blob_of(one, instance): line_of(one) for instance in INSTANCES}
    assert check(accepted=[one], store=blobs, readers_deduplicate=True).copies == 1
    with pytest.raises(HistoryError, match="I2 stored more than once"):
        check(accepted=[one], store=blobs)
    blobs[blob_of(one, ordinal=1)] = line_of(one)
    with pytest.raises(HistoryError, match="I2 stored more than once"):
        check(accepted=[one], store=blobs, readers_deduplicate=True)


def test_two_events_under_one_number_are_found() -> None:
    one, other = sent(1), Sent(id="other")
    lines: list[bytes | dict[str, Any]] = [line_of(one), line_of(one, id="other")]
    with pytest.raises(HistoryError, match="I2 two events under one number of a producer"):
        check(accepted=[one, other], store=lines)


def test_order_is_checked_in_the_blobs_of_one_writer_where_it_is_guaranteed() -> None:
    first, second = sent(1), sent(2)
    blobs = {blob_of(first): line_of(second) + line_of(first)}
    assert check(accepted=[first, second], store=blobs).disorder == 1
    with pytest.raises(HistoryError, match="order: 1 lines"):
        check(accepted=[first, second], store=blobs, in_order=True)
    apart = {blob_of(first): line_of(second), blob_of(first, ordinal=1): line_of(first)}
    assert check(accepted=[first, second], store=apart).disorder == 1
    others = {blob_of(first): line_of(second), blob_of(first, instance="f" * 32): line_of(first)}
    check(accepted=[first, second], store=others, in_order=True)


def test_a_folder_is_read_with_its_quarantine_and_records_without_an_id_keep_that_of_their_line(tmp_path: Path) -> None:
    one = sent(1)
    contents = {
        blob_of(one): line_of(one),
        f"_quarantine/{HOUR}/q000000.jsonl": quarantine_line("bad") + quarantine_line(None),
        f"{one.tenant}/{one.collection}/{HOUR}/files/large.json": b"[1]",
    }
    for name, content in contents.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    counts = check(accepted=[one, "bad"], store=tmp_path, quarantined=["bad", "digest-of-None"])
    assert (counts.stored, counts.quarantined, counts.lost) == (1, 2, 0)


def test_events_may_be_distinguished_by_their_correlation_ids(tmp_path: Path) -> None:
    one = sent(1)
    bad = record(None, {"azureml.correlation.id": "bad"}, event_id="its own").SerializeToString()
    blobs = {
        blob_of(one): line_of(one, correlationid="known"),
        "_quarantine/a.jsonl": json.dumps({"id": "q", "reason": "r", "record": base64.b64encode(bad).decode()}).encode()
        + b"\n",
    }
    assert check(accepted=["known", "bad"], store=blobs, quarantined=["bad"], key="correlationid").stored == 1
    with pytest.raises(HistoryError, match=r"I1 accepted, but neither .* \(1\): other"):
        check(accepted=["known", "bad", "other"], store=blobs, key="correlationid")


def test_a_torn_tail_is_allowed_only_where_its_writer_may_restart() -> None:
    one, torn = sent(1), sent(2)
    blobs = {blob_of(one): line_of(one) + line_of(torn)[:10]}
    assert check(accepted=[one, torn], unknown=[torn.id], store=blobs, torn_tails=True).lost == 1
    with pytest.raises(HistoryError, match="ends without LF"):
        check(accepted=[one, torn], unknown=[torn.id], store=blobs)


def test_a_long_list_of_ids_is_truncated() -> None:
    with pytest.raises(HistoryError, match=r"\(100\): 0, 1, 10, .* and 88 more"):
        check(accepted=map(str, range(100)), store=[])


def test_refusals_are_counted_as_often_as_they_happen_and_logged_once() -> None:
    check_refusals(happened={"StoreError": 3}, counted={"StoreError": 3}, logged=["requests are refused: StoreError"])
    with pytest.raises(HistoryError, match="I4 StoreError: happened 3 times, counted 2"):
        check_refusals(happened={"StoreError": 3}, counted={"StoreError": 2}, logged=["StoreError"])
    with pytest.raises(HistoryError, match="I4 StoreError: expected one log line, got 0"):
        check_refusals(happened={"StoreError": 1}, counted={"StoreError": 1}, logged=[])
    with pytest.raises(HistoryError, match="I4 StoreError: expected one log line, got 2"):
        check_refusals(happened={"StoreError": 1}, counted={"StoreError": 1}, logged=["StoreError", "StoreError"])

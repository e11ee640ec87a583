"""Random stores with planted faults: an audit finds exactly these."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from audited_lines import LineLedger, faults, line, numbered
from hypothesis import given, settings
from hypothesis import strategies as st
from otlp_requests import DEPLOYMENT, resource

from otel_modeldata import semconv
from otel_modeldata.report import CollectionReport, DeliveryReport
from otel_modeldata_reader.auditing import quarantine_line
from otel_modeldata_reader.auditing.producer_report import combine
from otel_modeldata_reader.auditing.quarantine_line import decode_base64, identify
from otel_modeldata_receiver.layout.blob_path import parse_blob_path
from otel_modeldata_receiver.mapping import quarantine
from otel_modeldata_receiver.mapping.quarantine import Rejected

if TYPE_CHECKING:
    from collections.abc import Iterable


FATES = ["stored"] * 6 + ["twice", "missing", "lost", "quarantined", "torn", "hour", "tenant", "size", "doubtful"]
STORED = {"stored", "twice", "hour", "size", "doubtful"}
Key = tuple[str, str]
"""Producer and collection."""
Event = tuple[str, int, int]
"""Fate, hour and blob."""
HISTORIES = st.dictionaries(
    st.tuples(st.sampled_from(["p", "q", "r"]), st.sampled_from(["model_inputs", "model_outputs"])),
    st.lists(st.tuples(st.sampled_from(FATES), st.integers(0, 2), st.integers(0, 1)), min_size=1, max_size=30),
    max_size=4,
)


@dataclass(frozen=True)
class Planted:
    """A random store: blobs and quarantine lines, and the faults in it."""

    blobs: dict[str, list[bytes]]
    quarantine: list[bytes]
    faults: Counter[str]


def planted(history: dict[Key, list[Event]]) -> Planted:
    made = Planted({}, [], Counter())
    for key, events in history.items():
        for number, event in enumerate(events):
            plant(made, key, number, event)
    return made


def plant(made: Planted, key: Key, number: int, event: Event) -> None:
    (producer, collection), (fate, hour, blob) = key, event
    if fate in {"missing", "lost"}:
        return
    if fate == "quarantined":
        one = resource(DEPLOYMENT | {semconv.SERVICE_INSTANCE_ID: producer}).SerializeToString()
        rejected = Rejected(reason="x: y", record=numbered(number, collection=collection), resource=one)
        made.quarantine.append(quarantine.encode(rejected, arrival_ns=1, urls={}))
        return
    keys = {"id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{producer}{collection}{number}")), "producer": producer}
    keys |= {"type": semconv.event_type(collection), "time": f"2026-11-22T{10 + hour}:00:00Z"}
    raw = line(number, **keys, **({"contentrange": "bytes 0-98/99"} if fate == "size" else {}))
    folder = f"credit/{'green' if fate == 'tenant' else 'blue'}/{collection}"
    folder += f"/2026/11/22/{10 + (hour + (fate == 'hour')) % 3}"
    lines = made.blobs.setdefault(f"{folder}/{'0' * 32}{blob:06d}.jsonl", [])
    lines.append(raw[: len(raw) // 2] if fate == "torn" else raw)
    if fate == "twice":
        lines.insert(len(lines) // 2, raw)
    kinds = {"torn": "unreadable", "hour": "misplaced", "tenant": "misplaced", "size": "content_range"}
    made.faults.update([kinds[fate]] if fate in kinds else ["duplicated"] if fate == "twice" else [])


def reported(history: dict[Key, list[Event]], producers: Iterable[str]) -> list[DeliveryReport]:
    reports = {}
    for (producer, collection), events in history.items():
        if producer in producers:
            fates = Counter(fate for fate, _, _ in events)
            lost = {"refused": fates["lost"], "shutdown": fates["doubtful"], "rejected": fates["quarantined"]}
            counts = CollectionReport(accepted=len(events), delivered=len(events) - sum(lost.values()), lost=lost)
            reports.setdefault(producer, {})[collection] = counts
    return [
        DeliveryReport(producer=producer, deployment="credit/blue", collections=collections)
        for producer, collections in reports.items()
    ]


def ranges(numbers: Iterable[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in sorted(numbers):
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def truth(fates: list[str], *, has_report: bool) -> dict[str, Any] | None:
    """The expected reconciliation, counted event by event; None when nothing names the producer."""
    seen = [number for number, fate in enumerate(fates) if fate in STORED or fate == "quarantined"]
    if not seen and not has_report:
        return None
    counts = Counter(fates)
    end = len(fates) if has_report else seen[-1]
    gone = [number for number in range(end) if number not in seen]
    losses = counts["lost"] + counts["doubtful"] if has_report else 0
    return {
        "stored": sum(counts[fate] for fate in STORED),
        "duplicates": counts["twice"],
        "reused": 0,
        "quarantined": counts["quarantined"],
        "first": seen[0] if seen else None,
        "last": seen[-1] if seen else None,
        "gaps": ranges(gone),
        "lost": min(len(gone), losses),
        "missing": max(0, len(gone) - losses),
        "beyond": 0,
        "doubtful": max(0, losses - len(gone)),
    }


@pytest.mark.slow
@settings(max_examples=300)
@given(HISTORIES, st.sets(st.sampled_from(["p", "q", "r"])), st.integers(1, 9))
def test_an_audit_finds_exactly_what_was_planted(
    history: dict[Key, list[Event]], reporting: set[str], piece: int
) -> None:
    made = planted(history)
    ledger = LineLedger({})
    for blob, lines in sorted(made.blobs.items()):
        for start in range(0, len(lines), piece):
            ledger.add_lines(parse_blob_path(blob), start, lines[start : start + piece])
    for raw in made.quarantine:
        kept = quarantine_line.decode(raw)
        ledger.add_quarantined(kept.id, identify(decode_base64(kept.record), decode_base64(kept.resource)))
    found = {
        (one.producer, one.collection): {name: getattr(one, name) for name in COUNTS}
        for one in ledger.reconcile(combine(reported(history, reporting)), whole=True)
        if one.deployment == "blue"  # a line in the folder of green is counted there, and missing here
    }
    expected = {
        key: truth([fate for fate, _, _ in events], has_report=key[0] in reporting) for key, events in history.items()
    }
    assert found == {key: result for key, result in expected.items() if result is not None}
    assert faults(ledger) == made.faults
    for one in ledger.reconcile(combine(reported(history, reporting)), whole=True):
        assert one.accepted in {None, one.stored + one.quarantined + one.lost + one.missing}


COUNTS = (
    "stored",
    "duplicates",
    "reused",
    "quarantined",
    "first",
    "last",
    "gaps",
    "lost",
    "missing",
    "beyond",
    "doubtful",
)
